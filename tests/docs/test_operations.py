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
    for folder in ("docs/operations", "docs/ko/operations"):
        index = (ROOT / folder / "README.md").read_text("utf-8")
        listed = re.findall(r"^\| `(\w+)` \| \[[^\]]+\]\(([\w-]+\.md)\) \|$", index, re.MULTILINE)
        assert sorted(listed) == sorted((alert, Path(page).name) for alert, page in PAGES)


@pytest.mark.parametrize(("alert", "page"), PAGES)
def test_the_korean_page_of_an_alert_says_it_too(alert: str, page: str) -> None:
    text = (ROOT / "docs" / "ko" / "operations" / Path(page).name).read_text("utf-8")
    assert f"알림: `{alert}`" in text
    for part in ("## 뜻", "## 확인", "## 조치", "## 끝나는 때"):
        assert part in text
