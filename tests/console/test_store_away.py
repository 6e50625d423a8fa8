"""The console at three in the morning: the database is away."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.settings import Settings, StoreConfig
from holdfast.simulator.server import RunningSimulator
from tests.console.visiting import Browser
from tests.doors.running import RunningGateway, serving
from tests.doors.talking import QUESTION, ask

RUN = {"scope": "run", "value": "r", "term": "30m", "reason": "loops", "next": "/console/now"}


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, store=StoreConfig(url=f"sqlite:///{tmp_path / 'holdfast.db'}"))


@pytest.fixture
def gateway(
    simulator: RunningSimulator, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    """A gateway whose store has answered until now."""

    async def away(*_: object, **__: object) -> object:
        raise StoreUnavailable(Sentence("The store is away.", ko="저장소가 응답하지 않습니다."))

    with serving(simulator, settings) as running:
        store = type(running.hold.runtime.ledger)
        with monkeypatch.context() as broken:
            for verb in ("calls", "newest", "entries", "put", "drop", "spend", "run", "runs", "find"):
                broken.setattr(store, verb, away)
            yield running


@pytest.mark.requirement("console:stop")
def test_somebody_logs_in_sees_the_verdict_and_stops_a_run(
    stranger: Browser, gateway: RunningGateway
) -> None:
    link = stranger.ticket()
    assert stranger.get(link).status == 200
    assert Browser(gateway=gateway).get(link).status == 401, "used up is used up"
    assert "Is Claude down" in stranger.html("/console/now")
    preview = stranger.html("/console/stop?scope=run&value=r")
    assert "It stops all the same." in preview
    mark = preview.partition('name="csrf" value="')[2].partition('"')[0]
    heard = stranger.post("/console/stop/stop", {**RUN, "csrf": mark}, marked=False)
    assert heard.status == 303
    assert ask(gateway.url, QUESTION, headers={"x-holdfast-run": "r"}).status == 403
    assert "Stopped on this machine: run r." in stranger.html("/console/now")


def test_a_page_that_needs_the_book_says_that_it_is_away(browser: Browser) -> None:
    for page in ("requests", "runs"):
        heard = browser.get(f"/console/{page}")
        assert heard.status == 503
        assert "The store is away." in heard.body.decode()
        assert 'class="verdict' in heard.body.decode()
