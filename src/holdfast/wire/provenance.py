"""Who has said what in a conversation: its operator and its user in their own words, or a tool, a page, a file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import msgspec

from holdfast.wire.members import Document, objects, word
from holdfast.wire.place import Path

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_SILENT = frozenset(
    {"type", "id", "tool_use_id", "signature", "media_type", "cache_control", "citations", "file_id"}
)
_RESULT = "_result"
"""What the types of all blocks end with that hold the result of a tool, also of those that the API runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A text that came from elsewhere, and where it stands in the body.

    `tool` is the tool of the client whose result holds it; `None` for documents and for tools that the API runs.
    """

    text: str
    tool: str | None
    path: Path

    @property
    def may_be_fenced(self) -> bool:
        """Whether it is plain text of a result that the client sends: nothing cites or signs it."""
        return self.tool is not None and self.path[-1] in ("content", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The texts of a request by their source, each in the order in which the model reads them.

    Attributes:
        system: of the operator: the system prompt, and messages of that role.
        user: of the user himself.
        told: of tools and documents.
        descriptions: of the tools on offer, with all that their schemas say.
        opening: what the user said first, which stays the same as long as the conversation does.
    """

    system: tuple[str, ...] = ()
    user: tuple[str, ...] = ()
    told: tuple[Told, ...] = ()
    descriptions: tuple[str, ...] = ()
    opening: str = ""


def read_provenance(body: bytes) -> Provenance:
    """Every text of a request that is not the model's; a body that makes no sense has none."""
    try:
        document = msgspec.json.decode(body, type=dict[str, object])
    except _UNREADABLE:
        return Provenance()
    reading = _Reading(system=[text for text, _ in _texts(document.get("system"), ())])
    messages: object = document.get("messages")
    for place, message in enumerate(cast("list[object]", messages) if isinstance(messages, list) else ()):
        if isinstance(message, dict):
            reading.take(cast("Document", message), ("messages", place, "content"))
    return Provenance(
        system=tuple(reading.system),
        user=tuple(reading.user),
        told=tuple(reading.told),
        descriptions=tuple(text for tool in objects(document.get("tools")) for text, _ in _texts(tool, ())),
        opening=reading.opening or "",
    )


def texts_of_result(block: object) -> tuple[str, ...]:
    """What a block of an answer holds if it is the result of a tool that the API has run."""
    if not (word(block, "type") or "").endswith(_RESULT):
        return ()
    return tuple(text for text, _ in _texts(block, ()))


@dataclass(slots=True)
class _Reading:
    """The messages read so far; `names` are the tools behind the calls in them."""

    system: list[str]
    user: list[str] = field(default_factory=list[str])
    told: list[Told] = field(default_factory=list[Told])
    names: dict[str, str] = field(default_factory=dict[str, str])
    opening: str | None = None

    def take(self, message: Document, path: Path) -> None:
        content: object = message.get("content")
        role = message.get("role")
        before = len(self.user)
        blocks = [content] if isinstance(content, str) else content
        for number, block in enumerate(cast("list[object]", blocks) if isinstance(blocks, list) else ()):
            place = path if isinstance(content, str) else (*path, number)
            match role:
                case "assistant":
                    self._of_the_model(block, place)
                case "system":
                    self.system += [text for text, _ in _texts(block, ())]
                case _:
                    self._of_the_caller(block, place)
        if role == "user" and self.opening is None:
            self.opening = "\n".join(self.user[before:])

    def _of_the_model(self, block: object, path: Path) -> None:
        kind = word(block, "type") or ""
        if kind == "tool_use":
            self.names[word(block, "id") or ""] = word(block, "name") or ""
        elif kind.endswith(_RESULT):
            self._hear(block, path, None)

    def _of_the_caller(self, block: object, path: Path) -> None:
        if isinstance(block, str):
            self.user.append(block)
        elif word(block, "type") == "text":
            self.user.append(word(block, "text") or "")
        else:
            is_answer = word(block, "type") == "tool_result"
            self._hear(
                block, path, self.names.get(word(block, "tool_use_id") or "", "") if is_answer else None
            )

    def _hear(self, block: object, path: Path, tool: str | None) -> None:
        self.told += [Told(text=text, tool=tool, path=place) for text, place in _texts(block, path)]


def _texts(value: object, path: Path) -> Iterator[tuple[str, Path]]:
    """Every text below a value with its place; names, signatures and encoded data are none."""
    waiting: list[tuple[object, Path]] = [(value, path)]
    while waiting:
        found, place = waiting.pop()
        if isinstance(found, str):
            if found:
                yield found, place
        elif isinstance(found, list):
            items = cast("list[object]", found)
            waiting += [(item, (*place, number)) for number, item in enumerate(items)][::-1]
        elif isinstance(found, dict):
            members = cast("Document", found)
            if members.get("type") != "base64":
                inside = [(held, (*place, name)) for name, held in members.items() if name not in _SILENT]
                waiting += inside[::-1]
