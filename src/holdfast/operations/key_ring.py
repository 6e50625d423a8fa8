"""The key ring: who a request comes from, by the key it carries."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from hmac import compare_digest

from holdfast.clock import Clock
from holdfast.errors import ConfigError, NotAllowed, Unauthenticated
from holdfast.language import Sentence
from holdfast.operations.desk import Report, unreported
from holdfast.operations.pepper import pepper
from holdfast.orders import KEY
from holdfast.policy.keys import (
    PREFIX,
    KeyFault,
    KeyRecord,
    KeyScope,
    decoded,
    ends_at,
    hashed,
    standing,
    verify,
)
from holdfast.ports import Entry
from holdfast.stores.watch import Watch
from holdfast.wire.headers import Headers, get

KEPT = 10_000
"""Keys that have opened and are known again without asking every record."""

BEARER = "bearer "


class KeyRing:
    """Knows every key, and opens for those that are good; safe from any thread.

    Give it what the watch knows of kind `key`; a change there takes effect with the next request. What it
    remembers of a key is a digest under a secret of this process.
    """

    def __init__(
        self,
        entries: Callable[[], tuple[Entry, ...]],
        *,
        pepper: bytes,
        clock: Clock,
        report: Report = unreported,
    ) -> None:
        self._entries = entries
        self._pepper = pepper
        self._clock = clock
        self._report = report
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._read: tuple[Entry, ...] | None = None
        self._records: tuple[KeyRecord, ...] = ()
        self._known: OrderedDict[bytes, KeyRecord] = OrderedDict()

    @property
    def is_required(self) -> bool:
        """Whether callers need a key: so it is from the first key on, even when all of them are revoked."""
        return bool(self._entries())

    def authenticate(self, headers: Headers, *, scope: KeyScope = "messages") -> KeyRecord:
        """The record of the key that a request carries, in `x-api-key` or as a bearer token.

        Raises `Unauthenticated` when it carries none that is good, `NotAllowed` when that is not for `scope`.
        """
        presented = _presented(headers)
        if presented is None:
            raise _missing()
        found = self._find(presented)
        if not isinstance(found, KeyRecord):
            raise _fault(found, self._end_of(presented) if found == "expired" else None)
        if scope not in found.scopes:
            raise _not_for(scope, found)
        return found

    def _find(self, presented: str) -> KeyRecord | KeyFault:
        digest = blake2b(presented.encode("utf-8", "surrogatepass"), key=self._secret).digest()
        now = self._clock.now()
        with self._lock:
            self._refresh()
            known, records = self._known.get(digest), self._records
        if known is not None:
            return standing(known, records, now)
        found = verify(presented, records, self._pepper, now)
        if isinstance(found, KeyRecord):
            self._remember(digest, found, records)
        return found

    def _remember(self, digest: bytes, record: KeyRecord, records: tuple[KeyRecord, ...]) -> None:
        with self._lock:
            if records is not self._records:
                return  # the keys have changed since it was looked for
            self._known[digest] = record
            while len(self._known) > KEPT:
                self._known.popitem(last=False)

    def _refresh(self) -> None:
        entries = self._entries()
        if entries is self._read:
            return
        self._read = entries
        self._records = tuple(record for entry in entries if (record := self._decoded(entry)) is not None)
        self._known.clear()

    def _decoded(self, entry: Entry) -> KeyRecord | None:
        try:
            return decoded(entry.body)
        except ConfigError as error:
            self._report(error.sentence)
            return None

    def _end_of(self, presented: str) -> datetime | None:
        kept, records = hashed(presented, self._pepper).encode(), self._records
        found = [record for record in records if compare_digest(record.hash.encode(), kept)]
        return ends_at(found[0], records) if found else None


def ring_of(watch: Watch, url: str, clock: Clock) -> Callable[[], KeyRing]:
    """The one key ring of all doors to a store, made when it is first asked for: so is the pepper, if need be.

    Raises `ConfigError`, each time until it can be read, for a pepper that cannot.
    """

    @cache
    def ring() -> KeyRing:
        return KeyRing(lambda: watch.entries(KEY), pepper=pepper(url), clock=clock)

    return ring


def _presented(headers: Headers) -> str | None:
    """The key of a request; where it carries two, the one that looks like ours."""
    bearer = get(headers, "authorization") or ""
    carried = [
        get(headers, "x-api-key"),
        bearer[len(BEARER) :].strip() if bearer.lower().startswith(BEARER) else None,
    ]
    keys = [key for key in carried if key]
    return next((key for key in keys if key.startswith(PREFIX)), keys[0] if keys else None)


def _missing() -> Unauthenticated:
    return Unauthenticated(
        Sentence(
            "This gateway wants a key of its own, and the request carries none. Send it as x-api-key or "
            "Authorization: Bearer; an operator makes one with `holdfast keys create NAME`.",
            ko="이 게이트웨이를 쓰려면 전용 키가 필요한데 요청에 키가 없습니다. x-api-key나 Authorization: Bearer로 보내세요. "
            "키는 운영자가 `holdfast keys create 이름`으로 만듭니다.",
        )
    )


def _fault(fault: KeyFault, end: datetime | None) -> Unauthenticated:
    sentence = FAULTS[fault]
    if end is not None:
        since = f"{end.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        sentence = Sentence(f"{sentence.en} It ended at {since}.", ko=f"{sentence.ko} 만료 시각: {since}")
    return Unauthenticated(sentence, details={"reason": fault})


FAULTS: Mapping[KeyFault, Sentence] = {
    "mistyped": Sentence(
        f"This key begins with {PREFIX}, yet it is no whole key: a letter is wrong or missing. Copy it anew.",
        ko=f"{PREFIX}로 시작하지만 온전한 키가 아닙니다. 글자가 틀리거나 빠졌으니 다시 복사하세요.",
    ),
    "unknown": Sentence(
        f"This gateway does not know the key. It wants one that begins with {PREFIX}; ask an operator.",
        ko=f"이 게이트웨이가 모르는 키입니다. {PREFIX}로 시작하는 키가 필요하니 운영자에게 요청하세요.",
    ),
    "expired": Sentence(
        "This key has expired. Take the one that follows it, or ask an operator.",
        ko="이 키는 만료되었습니다. 새 키로 바꾸거나 운영자에게 요청하세요.",
    ),
    "revoked": Sentence(
        "This key was revoked. Ask an operator for another.",
        ko="이 키는 폐기되었습니다. 운영자에게 새 키를 요청하세요.",
    ),
}


def _not_for(scope: KeyScope, record: KeyRecord) -> NotAllowed:
    may = ", ".join(record.scopes)
    return NotAllowed(
        Sentence(
            f"The key `{record.name}` is for {may}, and this needs {scope}. Ask an operator for a key with that scope.",
            ko=f"`{record.name}` 키의 권한은 {may}이며, 여기에는 {scope} 권한이 필요합니다. "
            "운영자에게 권한이 있는 키를 요청하세요.",
        ),
        details={"scope": scope},
    )
