"""Token counts by the documented rule."""

import base64
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.simulator.models import Model, catalogue
from holdfast.simulator.tokens import block_tokens, fitting_prefix, text_tokens

if TYPE_CHECKING:
    from tests.simulator.conftest import Api, Json


def model(name: str) -> Model:
    found = catalogue().find(name)
    assert found is not None
    return found


OLD, NEW = model("claude-haiku-4-5"), model("claude-sonnet-5-5")


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("abcd", 1, 2),
        ("a" * 40, 10, 13),
        ("가", 1, 2),
        ("가" * 10, 10, 13),
        ("ab가", 2, 2),
    ],
)
def test_four_letters_or_one_syllable_are_a_token(text: str, old: int, new: int) -> None:
    assert (text_tokens(text, OLD), text_tokens(text, NEW)) == (old, new)


def picture(header: bytes) -> "Json":
    data = base64.b64encode(header).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (300).to_bytes(4, "big") + (250).to_bytes(4, "big")
PDF = base64.b64encode(b"/Type /Pages /Type /Page /Type /Page").decode()


@pytest.mark.parametrize(
    ("block", "tokens"),
    [
        (picture(PNG), 100),
        (picture(b"GIF89a" + (300).to_bytes(2, "little") + (250).to_bytes(2, "little")), 100),
        (picture(b"who knows"), 1600),
        ({"type": "image", "source": {"type": "base64", "data": "a"}}, 1600),
        ({"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}, 1600),
        ({"type": "document", "source": {"type": "text", "data": "abcd" * 5}}, 5),
        ({"type": "document", "source": {"type": "base64", "data": PDF}}, 4000),
        ({"type": "document", "source": {"type": "content", "content": "abcd"}}, 1),
        ({"type": "thinking", "thinking": "abcd", "signature": "s" * 100}, 1),
        ({"type": "tool_use", "id": "x", "name": "abcd", "input": {}}, 2),
        ({"type": "tool_result", "tool_use_id": "x", "content": "abcd"}, 2),
        ({"type": "tool_result", "tool_use_id": "x"}, 1),
        ({"type": "mystery", "cache_control": {"type": "ephemeral"}}, 5),
    ],
)
def test_each_kind_of_block_has_its_size(block: "Json", tokens: int) -> None:
    assert block_tokens(block, OLD) == tokens


@given(st.text(max_size=60), st.integers(0, 40))
@settings(max_examples=60, deadline=None)
def test_the_prefix_that_fits_is_the_longest_one(text: str, limit: int) -> None:
    prefix = fitting_prefix(text, limit, NEW)
    assert text.startswith(prefix)
    assert text_tokens(prefix, NEW) <= limit
    if prefix != text:
        assert text_tokens(text[: len(prefix) + 1], NEW) > limit


TOOLS = [{"name": "t", "description": "A tool", "input_schema": {"type": "object"}}]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"system": "You are brief."},
        {"tools": TOOLS},
        {"tools": TOOLS, "tool_choice": {"type": "any"}, "model": "claude-opus-5"},
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "한국어로 묻습니다"}, picture(PNG)]}
            ]
        },
    ],
)
async def test_a_count_equals_the_input_of_the_message_exactly(api: "Api", more: dict[str, Any]) -> None:
    body: dict[str, Any] = {
        "model": "claude-sonnet-5-5",
        "messages": [{"role": "user", "content": "Hi"}],
        **more,
    }
    message = await api.message("Hi", **body)
    assert await api.tokens(body) == message["usage"]["input_tokens"]


async def test_tools_cost_346_tokens_and_forced_ones_313(api: "Api") -> None:
    body = {"model": "claude-opus-5", "messages": [{"role": "user", "content": "Hi"}], "tools": TOOLS}
    free = await api.tokens(body)
    assert free - await api.tokens({**body, "tool_choice": {"type": "any"}}) == 346 - 313
