"""Whose files, skills and batches these are: upstream they all belong to one key, ours."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from holdfast.gateway.identity import Visitor
from holdfast.gateway.refusals import NotFound
from holdfast.gateway.resources import Family, Resource
from holdfast.language import Sentence
from holdfast.ports import Store

KIND: Mapping[Family, str] = {"batches": "batch", "files": "file", "skills": "skill"}
"""What each family is called in the register."""


class Owners:
    """Remembers, in the register, which key of ours made what; without keys everything is everybody's."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def expect(self, visitor: Visitor, resource: Resource) -> None:
        """Raise `NotFound` for what another key made, and for what nobody knows of. Raises `StoreUnavailable`."""
        kind = KIND.get(resource.family)
        if visitor.record is None or kind is None or resource.name is None or _is_public(resource):
            return
        if (await self._owners(kind)).get(resource.name) != visitor.record.name:
            raise _not_found(resource.path)

    async def expect_named(self, visitor: Visitor, body: bytes) -> None:
        """Raise `NotFound` for a body that names what another key made: its reader would get to see it.

        What nobody is known to have made passes: code that ran upstream makes files, too. Raises `StoreUnavailable`.
        """
        named = None if visitor.record is None else _named(body)
        if visitor.record is None or not named:
            return
        for kind in sorted({name.partition("_")[0] for name in named}):
            owners = await self._owners(kind)
            for name in named & owners.keys():
                if owners[name] != visitor.record.name:
                    raise _not_found(name)

    async def made(self, visitor: Visitor, resource: Resource, answer: bytes) -> None:
        """Take note of what a key has made, as the answer tells. Raises `StoreUnavailable`."""
        name, kind = _id(answer), KIND.get(resource.family)
        if visitor.record is None or kind is None or name is None:
            return
        owner = msgspec.json.encode({"key": visitor.record.name})
        await self._store.put(kind, name, owner, actor=f"key:{visitor.record.name}", note="made")

    async def gone(self, visitor: Visitor, resource: Resource) -> None:
        """Forget what has been deleted. Raises `StoreUnavailable`."""
        kind = KIND.get(resource.family)
        if kind is not None and resource.name is not None:
            who = "local" if visitor.record is None else visitor.record.name
            await self._store.drop(kind, resource.name, actor=f"key:{who}", note="deleted")

    async def own(self, visitor: Visitor, resource: Resource, answer: bytes) -> bytes:
        """A list without what other keys made; pages stay where they are. Raises `StoreUnavailable`."""
        kind = KIND.get(resource.family)
        if visitor.record is None or kind is None:
            return answer
        try:
            document = _decode_page(answer)
            rows = _decode_rows(document["data"])
        except (msgspec.MsgspecError, UnicodeDecodeError, KeyError):
            return answer
        owners, name = await self._owners(kind), visitor.record.name
        kept = [row for row in rows if _is_of(row, owners, name)]
        return msgspec.json.encode({**document, **_ends(document, kept), "data": kept})

    async def _owners(self, kind: str) -> dict[str, str | None]:
        entries = await self._store.entries(kind)
        return {entry.name: _decode_owner(entry.body).key for entry in entries}


class _Row(msgspec.Struct):
    id: str | None = None
    source: str | None = None


class _Owner(msgspec.Struct):
    key: str | None = None


_ENDS = {"first_id": 0, "last_id": -1}
_NAME = re.compile(rb"(?:file|skill)_[0-9A-Za-z]{16,}")
"""Ids as the API gives them out; names of members such as `file_path` are none."""
_ESCAPED = re.compile(rb"\\u00([0-7][0-9a-fA-F])")

_decode_page = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_rows = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_row = msgspec.json.Decoder(_Row).decode
_decode_owner = msgspec.json.Decoder(_Owner).decode


def _ends(document: Mapping[str, msgspec.Raw], kept: Sequence[msgspec.Raw]) -> dict[str, str | None]:
    """Where a page begins and ends for whoever sees these rows of it: the ids of others are nobody else's business.

    A page without a row of his is turned by what the upstream says, or nobody would get to the next one.
    """
    ends = [member for member in _ENDS if member in document]
    if not kept and bytes(document.get("has_more", b"")) == b"true":
        return {}
    ids = [_decode_row(row).id for row in kept] or [None]
    return {member: ids[_ENDS[member]] for member in ends}


def _is_of(row: msgspec.Raw, owners: Mapping[str, str | None], name: str) -> bool:
    """Whether a row of a list is of that key; what Anthropic made is everybody's."""
    found = _decode_row(row)
    return found.source == "anthropic" or (found.id is not None and owners.get(found.id) == name)


def _is_public(resource: Resource) -> bool:
    """Skills that Anthropic made are everybody's; only those of callers have ids of this kind."""
    return resource.family == "skills" and not (resource.name or "").startswith("skill_")


def _id(answer: bytes) -> str | None:
    try:
        return _decode_row(answer).id
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _named(body: bytes) -> frozenset[str]:
    """Whatever in a body may be the id of a file or skill, however it is written there."""
    plain = _ESCAPED.sub(lambda found: bytes((int(found[1], 16),)), body) if b"\\u" in body else body
    return frozenset(found.decode() for found in _NAME.findall(plain))


def _not_found(what: str) -> NotFound:
    shown = what[:200]
    return NotFound(
        Sentence(
            f"There is no {shown} that this key has made. Check the id.",
            ko=f"이 키로 만든 것 중에 {shown}은(는) 없습니다. id를 확인하세요.",
        )
    )
