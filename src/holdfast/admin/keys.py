"""Keys of callers over the Admin API."""

from holdfast.admin.lengths import length
from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_name, page
from holdfast.admin.refusals import missing
from holdfast.admin.shapes import (
    Ended,
    Key,
    KeyBody,
    KeyLimit,
    NewKey,
    NoBody,
    NoteBody,
    Page,
    PageQuery,
    Query,
    RotateBody,
)
from holdfast.language import Sentence
from holdfast.operations import keys
from holdfast.operations.desk import Desk, instant
from holdfast.orders import KEY
from holdfast.policy.keys import KeyLimits
from holdfast.policy.money import exact

PATH = "/api/v1/keys"


async def list_keys(asked: Asked[PageQuery, NoBody]) -> object:
    """Every key there ever was, oldest first."""
    rows, following = by_name(await keys.keys(asked.desk), _place, asked.query)
    return page((keys.key_facts(one) for one in rows), following)


async def create_key(asked: Asked[Query, KeyBody]) -> object:
    """Make a key, and show it this once."""
    body = asked.body
    wanted = keys.NewKey(
        name=body.name,
        lifetime=None if body.expires_in is None else length("expires_in", body.expires_in),
        scopes=tuple(body.scopes),
        user=body.user,
        models=tuple(body.models),
        tags=body.tags,
        limits=_limits(body.limits),
    )
    return _handed_over(await keys.create(asked.desk, wanted))


async def rotate_key(asked: Asked[Query, RotateBody]) -> object:
    """Make the key that takes the place of another, and show it this once."""
    which = asked.names["id"]
    await _expect(asked.desk, which)
    overlap = length("overlap", asked.body.overlap)
    return _handed_over(await keys.rotate(asked.desk, which, overlap=overlap))


async def revoke_key(asked: Asked[Query, NoteBody]) -> object:
    """End a key for good."""
    which = asked.names["id"]
    await _expect(asked.desk, which)
    record = await keys.revoke(asked.desk, which, note=asked.body.note)
    if record is None:
        return {"id": which, "name": None, "state": "deleted", "revoked_at": None}
    at = instant(record.revoked_at)
    return {"id": record.id, "name": record.name, "state": "revoked", "revoked_at": at}


def _limits(said: KeyLimit) -> KeyLimits:
    usd = None if said.usd_per_day is None else exact(said.usd_per_day, name="limits.usd_per_day")
    return KeyLimits(rpm=said.rpm, tpm=said.tpm, usd_per_day=usd)


def _place(one: keys.Standing) -> str:
    return f"{one.record.created_at.isoformat()} {one.record.id}"


def _handed_over(issued: keys.Issued) -> object:
    standing = keys.Standing(record=issued.record, state="good", ends_at=issued.record.expires_at)
    return {**keys.key_facts(standing), "key": issued.secret}


async def _expect(desk: Desk, which: str) -> None:
    known = {name for one in await keys.keys(desk) for name in (one.record.id, one.record.name)}
    if which not in known and all(entry.name != which for entry in await desk.store.entries(KEY)):
        raise missing(Sentence(f"key `{which}`", ko=f"`{which}` 키를"))


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="listKeys",
        summary="List the keys, oldest first; nothing in the list opens anything",
        work=list_keys,
        gives=Page[Key],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=PATH,
        name="createKey",
        summary="Make a key, and show it this once",
        work=create_key,
        gives=NewKey,
        query=Query,
        body=KeyBody,
        status=201,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{id}}/rotate",
        name="rotateKey",
        summary="Make the key that takes the place of another, and show it this once; `id` may be a name",
        work=rotate_key,
        gives=NewKey,
        query=Query,
        body=RotateBody,
        status=201,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/{{id}}/revoke",
        name="revokeKey",
        summary="End a key for good; `id` may be a name",
        work=revoke_key,
        gives=Ended,
        query=Query,
        body=NoteBody,
    ),
)
