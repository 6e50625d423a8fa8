"""What a request asks for that not every model takes."""

import pytest

from holdfast.wire.wanted import Wanted, read_wanted


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"{}", Wanted()),
        (b"[]", Wanted()),
        (b"\xff", Wanted()),
        (b'{"thinking":{"type":"adaptive"}}', Wanted(thinking="adaptive")),
        (b'{"thinking":"adaptive"}', Wanted()),
        (b'{"tool_choice":{"type":"any"}}', Wanted(forces_tool=True)),
        (b'{"tool_choice":{"type":"tool","name":"a"}}', Wanted(forces_tool=True)),
        (b'{"tool_choice":{"type":"auto"}}', Wanted()),
        (b'{"output_config":{"effort":"low"}}', Wanted(effort="low")),
    ],
)
def test_only_what_is_plainly_said_is_wanted(body: bytes, wanted: Wanted) -> None:
    assert read_wanted(body) == wanted


def test_disabled_thinking_is_none() -> None:
    assert not Wanted(thinking="disabled").thinks
    assert not Wanted().thinks
    assert Wanted(thinking="enabled").thinks
