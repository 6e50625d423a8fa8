"""Keys for callers: made, listed, rotated and revoked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, after, instant, readable
from holdfast.operations.pepper import pepper
from holdfast.orders import KEY
from holdfast.policy.keys import (
    NO_KEY_LIMITS,
    TOKEN_BYTES,
    KeyLimits,
    KeyRecord,
    KeyScope,
    Rotation,
    decoded,
    encoded,
    ends_at,
    hashed,
    minted,
    shown,
    standing,
)

ID_BYTES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """What a key shall be like; the members mean what those of `KeyRecord` do."""

    name: str
    lifetime: timedelta | None = None
    scopes: tuple[KeyScope, ...] = ("messages",)
    user: str | None = None
    models: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: KeyLimits = NO_KEY_LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new key and what is kept of it; `secret` is seen here and never again."""

    record: KeyRecord
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A key as it stands: `good`, `expired` or `revoked`, and when it ends by itself."""

    record: KeyRecord
    state: str
    ends_at: datetime | None


async def create(desk: Desk, wanted: NewKey) -> Issued:
    """Make a key; raises `ConfigError` for a name that a good key has, since they would share budgets unseen."""
    if any(one.record.name == wanted.name and one.state == "good" for one in await keys(desk)):
        raise ConfigError(
            Sentence(
                f"There is a key `{wanted.name}` already: take another name, or renew it with "
                f"`holdfast keys rotate {wanted.name}`",
                ko=f"`{wanted.name}` 키가 이미 있습니다. 다른 이름을 쓰거나 `holdfast keys rotate {wanted.name}`로 교체하세요",
            )
        )
    record = KeyRecord(
        id=f"key_{desk.random(ID_BYTES).hex()}",
        name=wanted.name,
        hash="",
        prefix="",
        created_at=desk.now.replace(microsecond=0),
        expires_at=after(desk, wanted.lifetime),
        scopes=wanted.scopes,
        user=wanted.user,
        models=wanted.models,
        tags=wanted.tags,
        limits=wanted.limits,
    )
    return await _issue(desk, record, f"create {wanted.name}")


async def rotate(desk: Desk, which: str, *, overlap: timedelta) -> Issued:
    """Make the key that takes the place of another, which opens for `overlap` longer and then nothing any more.

    `which` is the id or the name of a good key. Raises `ConfigError` for any other.
    """
    old = await _good(desk, which)
    now = desk.now.replace(microsecond=0)
    age = None if old.expires_at is None else old.expires_at - old.created_at
    record = replace(
        old,
        id=f"key_{desk.random(ID_BYTES).hex()}",
        created_at=now,
        expires_at=None if age is None else now + age,
        rotates=Rotation(id=old.id, until=now + overlap),
    )
    return await _issue(desk, record, f"rotate {old.id}")


async def revoke(desk: Desk, which: str, *, note: str = "") -> KeyRecord | None:
    """End a key for good, while what it was for is kept; raises `ConfigError` where no key is meant.

    A document of that name that cannot be read opens nothing as it is, and is deleted: `None`.
    """
    entries = await desk.store.entries(KEY)
    if any(entry.name == which and readable(desk, entry, decoded) is None for entry in entries):
        await desk.store.drop(KEY, which, actor=desk.actor, note="unreadable")
        return None
    for one in await keys(desk):
        if one.record.id == which and one.record.revoked_at is not None:
            return one.record
    record = replace(await _good(desk, which, or_expired=True), revoked_at=desk.now.replace(microsecond=0))
    await desk.store.put(KEY, record.id, encoded(record), actor=desk.actor, note=f"revoke {note}".strip())
    return record


async def keys(desk: Desk) -> tuple[Standing, ...]:
    """Every key there ever was, oldest first; those that cannot be read are reported."""
    found = [readable(desk, entry, decoded) for entry in await desk.store.entries(KEY)]
    records = sorted((one for one in found if one is not None), key=lambda one: (one.created_at, one.id))
    return tuple(_standing(record, records, desk.now) for record in records)


def key_facts(key: Standing) -> dict[str, object]:
    """A key as plain data for JSON; nothing in it opens anything."""
    record = key.record
    return {
        "id": record.id,
        "name": record.name,
        "prefix": record.prefix,
        "state": key.state,
        "scopes": list(record.scopes),
        "user": record.user,
        "models": list(record.models),
        "tags": dict(record.tags),
        "limits": {
            "rpm": record.limits.rpm,
            "tpm": record.limits.tpm,
            "usd_per_day": None if record.limits.usd_per_day is None else f"{record.limits.usd_per_day:f}",
        },
        "created_at": instant(record.created_at),
        "ends_at": instant(key.ends_at),
        "revoked_at": instant(record.revoked_at),
        "rotates": None if record.rotates is None else record.rotates.id,
    }


async def _issue(desk: Desk, draft: KeyRecord, note: str) -> Issued:
    secret = minted(desk.random(TOKEN_BYTES))
    kept = hashed(secret, pepper(desk.settings.store_url, desk.report))
    record = replace(draft, hash=kept, prefix=shown(secret))
    await desk.store.put(KEY, record.id, encoded(record), actor=desk.actor, note=note)
    return Issued(record=record, secret=secret)


def _standing(record: KeyRecord, records: list[KeyRecord], now: datetime) -> Standing:
    found = standing(record, records, now)
    state = "good" if isinstance(found, KeyRecord) else found
    return Standing(record=record, state=state, ends_at=ends_at(record, records))


async def _good(desk: Desk, which: str, *, or_expired: bool = False) -> KeyRecord:
    states = ("good", "expired") if or_expired else ("good",)
    named = [one for one in await keys(desk) if which in (one.record.id, one.record.name)]
    found = [one.record for one in named if one.state in states]
    if len(found) == 1 or any(record.id == which for record in found):
        return next((record for record in found if record.id == which), found[0])
    if found:
        raise ConfigError(_several(which, found))
    raise ConfigError(_none(which, [one.state for one in named]))


def _several(which: str, found: list[KeyRecord]) -> Sentence:
    ids = ", ".join(f"{record.id} ({record.prefix}...)" for record in found)
    return Sentence(
        f"`{which}` is the name of {len(found)} keys: say which by its id: {ids}",
        ko=f"`{which}` 이름의 키가 {len(found)}개 있습니다. 아이디로 지정하세요: {ids}",
    )


def _none(which: str, states: list[str]) -> Sentence:
    if states:
        return Sentence(
            f"The key `{which}` is {states[-1]}; make a new one with `holdfast keys create NAME`",
            ko=f"`{which}` 키는 더 이상 쓸 수 없습니다({states[-1]}). `holdfast keys create 이름`으로 새로 만드세요",
        )
    return Sentence(
        f"There is no key `{which}`; `holdfast keys list` shows them all",
        ko=f"`{which}` 키가 없습니다. `holdfast keys list`로 전체 목록을 볼 수 있습니다",
    )
