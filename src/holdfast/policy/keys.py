"""Keys of holdfast: how one is written, told apart from a slip of the keyboard, and known again without being kept.

A key is `hf_live_`, 32 random bytes in base 62, and six letters that only fit these bytes. It is shown once;
what is kept is its HMAC-SHA256 under a pepper that does not lie in the database, so that a copy of the
database opens nothing.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from hmac import compare_digest, new
from typing import Annotated, Literal, get_args
from zlib import crc32

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.quota import QuotaConfig

PREFIX = "hf_live_"
TOKEN_BYTES = 32
LONGEST_NAME = 80
"""Characters of a name."""

KeyScope = Literal["messages", "admin:read", "admin:write"]
SCOPES: tuple[KeyScope, ...] = get_args(KeyScope)
KeyFault = Literal["mistyped", "unknown", "expired", "revoked"]
"""Why a key opens nothing; `mistyped` is one that was never made."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment that says how far from UTC it is: no other can be compared with now."""

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY, _CHECK, _SHOWN = 43, 6, 4
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_BODY + _CHECK}}}")
_STRANGE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The key that a new one takes the place of, and the moment from which the old one opens nothing any more."""

    id: str
    until: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How much a key may be used for; `None` sets no limit. Raises `ConfigError` for what is no limit.

    Attributes:
        rpm: requests a minute.
        tpm: input tokens a minute, and as many output tokens.
        usd_per_day: dollars a day, by the clock of UTC.
    """

    rpm: int | None = None
    tpm: int | None = None
    usd_per_day: Decimal | None = None

    def __post_init__(self) -> None:
        for name in ("rpm", "tpm", "usd_per_day"):
            value = getattr(self, name)
            if value is not None and (Decimal(value).is_nan() or value <= 0):
                raise ConfigError(
                    Sentence(
                        f"{name}: write a number above 0, or leave it out for no limit",
                        ko=f"{name}: 0보다 큰 수를 적거나, 한도가 없으면 생략하세요",
                    )
                )

        # What nobody could count is refused here, and not when the key is used.
        self.quotas("")
        self.budgets("")

    def quotas(self, name: str, *, workers: int = 1) -> Mapping[str, QuotaConfig]:
        """What a key of that name may ask for in a minute, of one of so many workers that count apart."""
        if self.rpm is None and self.tpm is None:
            return {}
        rpm, tpm = (None if limit is None else -(-limit // workers) for limit in (self.rpm, self.tpm))
        config = QuotaConfig(requests=rpm, input_tokens=tpm, output_tokens=tpm, per=60.0, scope="key")
        return {f"key {name}": config}

    def budgets(self, name: str) -> Mapping[str, BudgetConfig]:
        """What a key of that name may spend."""
        if self.usd_per_day is None:
            return {}
        return {f"key {name}": BudgetConfig(usd=self.usd_per_day, per="day", scope="key")}


NO_KEY_LIMITS = KeyLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is kept of a key; raises `ConfigError` for one that makes no sense.

    Attributes:
        id: `key_...`; says nothing about the key itself.
        name: whose key it is: what the ledger, budgets and stops call its calls by.
        hash: HMAC-SHA256 of the key, in hex.
        prefix: the first letters behind `hf_live_`, to tell keys apart by eye.
        rotates: the key that this one follows.
        scopes: what it may be used for.
        user: whose calls all of its calls are; `None` leaves it to the caller to say.
        models: the only models it may ask for; empty for all.
        tags: what its calls are tagged with.
        limits: how much it may be used for; a key that follows another counts on.
    """

    id: str
    name: str
    hash: str
    prefix: str
    created_at: Moment
    expires_at: Moment | None = None
    revoked_at: Moment | None = None
    rotates: Rotation | None = None
    scopes: tuple[KeyScope, ...] = ("messages",)
    user: str | None = None
    models: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    limits: KeyLimits = NO_KEY_LIMITS

    def __post_init__(self) -> None:
        _check_name(self.name)
        if not self.scopes or not set(self.scopes) <= set(SCOPES):
            raise ConfigError(
                Sentence(
                    f"scopes: write at least one of {', '.join(SCOPES)}",
                    ko=f"scopes: {', '.join(SCOPES)} 중에서 하나 이상 적으세요",
                )
            )
        if self.expires_at is not None and self.expires_at <= self.created_at:
            raise ConfigError(
                Sentence(
                    "expires_at: a key must expire after it was made; write a later moment",
                    ko="expires_at: 키는 만든 시각보다 뒤에 만료되어야 합니다. 더 늦은 시각을 적으세요",
                )
            )

    def may_ask_for(self, model: str) -> bool:
        """Whether it may be used for a model."""
        return not self.models or model in self.models


def minted(token: bytes) -> str:
    """The key that 32 random bytes make."""
    if len(token) != TOKEN_BYTES:
        raise ValueError(f"a key is made of {TOKEN_BYTES} random bytes, not of {len(token)}")
    body = _in_letters(int.from_bytes(token), _BODY)
    return f"{PREFIX}{body}{_check_letters(body)}"


def is_whole(key: str) -> bool:
    """Whether a text can be a key of ours: the right letters, so many of them, and the last six fit the others."""
    if _SHAPE.fullmatch(key) is None:
        return False
    body = key[len(PREFIX) : -_CHECK]
    return key.endswith(_check_letters(body))


def hashed(key: str, pepper: bytes) -> str:
    """What is kept of a key."""
    return new(pepper, key.encode(), sha256).hexdigest()


def shown(key: str) -> str:
    """The letters of a key that tell it apart by eye and give nothing away."""
    return key[len(PREFIX) : len(PREFIX) + _SHOWN]


def verify(
    presented: str, records: Iterable[KeyRecord], pepper: bytes, now: datetime
) -> KeyRecord | KeyFault:
    """The record of a key, or why it opens nothing; how long this takes tells nothing about the keys that exist."""
    if not is_whole(presented):
        return "mistyped" if presented.startswith(PREFIX) else "unknown"
    records = tuple(records)
    digest = hashed(presented, pepper).encode()
    found: KeyRecord | None = None
    for record in records:
        if compare_digest(record.hash.encode(), digest):
            found = record
    return "unknown" if found is None else standing(found, records, now)


def standing(record: KeyRecord, records: Iterable[KeyRecord], now: datetime) -> KeyRecord | KeyFault:
    """The record while its key is good, else why it is not; `records` tell what has taken its place."""
    if record.revoked_at is not None:
        return "revoked"
    end = ends_at(record, records)
    return record if end is None or now < end else "expired"


def ends_at(record: KeyRecord, records: Iterable[KeyRecord]) -> datetime | None:
    """When a key ends by itself or by what has taken its place; `None` never."""
    ends = [one.rotates.until for one in records if one.rotates is not None and one.rotates.id == record.id]
    return min((end for end in (record.expires_at, *ends) if end is not None), default=None)


def encoded(record: KeyRecord) -> bytes:
    """A record as a document of the register."""
    return msgspec.json.encode(record)


_decode = msgspec.json.Decoder(KeyRecord).decode


def decoded(body: bytes) -> KeyRecord:
    """The record that a document says; raises `ConfigError` for what is none."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"A key cannot be read: {error}. Revoke it with `holdfast keys revoke`, and create another.",
                ko=f"키 기록을 읽을 수 없습니다: {error}. `holdfast keys revoke`로 폐기하고 새로 만드세요.",
            )
        ) from error


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or _STRANGE.search(name):
        raise ConfigError(
            Sentence(
                f"name: say whose key it is, in 1 to {LONGEST_NAME} characters on one line",
                ko=f"name: 누구의 키인지 한 줄, 1~{LONGEST_NAME}자로 적으세요",
            )
        )


def _check_letters(body: str) -> str:
    return _in_letters(crc32(body.encode()), _CHECK)


def _in_letters(number: int, width: int) -> str:
    letters: list[str] = []
    for _ in range(width):
        number, digit = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[digit])
    return "".join(reversed(letters))
