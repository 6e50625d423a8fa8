"""How a request wants to be answered: the members that not every model takes."""

from dataclasses import dataclass

import msgspec

from holdfast.wire.members import inner, word

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_FORCED = ("any", "tool")


class _Members(msgspec.Struct, gc=False):
    thinking: object = None
    tool_choice: object = None
    output_config: object = None


_read = msgspec.json.Decoder(_Members).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The forms that a request asks for; `None` leaves them to the model.

    Attributes:
        thinking: the type of thinking, such as `adaptive`, `enabled` or `disabled`.
        forces_tool: the model must call a tool.
        effort: how much work is to go into the answer.
    """

    thinking: str | None = None
    forces_tool: bool = False
    effort: str | None = None

    @property
    def thinks(self) -> bool:
        """Whether thinking is asked for."""
        return self.thinking not in (None, "disabled")


def read_wanted(body: bytes) -> Wanted:
    """What a body asks for in this respect; one that makes no sense asks for nothing."""
    try:
        members = _read(body)
    except _UNREADABLE:
        return Wanted()
    return Wanted(
        thinking=word(members.thinking, "type"),
        forces_tool=word(members.tool_choice, "type") in _FORCED,
        effort=word(inner({"output_config": members.output_config}, "output_config"), "effort"),
    )
