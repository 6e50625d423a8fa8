"""Clients that repeat themselves are known by their user agent."""

import pytest

from holdfast.wire.insistence import insists


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("ai/6.0.326 ai-sdk/provider-utils/4.0.64 runtime/node.js/v20.20.2", True),
        ("ai-sdk/anthropic/3.0.139", True),
        ("Anthropic/Python 2.12.0", False),
        ("claude-cli/2.1.330 (external, sdk-cli)", False),
        ("not-ai-sdk/1", False),
        ("", False),
    ],
)
def test_the_ai_sdk_is_known_by_its_mark_and_nobody_else(agent: str, expected: bool) -> None:
    assert insists((("user-agent", agent),)) is expected


def test_a_client_without_a_name_is_no_such_client() -> None:
    assert insists(()) is False
