"""The dashboard and the alerts ask for what `/metrics` really tells."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from holdfast.events import CircuitChanged, InputFlagged
from holdfast.policy.vitals import Vitals
from holdfast.telemetry.metrics import Metrics
from tests.telemetry.test_metrics import CALL, TRIED

DEPLOY = Path(__file__).parents[2] / "deploy"
ALERTS = (DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "holdfast.json").read_text(encoding="utf-8"))
NAME = re.compile(r"(?<![\w\"])(?:holdfast|gen_ai_client)_[a-z0-9_]+(?!\w)")
SELECTED = re.compile(r"((?:holdfast|gen_ai_client)_[a-z0-9_]+)\{([^}]*)\}")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
SCRAPED = {"instance", "job", "le"}
WANTED = {
    "HoldfastCircuitOpen",
    "HoldfastUnpriced",
    "HoldfastLogDropped",
    "HoldfastBudgetOverrun",
    "HoldfastErrorRate",
    "HoldfastEventLoopLag",
}


def families() -> list[Metric]:
    """Everything that there can be: each series once."""
    metrics = Metrics(("m",))
    metrics.vitals = lambda: Vitals(
        circuits={("main", "m"): ("open", 1)}, gates={("main", "rate"): 1}, tokens={"main": 1}
    )
    broken = replace(CALL, stream=True, end="failed", cost=None, cost_pico=None)
    moved = CircuitChanged(circuit="main/m", before="closed", after="open", reason="failure_rate")
    for event in (CALL, TRIED, broken, moved, InputFlagged(request_id="r", rules=("x",), score=0.5)):
        metrics.observe(event)
    return list(text_string_to_metric_families(metrics.render(reserved=1).decode()))


TOLD = {sample.name: set(sample.labels) for family in families() for sample in family.samples}


def alerts() -> Iterator[tuple[str, str]]:
    """Name and expression of every rule."""
    for rule in ALERTS.split("- alert: ")[1:]:
        name, _, rest = rule.partition("\n")
        found = re.search(r"expr: (?:\|\n)?(.*?)\n        (?:for|labels):", rest, re.DOTALL)
        assert found is not None, name
        yield name.strip(), " ".join(found[1].split())


def panels() -> Iterator[tuple[str, str]]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def expressions() -> list[tuple[str, str]]:
    return [*alerts(), *panels()]


def names_in(expression: str) -> set[str]:
    return set(NAME.findall(GROUPED.sub("", re.sub(r"\{[^}]*\}", "", expression))))


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_expression_asks_for_metrics_that_there_are(where: str, expression: str) -> None:
    asked = names_in(expression) - {"up"}
    assert asked <= set(TOLD), where
    assert asked or "up{" in expression


@pytest.mark.parametrize(("where", "expression"), expressions())
def test_every_label_that_is_asked_for_stands_on_its_metric(where: str, expression: str) -> None:
    for name, selectors in SELECTED.findall(expression):
        asked = {part.partition("=")[0].rstrip("!").strip() for part in selectors.split(",")}
        assert asked <= TOLD[name] | SCRAPED, where
    labels = {label for name in names_in(expression) for label in TOLD[name]}
    grouped = {label.strip() for group in GROUPED.findall(expression) for label in group.split(",")}
    assert grouped <= labels | SCRAPED, where


def test_a_metric_that_nobody_tells_would_be_found() -> None:
    assert names_in('sum by (model) (rate(holdfast_made_up_total{model="holdfast_x"}[5m]))') == {
        "holdfast_made_up_total"
    }


def test_the_alerts_that_were_promised_are_there() -> None:
    assert {name for name, _ in alerts()} >= WANTED


def test_every_alert_says_how_bad_it_is_what_it_means_and_where_help_is() -> None:
    for rule in ALERTS.split("- alert: ")[1:]:
        assert re.search(r"severity: (page|ticket)\n", rule), rule
        assert 'summary: "' in rule, rule
        assert re.search(r"runbook_url: docs/operations/[a-z-]+\.md\n", rule), rule


def test_no_panel_is_without_a_description_and_none_lies_over_another() -> None:
    places: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & places, panel["title"]
        places |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]


def test_the_dashboard_names_no_data_source_of_its_own() -> None:
    sources = {
        target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())
    }
    assert sources == {"${source}"}
