"""AgentLogger as its users meet it."""

import asyncio
import io
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any

import pytest
import structlog

from holdfast.errors import ConfigError
from holdfast.parts.redactor import Redactor
from holdfast.telemetry.logs import AgentLogger
from holdfast.testing import FakeClock
from holdfast.wire.usage import Usage


def written(stream: io.StringIO, logger: AgentLogger) -> list[dict[str, Any]]:
    assert logger.flush(10)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_json_object_with_the_members_of_the_contract() -> None:
    stream = io.StringIO()
    logger = AgentLogger("a1", stream=stream, clock=FakeClock())
    with logger.request("r1"):
        logger.log("info", "hello", {"n": 5})
    assert written(stream, logger) == [
        {
            "timestamp": "2026-11-22T12:00:00.000Z",
            "level": "info",
            "message": "hello",
            "agent_id": "a1",
            "request_id": "r1",
            "metadata": {"n": 5},
        }
    ]


def test_what_is_absent_is_left_out() -> None:
    logger = AgentLogger(stream=io.StringIO())
    logger.info("hello")
    assert list(logger.entries[0]) == ["timestamp", "level", "message"]


def test_each_level_has_its_verb_and_lesser_levels_are_not_logged() -> None:
    logger = AgentLogger(stream=io.StringIO(), level="warn")
    logger.debug("d")
    logger.info("i")
    logger.log_response(1, 2)
    logger.warn("w", n=1)
    logger.error("e")
    assert [entry["level"] for entry in logger.entries] == ["warn", "error"]


@pytest.mark.parametrize("level", ["warning", "INFO", ""])
def test_an_unknown_level_is_refused_in_both_languages(level: str) -> None:
    with pytest.raises(ConfigError, match="does not know the level") as caught:
        AgentLogger(level=level)
    assert "모르는 로그 수준" in caught.value.say("ko")
    with pytest.raises(ConfigError):
        AgentLogger().log(level, "x")


def test_a_negative_number_of_entries_is_refused() -> None:
    with pytest.raises(ConfigError, match="negative"):
        AgentLogger(keep=-1)


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        ({"input": 10, "output": 5}, {"input": 10, "output": 5}),
        ({"input_tokens": 10, "cache_read_input_tokens": 3, "total_tokens": 13}, {"input": 10, "cache_read": 3, "total": 13}),
        (Usage(input_tokens=10, output_tokens=0, cache_creation_input_tokens=7), {"input": 10, "output": 0, "cache_creation": 7}),
        (15, {"total": 15}),
    ],
)  # fmt: skip
def test_a_response_tells_its_time_and_its_tokens(
    tokens: dict[str, int] | Usage | int, told: dict[str, int]
) -> None:
    logger = AgentLogger(stream=io.StringIO())
    logger.log_response(12.5, tokens, model="m")
    (entry,) = logger.entries
    assert (entry["level"], entry["duration_ms"], entry["tokens"]) == ("info", 12.5, told)
    assert entry["message"]
    assert entry["metadata"] == {"model": "m"}


def test_secrets_are_masked_in_messages_ids_keys_and_values_at_any_depth() -> None:
    stream = io.StringIO()
    logger = AgentLogger("me@example.com", stream=stream)
    with logger.request("you@example.com"):
        logger.info(
            "login of minji@example.com with password=hunter2!",
            **{"a@example.com": [{"db": {"password": "hunter3!", "total_tokens": 123}}]},
            error=ValueError("api_key=hunter4!"),
        )
    text = json.dumps(logger.entries) + json.dumps(written(stream, logger))
    assert "example.com" not in text
    assert "hunter" not in text
    assert '"total_tokens": 123' in text


def test_masking_can_be_switched_off() -> None:
    logger = AgentLogger(stream=io.StringIO(), mask_sensitive=False)
    logger.info("minji@example.com", password="hunter2!")
    assert logger.entries[0]["message"] == "minji@example.com"
    assert logger.entries[0]["metadata"] == {"password": "hunter2!"}


def test_a_redactor_of_ones_own_masks_by_its_rules() -> None:
    logger = AgentLogger(stream=io.StringIO(), mask_sensitive=Redactor(names=["badge"], kinds=["secret"]))
    logger.info("badge=77120 a@example.com", badge="x", mail="a@example.com")
    (entry,) = logger.entries
    assert entry["message"] == "badge=[secret] a@example.com"
    assert entry["metadata"] == {"badge": "[secret]", "mail": "a@example.com"}


def test_a_line_says_what_was_true_when_it_was_logged() -> None:
    logger = AgentLogger(stream=io.StringIO())
    state = {"tags": ["before"]}
    logger.info("x", state=state)
    state["tags"].append("after")
    assert logger.entries[0]["metadata"] == {"state": {"tags": ["before"]}}


def test_the_newest_entries_are_kept() -> None:
    logger = AgentLogger(stream=io.StringIO(), keep=2)
    for n in range(5):
        logger.info(str(n))
    assert [entry["message"] for entry in logger.entries] == ["3", "4"]


