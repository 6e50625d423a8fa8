"""`holdfast guard pins` as an operator uses it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.stores.open import open_store
from tests.cli.conftest import Holdfast

PRINT = "0123456789abcdef" * 2
TOOL = "mcp__web__read"


def listed(holdfast: Holdfast) -> list[dict[str, Any]]:
    pins: list[dict[str, Any]] = json.loads(holdfast("guard", "pins", "--json").out)["pins"]
    return pins


def noted(folder: Path) -> list[tuple[str, str]]:
    async def read() -> list[tuple[str, str]]:
        store = open_store(f"sqlite:///{folder / 'holdfast.db'}")
        try:
            return [(line.action, line.note) for line in await store.audit(10)]
        finally:
            await store.aclose()

    return asyncio.run(read())


def test_a_tool_is_approved_refused_and_forgotten_and_all_of_it_is_on_record(
    holdfast: Holdfast, tmp_path: Path
) -> None:
    approved = holdfast("guard", "pins", "approve", TOOL, PRINT, "--key", "web")
    (first,) = listed(holdfast)
    refused = json.loads(holdfast("guard", "pins", "refuse", TOOL, "--key", "web", "--json").out)
    table = holdfast("guard", "pins", "list").out
    forgotten = holdfast("guard", "pins", "forget", TOOL, "--key", "web")

    assert "may be offered with that description" in approved.err
    assert (first["scope"], first["tool"], first["fingerprint"], first["state"]) == (
        "web",
        TOOL,
        PRINT,
        "pinned",
    )
    assert (refused["id"], refused["state"], refused["fingerprint"]) == (first["id"], "refused", None)
    assert table.splitlines()[1].split()[1:4] == [TOOL, "refused", "-"]
    assert (forgotten.code, listed(holdfast)) == (0, [])
    assert noted(tmp_path) == [("drop", TOOL), ("put", f"refuse {TOOL}"), ("put", f"approve {TOOL}")]


def test_a_scope_that_is_left_out_is_that_of_callers_without_a_key(holdfast: Holdfast) -> None:
    told = holdfast("guard", "pins", "refuse", TOOL)
    assert "Requests of `local`" in told.err
    assert PRINT in holdfast("guard", "pins", "approve", TOOL, PRINT, "--json").out
    assert PRINT in holdfast("guard", "pins").out
    assert json.loads(holdfast("guard", "pins", "forget", TOOL, "--json").out)["forgotten"] is True


def test_without_pins_it_says_how_one_comes_about(holdfast: Holdfast) -> None:
    told = holdfast("guard", "pins")
    assert (told.out, "No tool is pinned" in told.err) == ("", True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("approve", TOOL, "abc"), "32 letters"),
        (("approve", "", PRINT), "1 to 500"),
        (("refuse", TOOL, "--key", ""), "1 to 500"),
        (("forget", TOOL), "is not pinned"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    holdfast: Holdfast, arguments: tuple[str, ...], told: str
) -> None:
    ended = holdfast("guard", "pins", *arguments)
    assert (ended.code, told in ended.err) == (2, True), ended
