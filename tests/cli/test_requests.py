"""`holdfast requests` as somebody who wonders what befell a call uses it, on a database and on a running gateway."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.policy.coverage import Coverage, Skipped
from holdfast.policy.story import AttemptStep, GuardStep, Story
from holdfast.ports import CallRecord
from holdfast.settings import StoreConfig
from holdfast.simulator.server import RunningSimulator
from holdfast.stores.sqlite import SqliteStore
from holdfast.wire.usage import Usage
from tests.cli.book import a_call, an_attempt
from tests.cli.conftest import Holdfast
from tests.doors.running import quick_settings, serving

TOKEN = "an-admin-token-of-the-tests"
STORY = Story(
    guards=(
        GuardStep(guard="stop", did="passed", ms=0.1),
        GuardStep(guard="screen", did="changed", ms=1500.0, code="injection", detail="rule 3"),
    ),
    attempts=(
        AttemptStep(
            number=1,
            upstream="anthropic",
            model="claude-sonnet-5-5",
            began_ms=10,
            ended_ms=320,
            kind="http",
            status=529,
            blame="claude",
            wait_ms=800,
            held_pico=61_000_000_000,
        ),
        AttemptStep(
            number=2,
            upstream="anthropic",
            model="claude-sonnet-5-5",
            began_ms=1120,
            first_ms=1540,
            ended_ms=4200,
            status=200,
            settled_pico=12_300_000_000,
        ),
        AttemptStep(
            number=3, upstream="b", model="x", served_model="y", began_ms=4200, first_ms=4201, kind="reset"
        ),
    ),
    coverage=(
        Coverage(side="input", guard="screen", version="1", examined=("a", "b"), characters=1234),
        Coverage(
            side="output",
            guard="leak",
            version="1",
            skipped=(Skipped(path="content.1", reason="image"),),
            further=3,
            findings=("key",),
        ),
    ),
    degraded=("tools",),
    trace_id="4bf92f3577b34da6",
)
TOLD = replace(
    a_call(an_attempt("told", 12_300_000, hours_ago=0.5, key="web", run="7f2c", user="kim")),
    duration_ms=4210.0,
    stream=True,
    served_model="claude-haiku-5-5",
    outcome="fallback",
    decided_by="circuit",
    blame="claude",
    error_code="overloaded_error",
    usage=Usage.of(
        {
            "input_tokens": 812,
            "output_tokens": 640,
            "cache_read_input_tokens": 9120,
            "cache_creation_input_tokens": 30,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
            "output_tokens_details": {"thinking_tokens": 212},
        }
    ),
    estimated=True,
    story=STORY,
)
OLD = a_call(an_attempt("old", 1_500_000, hours_ago=3))
FRESH = replace(a_call(an_attempt("fresh", None)), price_version=None, decided_by="upstream")


def record(path: Path, *calls: CallRecord) -> None:
    async def write() -> None:
        store = SqliteStore(path)
        for call in calls:
            await store.record(call)
        await store.aclose()

    asyncio.run(write())


@pytest.fixture(autouse=True)
def database(tmp_path: Path) -> Path:
    path = tmp_path / "holdfast.db"
    record(path, OLD, TOLD, FRESH)
    return path


@pytest.fixture(params=["database", "gateway"])
def where(
    request: pytest.FixtureRequest,
    database: Path,
    simulator: RunningSimulator,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    if request.param == "database":
        yield "database"
        return
    monkeypatch.setenv("HOLDFAST_ADMIN_TOKEN", TOKEN)
    settings = replace(quick_settings(simulator), store=StoreConfig(url=f"sqlite:///{database}"))
    with serving(simulator, settings) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        monkeypatch.setenv("HOLDFAST_TOKEN", TOKEN)
        yield "gateway"


def read(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_requests_are_listed_newest_first(holdfast: Holdfast, where: str) -> None:
    ended = holdfast("requests")
    lines = ended.out.splitlines()

    assert (ended.code, where) == (0, where)
    assert [line.split()[-1] for line in lines] == ["id", "fresh", "told", "old"]
    assert "◆ fallback" in lines[2]
    assert "claude-sonnet-5-5 -> claude-haiku-5-5" in lines[2]
    assert "9,962/640" in lines[2]
    assert "circuit overloaded_error" in lines[2]
    assert lines[2].split()[1].count(":") == 2


def test_a_filter_chooses_and_pages_go_on(holdfast: Holdfast, where: str) -> None:
    chosen = holdfast("requests", "list", "--filter", "outcome:fallback cost>0.01 -user:lee", "--jsonl")
    first = json.loads(holdfast("requests", "list", "--json", "--limit", "2").out)
    rest = holdfast("requests", "list", "--limit", "2", "--jsonl", "--after", first["next_page"])

    assert [one["request_id"] for one in read(chosen.out)] == ["told"]
    assert [one["request_id"] for one in first["data"]] == ["fresh", "told"]
    assert [one["request_id"] for one in read(rest.out)] == ["old"]
    assert first["next_page"] in holdfast("requests", "--limit", "2").err
    assert "More" not in rest.err


def test_what_is_wrong_ends_with_2_and_the_cure(holdfast: Holdfast, where: str) -> None:
    for arguments, said in (
        (("list", "--filter", "modl:x"), "did you mean `model`"),
        (("export", "--filter", "modl:x"), "did you mean `model`"),
        (("list", "--fields", "modle"), "did you mean `model`"),
        (("list", "--fields", "zzzzzz"), "there are: request_id"),
        (("list", "--json", "--csv"), "--json --csv: choose one"),
        (("list", "--after", "nonsense"), "no place in the list"),
        (("show", "nobody"), "nobody"),
    ):
        ended = holdfast("requests", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert said in ended.err


def test_some_members_can_be_chosen(holdfast: Holdfast) -> None:
    lines = holdfast("requests", "list", "--fields", "request_id,cost", "--fields", "stream").out.splitlines()
    rows = csv.reader(io.StringIO(holdfast("requests", "list", "--csv", "--fields", "key,run").out))

    assert [line.split() for line in lines[:3]] == [
        ["request_id", "cost", "stream"],
        ["fresh", "-", "false"],
        ["told", "0.0123", "true"],
    ]
    assert [*rows] == [["key", "run"], ["local", ""], ["web", "7f2c"], ["local", ""]]


@pytest.mark.requirement("story:waterfall")
def test_one_request_is_shown_as_a_waterfall(holdfast: Holdfast, where: str) -> None:
    shown = holdfast("requests", "show", "told").out
    lines = shown.splitlines()

    assert lines[0] == "told"
    assert lines[1].split("  ")[:4] == [
        "◆ fallback",
        "200",
        "claude-sonnet-5-5 -> claude-haiku-5-5",
        "stream",
    ]
    assert "key web  user kim  run 7f2c" in lines[2]
    assert lines[3] == "decided by circuit  overloaded_error  blame: claude"
    for said in (
        "changed  1.50 s  injection  rule 3",
        "529 · over after 310 ms · blame: claude · then waited 800 ms",
        "200 · first content 420 ms · over after 3.08 s",
        "reset · first content 1.0 ms · under way",
        "held $0.061 · released $0.0487 · settled $0.0123 · prices v1",
        "in 812 · cache read 9,120 · cache write 5m 20 / 1h 10 · out 640 (thinking 212) · estimated",
        "screen input 2 blocks, 1,234 characters; leak output 0 blocks, 0 characters: key",
        "leak: content.1 (image)",
        "leak: 3 further blocks",
        "Degraded  tools",
        "Body      not stored",
        "Trace     4bf92f3577b34da6",
    ):
        assert said in shown


def test_bars_are_to_the_scale_of_the_request(holdfast: Holdfast) -> None:
    lines = holdfast("requests", "show", "told").out.splitlines()
    first, second = (next(line for line in lines if line.startswith(f"{number} ")) for number in (1, 2))

    assert first.count("░") + first.count("█") == 2
    assert second.index("░") > first.index("░")
    assert (second.count("░"), second.count("█")) == (3, 20)


def test_a_request_is_shown_in_json_with_its_story(holdfast: Holdfast, where: str) -> None:
    facts = json.loads(holdfast("requests", "show", "told", "--json").out)

    assert facts["call"]["outcome"] == "fallback"
    assert [one["did"] for one in facts["story"]["guards"]] == ["passed", "changed"]
    assert facts["story"]["attempts"][1]["settled"] == "0.0123"
    assert facts["story"]["coverage"][1]["skipped"] == [{"path": "content.1", "reason": "image"}]


def test_a_request_without_a_story_shows_what_the_ledger_has(holdfast: Holdfast, database: Path) -> None:
    attempt = replace(an_attempt("fresh", 1_000_000), kind="http", status=500)

    async def settle() -> None:
        store = SqliteStore(database)
        await store.settle([attempt, an_attempt("running", None)])
        await store.aclose()

    asyncio.run(settle())
    fresh, running = (holdfast("requests", "show", name).out for name in ("fresh", "running"))

    assert "500 http" in fresh
    assert "no price known" in fresh
    assert "decided by" not in fresh
    assert "Usage" in fresh
    assert running.splitlines()[1] == "under way, or its end was not written down"
    assert "settled" in running


def test_all_requests_are_written_as_a_file(holdfast: Holdfast, where: str) -> None:
    table = [*csv.DictReader(io.StringIO(holdfast("requests", "export").out))]
    lines = read(holdfast("requests", "export", "--json", "--filter", "user:kim").out)
    fewer = holdfast("requests", "export", "--jsonl", "--fields", "cost", "--filter", "id:told").out

    assert [row["request_id"] for row in table] == ["fresh", "told", "old"]
    assert table[1]["cost"] == "0.0123"
    assert [one["request_id"] for one in lines] == ["told"]
    assert fewer == '{"cost":"0.0123"}\n'


def test_an_export_needs_no_more_room_for_more_requests(
    holdfast: Holdfast, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.operations.requests.PAGE", 2)
    record(database, *(replace(OLD, request_id=f"more{number}") for number in range(5)))

    assert len(read(holdfast("requests", "export", "--jsonl").out)) == 8


def test_nothing_found_says_how_filters_work(holdfast: Holdfast) -> None:
    assert "`field~value`" in holdfast("requests", "--filter", "model:sonnet").err
    assert "No request yet" in holdfast("requests", "--simulate").err
    assert "No request yet" in holdfast("requests", "export", "--simulate").err


def test_nobody_there_ends_with_5_and_no_token_with_6(
    holdfast: Holdfast, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_URL", "http://127.0.0.1:9")
    for arguments in (("list",), ("export",), ("show", "x")):
        ended = holdfast("requests", *arguments)
        assert (ended.code, "No gateway answers" in ended.err) == (5, True)
    with serving(simulator, quick_settings(simulator)) as running:
        monkeypatch.setenv("HOLDFAST_URL", running.url)
        for arguments in (("list",), ("export",), ("show", "x")):
            assert holdfast("requests", *arguments).code == 6
        # A book that is named stands before the environment.
        assert holdfast("requests", "--simulate").code == 0


HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "‮gnp.exe",
    "⁦a⁩",
    "a\u200bb\ufeff",
    "line\r\nfeed\u2028\u0085",
    "\x00\x7f",
    "\U000e0041",
    "=HYPERLINK(1)",
)


def test_hostile_texts_move_no_cursor_and_become_no_formula(holdfast: Holdfast, database: Path) -> None:
    calls = [
        replace(
            TOLD,
            request_id=f"hostile{number}",
            key=text,
            user=text,
            run=text,
            agent=text,
            model=text,
            served_model=f"{text}2",
            decided_by=text,
            error_code=text,
            story=msgspec.structs.replace(
                STORY,
                guards=(GuardStep(guard=text, did="refused", ms=1, code=text, detail=text),),
                attempts=(
                    msgspec.structs.replace(STORY.attempts[0], upstream=text, served_model=text, kind=text),
                ),
                coverage=(replace(STORY.coverage[1], skipped=(Skipped(path=text, reason=text),)),),
                trace_id=text,
            ),
        )
        for number, text in enumerate(HOSTILE)
    ]
    record(database, *calls)
    wanted = ("--filter", "id~hostile")
    for arguments in (
        *(("list", *wanted, form) for form in ("--json", "--jsonl", "--csv")),
        ("list", *wanted),
        ("list", *wanted, "--fields", "key,run"),
        ("export", *wanted),
        ("export", *wanted, "--jsonl"),
        *(("show", f"hostile{number}") for number in range(len(HOSTILE))),
        *(("show", f"hostile{number}", "--json") for number in range(len(HOSTILE))),
    ):
        ended = holdfast("requests", *arguments)
        assert ended.code == 0
        assert all(line.isprintable() for line in ended.out.split("\n"))
    rows = csv.DictReader(io.StringIO(holdfast("requests", "export", *wanted).out))
    assert not any(value.startswith("=") for row in rows for value in row.values())
    told = read(holdfast("requests", "list", *wanted, "--jsonl").out)
    assert {one["key"] for one in told} == set(HOSTILE)


def test_it_speaks_korean(holdfast: Holdfast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_LANG", "ko")
    assert "결과" in holdfast("requests").out
    shown = holdfast("requests", "show", "told").out
    assert "본문" in shown
    assert "첫 내용까지 420 ms" in shown