def test_entries_cannot_be_changed_from_outside() -> None:
    logger = AgentLogger(stream=io.StringIO())
    logger.info("x", a={"b": 1})
    logger.entries[0]["message"] = "forged"
    assert logger.entries[0]["message"] == "x"


def test_requests_nest_and_end() -> None:
    logger = AgentLogger(stream=io.StringIO())
    with logger.request("outer"):
        with logger.request("inner"):
            logger.info("1")
        logger.info("2")
    logger.info("3")
    assert [entry.get("request_id") for entry in logger.entries] == ["inner", "outer", None]


async def test_ten_thousand_tasks_keep_their_request_ids_apart() -> None:
    logger = AgentLogger(stream=io.StringIO(), keep=20_000)

    async def call(n: int) -> None:
        with logger.request(f"r{n}"):
            await asyncio.sleep(0)
            await asyncio.create_task(child(n))
            logger.info("end", n=n)

    async def child(n: int) -> None:
        logger.info("child", n=n)

    await asyncio.gather(*(call(n) for n in range(10_000)))
    entries: list[dict[str, Any]] = logger.entries
    assert len(entries) == 20_000
    assert all(entry["request_id"] == f"r{entry['metadata']['n']}" for entry in entries)


async def test_a_request_that_ends_in_another_context_harms_nobody() -> None:
    logger = AgentLogger(stream=io.StringIO())

    async def lines() -> AsyncGenerator[int]:
        with logger.request("r1"):
            yield 1

    generator = lines()

    async def first() -> int:
        return await anext(generator)

    await asyncio.create_task(first())
    await generator.aclose()
    logger.info("after")
    assert "request_id" not in logger.entries[0]


@dataclass
class Order:
    id: int
    card_number: str


def test_values_json_does_not_know_are_told_as_text() -> None:
    logger = AgentLogger(stream=io.StringIO())
    logger.info(
        "x",
        money=Decimal("1.10"), day=date(2026, 11, 22), took=timedelta(seconds=90), path=PurePosixPath("/a"),
        when=datetime.fromisoformat("2026-11-22T12:00:00+00:00"), raw=b"ab\xff", some={"b", "a"}, order=Order(5, "x"),
        nan=float("nan"), more=[float("inf"), -float("inf")], big=10**5_000, odd={(1, 2): 3, float("inf"): 4},
    )  # fmt: skip
    assert logger.entries[0]["metadata"] == {
        "money": "1.10", "day": "2026-11-22", "took": "0:01:30", "path": "/a", "when": "2026-11-22T12:00:00+00:00",
        "raw": "ab\\xff", "some": ["a", "b"], "order": {"id": 5, "card_number": "[secret]"},
        "nan": "NaN", "more": ["Infinity", "-Infinity"], "big": "(an integer of 16610 bits)",
        "odd": {"(1, 2)": 3, "Infinity": 4},
    }  # fmt: skip


def test_a_message_that_is_no_text_is_told_as_text() -> None:
    logger = AgentLogger(stream=io.StringIO())
    message: Any = ValueError("bad")
    logger.error(message)
    assert logger.entries[0]["message"] == "ValueError: bad"


def test_huge_values_are_cut_after_masking() -> None:
    stream = io.StringIO()
    logger = AgentLogger(stream=stream)
    secret = "gh" + "p_" + "a1B2" * 9
    logger.info("y" * 1_000_000, a="x " * 4_090 + secret, b="z" * 40_000, c=["word " * 9_000] * 40)
    logger.info("x", **{str(n): "w " * 4_000 for n in range(40)})
    written(stream, logger)
    assert all(len(line) < 120_000 for line in stream.getvalue().splitlines())
    assert "a1B2" not in stream.getvalue()
    assert "characters]" in stream.getvalue()


def test_a_message_cannot_forge_a_second_line_or_command_the_terminal() -> None:
    stream = io.StringIO()
    logger = AgentLogger(stream=stream)
    message = 'a\n{"level":"error"}\r\x1b[31m\x9b31m\u2028\u202e\u2066\U000e0041\ud800\u200b 한글'
    logger.info(message)
    assert logger.flush()
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert not set("\r\x1b\x9b\u2028\u202e\u2066\U000e0041\ud800\u200b") & set(text)
    assert "한글" in text
    assert json.loads(text)["message"] == message


def test_structlog_as_others_configured_it_is_neither_used_nor_changed() -> None:
    before = structlog.get_config()
    AgentLogger(stream=io.StringIO()).info("x")
    assert structlog.get_config() == before


def test_without_a_stream_lines_go_to_whatever_stderr_is_then(monkeypatch: pytest.MonkeyPatch) -> None:
    logger = AgentLogger()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logger.info("hello")
    assert logger.flush()
    assert json.loads(stream.getvalue().splitlines()[-1])["message"] == "hello"


def test_a_closed_logger_has_written_everything_and_writes_no_more() -> None:
    stream = io.StringIO()
    with AgentLogger("a1", stream=stream) as logger:
        logger.info("before")
    assert "before" in stream.getvalue()
    logger.info("after")
    assert logger.flush()
    assert "after" not in stream.getvalue()
    assert repr(logger) == "AgentLogger('a1')"
