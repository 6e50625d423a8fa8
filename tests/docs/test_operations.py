"""Every alert leads to a page that says what to do."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8")
PAGES = re.findall(r"alert: (\w+)(?:(?!alert:).)*?runbook_url: (\S+)", ALERTS, re.DOTALL)


def test_every_alert_names_a_page() -> None:
    assert len(PAGES) == ALERTS.count("- alert:") >= 17


@pytest.mark.parametrize(("alert", "page"), PAGES)
def test_the_page_of_an_alert_says_what_it_means_and_what_to_do(alert: str, page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert f"Alert: `{alert}`" in text
    for part in ("## What it means", "## Check", "## Act", "## It is over when"):
        assert part in text


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "operations" / "README.md").read_text("utf-8")
    assert sorted(re.findall(r"\]\(([\w-]+\.md)\)", index)) == sorted(Path(page).name for _, page in PAGES)
