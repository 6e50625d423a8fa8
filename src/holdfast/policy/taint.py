"""Whether an action that a model wants to take is its user's wish, or that of a text which it has read."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Literal

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.arguments import Argument, arguments
from holdfast.policy.destination import Destination, destinations, plain
from holdfast.policy.egress import Trust, find_egress, hosts_in
from holdfast.policy.intention import acts, is_asked_for, makes, words_of
from holdfast.policy.normalization import views
from holdfast.wire.provenance import Provenance, Told

Level = Literal["none", "present", "flagged"]
"""No text from elsewhere, some, or some that the screen is sure to be an attack."""
Mode = Literal["off", "flag", "confirm", "deny"]
Code = Literal["flagged", "destination", "named", "command", "verbatim", "amount", "unasked"]

MOST_DECODED = 50_000
"""Characters of one text that are also read in every disguise."""
_SHORTEST_COPY = 12
_SHORTEST_LINE = 8
_NEAR = 40
_PLACE = re.compile(r"[/\\@.:]")
_THOUSANDS = re.compile(r"(?<=[0-9])[,'](?=[0-9]{3}(?![0-9]))")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaintConfig:
    """What may be done by a model that has read texts which its user has not written.

    `off` does not look. `flag` announces and lets every call through. `confirm` holds a call until the caller
    sends its approval; `deny` holds it for good. The default only flags: a gateway cannot ask a person by
    itself, and how often one would be asked shows in what is flagged.

    Attributes:
        while_tainted: what becomes of a call that acts and is not seen to be the user's wish.
        trusted: tools whose results are as good as the user's own words; names, or patterns like `mcp__crm__*`.
        consequential: tools that act, whatever they are called; the others go by their names.
        harmless: tools that do not, whatever they are called; `consequential` goes before.
        fence: whether results that the screen takes for an attack are put in a fence for the model.
        approval_seconds: how long the code of an approval is good for, at least; at most twice as long.
        pins: what follows when the description of a tool changes; `refuse` refuses the request.
        pinned: tools whose descriptions are pinned when they are first seen.

    Raises:
        ConfigError: an approval that is over at once, or one that never is.
    """

    while_tainted: Mode = "flag"
    trusted: tuple[str, ...] = ()
    consequential: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    fence: bool = True
    approval_seconds: int = 600
    pins: Literal["off", "flag", "refuse"] = "flag"
    pinned: tuple[str, ...] = ("mcp__*",)

    def __post_init__(self) -> None:
        if not 10 <= self.approval_seconds <= 86_400:
            raise ConfigError(_approval_seconds(self.approval_seconds))

    @property
    def holds_back(self) -> bool:
        """Whether an answer may come out otherwise than it came in."""
        return self.while_tainted in ("confirm", "deny")

    def is_trusted(self, tool: str | None) -> bool:
        """Whether the results of a tool count as the user's own words."""
        return tool is not None and _matches(tool, self.trusted)

    def is_consequential(self, tool: str) -> bool:
        """Whether a call of the tool does something."""
        if _matches(tool, self.consequential):
            return True
        return not _matches(tool, self.harmless) and acts(tool)


@dataclass(frozen=True, slots=True)
class Wish:
    """A call of a tool that the model has asked for; `input` is what it would be called with."""

    tool: str
    input: object


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a call is not seen to be the user's wish; `what` is the argument that it is about, if it is about one."""

    code: Code
    what: str = ""


@dataclass(frozen=True, slots=True)
class Taint:
    """A conversation as far as it has gone; all of it is read from what the client sends again with every turn."""

    own: str
    """The words of user and operator, and of tools that are trusted, in small letters."""
    wished: str
    """Those of the user alone: what an operator lets a model do is not yet somebody's wish."""
    told: tuple[str, ...]
    """All other texts, in small letters, in all the readings in which they make sense."""
    described: tuple[str, ...]
    """What the tools on offer say of themselves, read in the same way."""
    level: Level
    own_places: frozenset[Destination] = field(default=frozenset())
    told_places: frozenset[Destination] = field(default=frozenset())
    trust: Trust = field(default_factory=Trust)
    """The hosts of the user and operator, and all addresses that were ever written out."""

    def tells(self, text: str) -> bool:
        """Whether these words stand in a text from elsewhere, and in none of the user's."""
        return _holds(self.told, text) and not _holds((self.own,), text)

    def describes(self, text: str) -> bool:
        """Whether these words stand in what a tool says of itself, and in none of the user's."""
        return _holds(self.described, text) and not _holds((self.own,), text)

    def is_own_place(self, text: str) -> bool:
        """Whether this is a place that the user has named, spelled in whatever way, or on a host of his."""
        name, places = plain(text), destinations(text) or {Destination("host", text.strip().lower())}
        is_spelled = any(name == plain(place.name) for place in self.own_places)
        return is_spelled or all(map(self.has_part, places))

    def has_part(self, place: Destination) -> bool:
        """Whether a place is the user's, or a host that is a part of one that he has named."""
        labels = place.name.split(".") if place.kind == "host" else []
        is_part = any(".".join(labels[at:]) in self.trust.trusted for at in range(len(labels)))
        return is_part or place in self.own_places


