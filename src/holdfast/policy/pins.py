"""Pins: what a tool said of itself when it was first trusted, so that it cannot say something else later."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from hashlib import blake2b
from typing import Literal

import msgspec

from holdfast.errors import ConfigError, Refused
from holdfast.language import Sentence
from holdfast.policy.normalization import View, fold
from holdfast.wire.offer import Offered

PIN = "tool-pin"
"""The kind of these documents in the register."""
MOST_PINS = 4_096
"""Pins of one register; the tools of a further scope are looked at and not pinned."""

_JOINTS = re.compile(r"[-_. ]+")
Trouble = Literal["refused", "changed", "duplicate", "hidden", "suspicious"]
"""A person said no; another description than the pinned one; a name that reads like another; characters nobody
sees; an attack."""
REFUSED = "refused"
"""The fingerprint of a pin that no description fits, because an operator refuses the tool whatever it says."""
FINGERPRINT = re.compile(r"[0-9a-f]{32}")
LONGEST = 500
"""Characters of the name of a tool or a scope that an operator writes."""


class ToolRejected(Refused):
    """A tool on offer is not as it was pinned, or not as it should be."""

    error_code = "holdfast_tool_rejected"
    default_status = 400
    error_type = "policy_blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The description of one tool that a scope trusts; a scope is whoever offers tools under names of its own."""

    scope: str
    tool: str
    fingerprint: str
    at: datetime

    @property
    def name(self) -> str:
        """What its document is called."""
        return pin_name(self.scope, self.tool)


@dataclass(frozen=True, slots=True)
class Found:
    """A tool, and what is wrong with it."""

    tool: Offered
    trouble: Trouble


def pin_name(scope: str, tool: str) -> str:
    """What the document of a pin is called: of one length, whatever a client calls its tools."""
    return blake2b(msgspec.json.encode([scope, tool]), digest_size=16).hexdigest()


def encoded(pin: Pin) -> bytes:
    """The pin as its document."""
    return msgspec.json.encode(pin)


def decoded(body: bytes) -> Pin:
    """The pin in a document. Raises `ConfigError` when it makes no sense."""
    try:
        return msgspec.json.decode(body, type=Pin)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"A tool pin makes no sense: {error}. Delete it; the tool is pinned again when it is next seen.",
                ko=f"도구 고정 문서를 읽을 수 없습니다: {error}. 삭제하면 다음에 도구가 나타날 때 다시 고정됩니다.",
            )
        ) from error


def refused(scope: str, tool: str, at: datetime) -> Pin:
    """The pin of a tool that an operator refuses, whatever it says of itself. Raises `ConfigError` as `approved`."""
    return _checked(Pin(scope=scope, tool=tool, fingerprint=REFUSED, at=at))


def approved(scope: str, tool: str, fingerprint: str, at: datetime) -> Pin:
    """The pin of a description that an operator has looked at. Raises `ConfigError` for what is none."""
    if FINGERPRINT.fullmatch(fingerprint) is None:
        raise ConfigError(
            Sentence(
                "fingerprint: write the 32 letters that the refusal or the event of the tool names",
                ko="fingerprint: 도구의 거절 응답이나 이벤트에 나온 32자를 그대로 적으세요",
            )
        )
    return _checked(Pin(scope=scope, tool=tool, fingerprint=fingerprint, at=at))


def _checked(pin: Pin) -> Pin:
    if all(0 < len(name) <= LONGEST for name in (pin.scope, pin.tool)):
        return pin
    raise ConfigError(
        Sentence(
            f"scope and tool: name a key and its tool, in 1 to {LONGEST} characters each",
            ko=f"scope, tool: 키와 도구의 이름을 각각 1~{LONGEST}자로 적으세요",
        )
    )


def chosen(offer: Iterable[Offered], patterns: Sequence[str]) -> tuple[Offered, ...]:
    """The tools that are pinned, by patterns of their names."""
    return tuple(tool for tool in offer if any(fnmatchcase(tool.name, pattern) for pattern in patterns))


def compare(
    offer: Sequence[Offered], pins: Mapping[str, str], scope: str
) -> tuple[tuple[Found, ...], tuple[Offered, ...]]:
    """What is wrong with the tools on offer, and which of the others are new; `pins` are fingerprints by name.

    Of two tools whose names a person cannot tell apart, those are in trouble that are not pinned. A tool that is
    offered as it was pinned is right: a person has approved it, or nothing was wrong with it.
    """
    names: dict[str, int] = {}
    for tool in offer:
        names[_plain(tool.name)] = names.get(_plain(tool.name), 0) + 1
    found: list[Found] = []
    new: list[Offered] = []
    for tool in offer:
        pinned = pins.get(pin_name(scope, tool.name))
        if pinned == tool.fingerprint:
            continue
        if pinned == REFUSED:
            found.append(Found(tool, "refused"))
        elif names[_plain(tool.name)] > 1:
            found.append(Found(tool, "duplicate"))
        elif pinned is not None:
            found.append(Found(tool, "changed"))
        elif tool.hides:
            found.append(Found(tool, "hidden"))
        else:
            new.append(tool)
    return tuple(found), tuple(new)


def rejected(found: Found, scope: str) -> ToolRejected:
    """The refusal of a request that offers such a tool."""
    what, name = _WHAT[found.trouble], found.tool.name
    return ToolRejected(
        Sentence(
            f"The tool {name!r} cannot be offered: {what.en}. Look at its description; if it is right, have the "
            f"operator approve {found.tool.fingerprint}.",
            ko=f"도구 {name!r}을(를) 사용할 수 없습니다: {what.ko}. 설명을 확인하고, 문제가 없으면 운영자에게 "
            f"{found.tool.fingerprint} 승인을 요청하세요.",
        ),
        details={
            "tool": name,
            "trouble": found.trouble,
            "fingerprint": found.tool.fingerprint,
            "scope": scope,
        },
    )


def _plain(name: str) -> str:
    return _JOINTS.sub("-", fold(View.of(name)).text)


_WHAT: Mapping[Trouble, Sentence] = {
    "refused": Sentence("an operator has refused it", ko="운영자가 거부한 도구입니다"),
    "changed": Sentence(
        "its description is not the one that was pinned when it was first seen",
        ko="설명이 처음 고정된 내용과 다릅니다",
    ),
    "duplicate": Sentence(
        "another tool has a name that reads the same", ko="이름이 구별되지 않는 다른 도구가 있습니다"
    ),
    "hidden": Sentence(
        "its description holds characters that nobody sees", ko="설명에 보이지 않는 문자가 있습니다"
    ),
    "suspicious": Sentence(
        "its description reads like an attempt to give orders", ko="설명이 지시를 내리려는 시도로 보입니다"
    ),
}
