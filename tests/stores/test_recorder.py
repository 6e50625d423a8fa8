"""The recorder: nobody waits for it, and what it cannot keep harms no call."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from holdfast.call import Call, Capture
from holdfast.errors import StoreUnavailable
from holdfast.policy.masking import MaskingConfig
from holdfast.policy.recording import RecorderConfig, Recording
from holdfast.ports import RecordedCall, Whose
from holdfast.stores import recorder as module
from holdfast.stores.bodies_memory import MemoryBodies
from holdfast.stores.recorder import Recorder, recorded_call
from holdfast.testing import FakeClock
from tests.upstream.scripted import a_call

KEY = "sk-" + "ant-api03-Qx93kdLwPz81mNvB72hsYtR5uGqWe04cXaJf6iZoKlT8bVnM"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RECORDING = Recording(scope="key", value="local", at=NOW, until=NOW + timedelta(hours=1), max_bytes=1_000)


def captured(answer: bytes = b'{"content": []}', room: int = 10_000) -> Capture:
    capture = Capture(RECORDING, room)
    capture.add(answer)
    return capture


class Gated(MemoryBodies):
    """A place that keeps nothing until it is opened, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()
        self.is_away = False

    async def keep(self, entry: RecordedCall, room: int) -> None:
        assert self.opened.wait(10)
        if self.is_away:
            raise StoreUnavailable("the database is gone")
        await super().keep(entry, room)


@pytest.fixture
def bodies() -> Gated:
    return Gated()


@pytest.fixture
def recorder(bodies: Gated) -> Iterator[Recorder]:
    recorder = Recorder(bodies, RecorderConfig(), MaskingConfig(), clock=FakeClock())
    yield recorder
    bodies.opened.set()
    recorder.close()


def found(bodies: Gated, name: str = "hfr_test") -> RecordedCall | None:
    return asyncio.run(bodies.find(name))


def test_taking_waits_for_nobody(bodies: Gated, recorder: Recorder) -> None:
    recorder.take(a_call(), captured())
    assert not recorder.flush(0.01)
    bodies.opened.set()
    assert recorder.flush(10)
    assert found(bodies) is not None


def test_what_is_kept_is_masked_and_read_whole(bodies: Gated, recorder: Recorder) -> None:
    bodies.opened.set()
    recorder.take(a_call(f"my key is {KEY}"), captured(json.dumps({"text": f"yours is {KEY}"}).encode()))
    assert recorder.flush(10)
    kept = found(bodies)
    assert kept is not None
    assert json.loads(kept.request)["messages"][0]["content"] == "my key is [key]"
    assert json.loads(kept.answer) == {"text": "yours is [key]"}
    assert (kept.recording, kept.key, kept.user, kept.is_cut) == ("key:local", "local", "alice", False)


def test_a_place_that_is_away_costs_the_body_and_no_more(bodies: Gated, recorder: Recorder) -> None:
    bodies.is_away = True
    bodies.opened.set()
    recorder.take(a_call(), captured())
    assert recorder.flush(10)
    assert recorder.lost == 1


def test_of_too_much_at_once_what_comes_last_is_not_kept_and_counted(
    bodies: Gated, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAITING", 1_000)
    for number in range(50):
        recorder.take(replace(a_call(), request_id=f"r{number}"), captured())
    bodies.opened.set()
    assert recorder.flush(10)
    kept = sum(found(bodies, f"r{number}") is not None for number in range(50))
    assert 0 < kept < 50
    assert kept + recorder.lost == 50


def test_what_was_taken_before_the_end_is_kept_and_nothing_after(bodies: Gated, recorder: Recorder) -> None:
    bodies.opened.set()
    recorder.close()
    recorder.take(a_call(), captured())
    assert recorder.lost == 1


async def test_what_is_old_is_forgotten(bodies: Gated) -> None:
    clock = FakeClock()
    recorder = Recorder(bodies, RecorderConfig(keep_days=7), MaskingConfig(), clock=clock)
    for name, days in (("old", 8), ("new", 6)):
        call = replace(a_call(), request_id=name, arrived=clock.now() - timedelta(days=days))
        await MemoryBodies.keep(bodies, recorded_call(call, captured(), MaskingConfig()), 10_000)
    await recorder.prune()
    assert (await bodies.find("old"), await bodies.find("new") is None) == (None, False)


async def test_a_place_that_is_away_is_pruned_another_time(bodies: Gated) -> None:
    class Away(Gated):
        async def prune(self, before: datetime) -> int:
            raise StoreUnavailable("the database is gone")

    await Recorder(Away(), RecorderConfig(), MaskingConfig(), clock=FakeClock()).prune()


def kept_of(call: Call, capture: Capture) -> RecordedCall:
    return recorded_call(call, capture, MaskingConfig())


def test_an_answer_beyond_its_room_is_cut_and_says_so() -> None:
    kept = kept_of(a_call(), captured(b"event: message_start\n" + b"x" * 100, room=50))
    assert kept.is_cut


def test_a_call_without_an_answer_is_kept_all_the_same() -> None:
    assert kept_of(a_call(), Capture(RECORDING, 100)).answer == b"null"


def test_headers_that_change_what_is_asked_are_kept_and_no_others() -> None:
    sent = (("anthropic-beta", f"a-2026, {KEY}"), ("x-api-key", KEY), ("cookie", KEY))
    kept = kept_of(replace(a_call(), headers=(*a_call().headers, *sent)), captured())
    assert set(kept.headers) == {"anthropic-version", "anthropic-beta"}
    assert KEY not in str(kept.headers)


def test_forgetting_goes_to_the_place_itself(bodies: Gated, recorder: Recorder) -> None:
    bodies.opened.set()
    recorder.take(a_call(), captured())
    assert recorder.flush(10)
    assert asyncio.run(recorder.bodies.forget(Whose(user="alice"))) == 1