def is_untrusted(told: Told, config: TaintConfig) -> bool:
    """Whether nobody has vouched for a text."""
    return not config.is_trusted(told.tool)


def taint_of(
    source: Provenance, config: TaintConfig, flags: Callable[[str], bool], further: Sequence[str] = ()
) -> Taint:
    """What is known of a conversation; `flags` says which texts are attacks, `further` are more of them."""
    untrusted = [told.text for told in source.told if is_untrusted(told, config)] + [*further]
    vouched = [told.text for told in source.told if not is_untrusted(told, config)]
    own = "\n".join((*source.system, *source.user, *vouched))
    told, described = [*map(_read, untrusted)], [*map(_read, source.descriptions)]
    level: Level = "none" if not untrusted else "flagged" if any(map(flags, untrusted)) else "present"
    return Taint(
        own=_small(own),
        wished=_small("\n".join(source.user)),
        told=tuple(reading for one in told for reading in one.readings),
        described=tuple(reading for one in described for reading in one.readings),
        level=level,
        own_places=destinations(own),
        trust=Trust(trusted=hosts_in(own), said=(own, *untrusted)),
        told_places=frozenset[Destination]().union(*(one.places for one in (*told, *described))),
    )


def may_matter(tool: str, source: bytes, config: TaintConfig) -> bool:
    """Whether it is worth while to look through a conversation for the sake of this call."""
    return config.is_consequential(tool) or b"//" in source or b"\\/" in source


def doubt(wish: Wish, taint: Taint, config: TaintConfig) -> Doubt | None:
    """Why a call should not be made without asking; `None` if it does no harm, or is the user's own wish."""
    given = arguments(wish.tool, wish.input)
    if not config.is_consequential(wish.tool):
        return _carried_away(given, taint)
    if taint.level == "flagged":
        return Doubt("flagged")
    if (found := _described(given, taint)) is not None or taint.level == "none":
        return found
    for argument in given:
        found = _of_argument(argument, taint) or _invented(wish.tool, argument, taint)
        if found is not None:
            return found
    return _of_tool(wish, given, taint)


def _carried_away(given: Sequence[Argument], taint: Taint) -> Doubt | None:
    """A tool that only reads can still tell a stranger something: by the address that it is to read.

    It is fetched without a click, like a picture; an address that was written out somewhere tells nothing new.
    """
    for argument in given:
        if taint.level != "none" and find_egress(f"![]({argument.text.strip()})", lambda: taint.trust):
            return Doubt("destination", argument.name)
    return None


def _described(given: Sequence[Argument], taint: Taint) -> Doubt | None:
    """What tools say of themselves may name no destination either."""
    for argument in given:
        strange = (destinations(argument.text) - taint.own_places) & taint.told_places
        is_place = argument.role == "target" and _PLACE.search(argument.text) is not None
        if argument.role in ("target", "command", "plain") and (
            strange or (is_place and taint.describes(_small(argument.text)))
        ):
            return Doubt("destination", argument.name)
    return None


def _of_argument(argument: Argument, taint: Taint) -> Doubt | None:
    if _leads_astray(argument, taint):
        return Doubt("destination", argument.name)
    small = _small(argument.text)
    match argument.role:
        case "target" if _is_told(argument, small, taint):
            return Doubt("destination", argument.name)
        case "amount" if taint.tells(small):
            return Doubt("amount", argument.name)
        case "command" if any(taint.tells(line) for line in _lines(argument.text)):
            return Doubt("command", argument.name)
        case "content" | "plain" if len(small) >= _SHORTEST_COPY and taint.tells(small):
            return Doubt("verbatim", argument.name)
        case _:
            return None


def _invented(tool: str, argument: Argument, taint: Taint) -> Doubt | None:
    """A place that nobody has named is one that a disguised text may have named, unless something is made there."""
    if argument.role != "target" or makes(tool) or not _PLACE.search(argument.text):
        return None
    small = _small(argument.text)
    names = {small, small.rstrip("/").rpartition("/")[2]}
    is_own = taint.is_own_place(argument.text) or any(name and _holds((taint.own,), name) for name in names)
    return None if is_own else Doubt("unasked", argument.name)


def _is_told(argument: Argument, small: str, taint: Taint) -> bool:
    """Whether what an action is aimed at was named elsewhere first: as it stands, or the last part of a path."""
    names = {small, small.rpartition("/")[2]} - {""}
    return any(map(taint.tells, names)) and not taint.is_own_place(argument.text)


def _leads_astray(argument: Argument, taint: Taint) -> bool:
    """Whether it goes to a place that the user has not named.

    What an action is aimed at must be a place of the user's own. What it carries may name others, as long as
    they are no links and accounts from elsewhere: a summary of a mail names its sender.
    """
    if argument.role == "quoted":
        return False
    strange = destinations(argument.text) - taint.own_places
    if argument.role == "content":
        return any(place.kind in ("host", "account", "wallet") for place in strange & taint.told_places)
    if argument.role == "command":
        return bool(strange & taint.told_places)
    return not all(taint.has_part(place) for place in strange)


def _of_tool(wish: Wish, given: Sequence[Argument], taint: Taint) -> Doubt | None:
    """Whether a text from elsewhere asks for this tool, and whether the user does."""
    steering = [argument for argument in given if argument.role != "content"]
    is_asked = is_asked_for(wish.tool, taint.wished)
    # What takes no argument shows no wish of its own: the user must have said what the tool is called.
    is_said = bool(steering) or all(word in taint.wished for word in words_of(wish.tool))
    if not (is_asked and is_said) and any(_names(told, wish.tool) for told in taint.told):
        return Doubt("named")
    if is_asked or any(_is_grounded(argument, taint) for argument in steering):
        return None
    return Doubt("unasked")


def _names(told: str, tool: str) -> bool:
    """Whether a text names a tool, or says all the words of its name close to each other."""
    if tool.lower() in told:
        return True
    words = words_of(tool)
    if len(words) < 2:
        return False
    at = told.find(words[0])
    while at >= 0:
        if all(word in told[max(0, at - _NEAR) : at + _NEAR] for word in words):
            return True
        at = told.find(words[0], at + 1)
    return False


def _is_grounded(argument: Argument, taint: Taint) -> bool:
    """Whether the user has said a word of this."""
    return any(
        len(word) >= 3 and word in taint.wished for word in _small(argument.text).replace("/", " ").split()
    )


def _lines(command: str) -> list[str]:
    """The single steps of a command."""
    for mark in (";", "&&", "||", "|"):
        command = command.replace(mark, "\n")
    return [line for line in map(_small, command.splitlines()) if len(line) >= _SHORTEST_LINE]


@dataclass(frozen=True, slots=True)
class _Read:
    """A text in small letters, in each of its readings, and the places that they name."""

    readings: tuple[str, ...]
    places: frozenset[Destination]


def _read(text: str) -> _Read:
    """A text as it stands and, of its beginning, whatever could be decoded there."""
    if len(text) <= MOST_DECODED:
        return _recalled(text)
    start = _recalled(text[:MOST_DECODED])
    return _Read((_small(text), *start.readings), start.places | destinations(text))


@lru_cache(maxsize=128)
def _recalled(text: str) -> _Read:
    """The same of a text that is not too long, kept for a while: clients send it again with every turn."""
    readings = [view.text for view in views(text)]
    places = frozenset[Destination]().union(*map(destinations, readings))
    return _Read(tuple(dict.fromkeys(map(_small, readings))), places)


def _holds(texts: Sequence[str], words: str) -> bool:
    """Whether the words stand in one of the texts, and not as a part of others."""
    whole = re.compile(rf"(?<![a-z0-9]){re.escape(words)}(?![a-z0-9])")
    return any(words in text and whole.search(text) for text in texts)


def _small(text: str) -> str:
    return _THOUSANDS.sub("", " ".join(text.lower().split()))


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _approval_seconds(seconds: int) -> Sentence:
    return Sentence(
        f"approval_seconds: {seconds} is not between 10 and 86,400; a person needs time to read, and an approval "
        "must end",
        ko=f"approval_seconds: {seconds}초는 10~86,400초 범위를 벗어납니다. 사람이 읽을 시간이 필요하고, 승인은 "
        "언젠가 끝나야 합니다",
    )
