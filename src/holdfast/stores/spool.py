"""The spool: what has been paid for and could not be written down yet, on the disk of this machine.

An answer that was paid for is delivered even when the store does not take its row. The row waits here, synced
to disk, and comes again until the store has it; the hold keeps the money reserved meanwhile (semantics 3.7).
"""

import asyncio
import os
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.holds import Crossing, Denied, Extend, Hold, Reserve, TopUp
from holdfast.ports import AttemptRecord, CallRecord, Ledger, Store

LARGEST = 64 * 1024 * 1024
"""Bytes of one worker's spool; rows beyond it are announced as lost."""
AT_ONCE = 200
"""Attempts that are handed over at once: a store must be able to take them within its time."""
PATIENCE = 1.0
"""Seconds that whoever has been answered may be kept by the books: a locked file can take longer."""
AWAY = 2.0
"""Seconds for which a store that did not answer is not asked to take rows."""
ORPHANED = 60.0
"""Seconds after which a file that nobody adds to is taken over, whoever's it was."""


T = TypeVar("T")


class Row(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line: an attempt that is over, or a call."""

    attempt: AttemptRecord | None = None
    call: CallRecord | None = None


_decode = msgspec.json.Decoder(Row).decode


class Spool:
    """A folder of lines that wait for the store; rows may come twice, so any worker may bring them."""

    def __init__(self, folder: Path, *, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._lock = threading.Lock()

    async def keep(self, rows: Sequence[Row]) -> None:
        """Write rows down; they are on disk when this returns. Raises `StoreUnavailable`."""
        await asyncio.to_thread(self._keep, rows)

    async def bring(self, ledger: Ledger) -> tuple[Crossing, ...]:
        """Hand everything that waits to the ledger; what it does not take goes on waiting.

        Returns the alerts that this sets off. Raises `StoreUnavailable` when the ledger is still away.
        """
        crossings: list[Crossing] = []
        for path in await asyncio.to_thread(self._due):
            rows = await asyncio.to_thread(_read, path)
            attempts = [row.attempt for row in rows if row.attempt is not None]
            for start in range(0, len(attempts), AT_ONCE):
                crossings += await ledger.settle(attempts[start : start + AT_ONCE])
            for row in rows:
                if row.call is not None:
                    await ledger.record(row.call)
            await asyncio.to_thread(path.unlink, missing_ok=True)
        return tuple(crossings)

    def _keep(self, rows: Sequence[Row]) -> None:
        text = b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
        try:
            with self._lock:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                # Once more, if another worker took the file over meanwhile, perhaps without this row in it.
                while not self._append(text):
                    pass
        except OSError as error:
            raise _unwritable(self._path, str(error)) from error

    def _append(self, text: bytes) -> bool:
        """Whether the file was still ours when the text was on disk."""
        with open(self._path, "ab", opener=_private) as file:
            if file.tell() + len(text) > LARGEST:
                raise _full(self._path)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileNotFoundError):
                return os.path.samestat(os.fstat(file.fileno()), self._path.stat())
        return False

    def _due(self) -> list[Path]:
        """The files that nobody will add to any more, ours among them."""
        if not self._folder.is_dir():
            return []
        with self._lock, suppress(FileNotFoundError):  # nothing waits, or another worker took it over
            self._path.rename(self._path.with_suffix(f".{secrets.token_hex(4)}.due"))
        for path in self._folder.glob("*.jsonl"):
            with suppress(FileNotFoundError):  # another worker was faster
                if path != self._path and self._is_orphaned(path):
                    path.rename(path.with_suffix(f".{secrets.token_hex(4)}.due"))
        return sorted(self._folder.glob("*.due"))

    def _is_orphaned(self, path: Path) -> bool:
        return self._clock.now().timestamp() - path.stat().st_mtime > ORPHANED


class SpooledLedger:
    """A store that never turns a paid row away: `settle` and `record` fall back to the spool.

    Once the store has not answered, rows go straight to the spool for `AWAY` seconds: whoever was just told
    that nothing can be held must not wait for the same silence again. Raises `StoreUnavailable` for a row
    only when the disk does not take it either.
    """

    def __init__(self, store: Store, spool: Spool, *, clock: Clock) -> None:
        self._store = store
        self._spool = spool
        self._clock = clock
        self._away_until = -inf

    async def settle(self, attempts: Sequence[AttemptRecord]) -> tuple[Crossing, ...]:
        """As `Ledger.settle`; the alerts of rows that had to wait come when they are brought."""
        try:
            return await self._unless_away(lambda: self._store.settle(attempts))
        except StoreUnavailable:
            await self._spool.keep([Row(attempt=attempt) for attempt in attempts])
            return ()

    async def record(self, entry: CallRecord) -> None:
        """As `Ledger.record`."""
        try:
            await self._unless_away(lambda: self._store.record(entry))
        except StoreUnavailable:
            await self._spool.keep([Row(call=entry)])

    async def reserve(self, verb: Reserve, attempt: AttemptRecord) -> Hold | Denied:
        """As `Holds.reserve`."""
        return await self._watched(self._store.reserve(verb, attempt))

    async def extend(self, verbs: Sequence[Extend]) -> None:
        """As `Holds.extend`."""
        await self._watched(self._store.extend(verbs))

    async def top_up(self, verb: TopUp) -> Hold | Denied | None:
        """As `Holds.top_up`."""
        return await self._watched(self._store.top_up(verb))

    async def used(self, windows: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """As `Holds.used`."""
        return await self._watched(self._store.used(windows))

    async def _unless_away(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._clock.monotonic() < self._away_until:
            raise StoreUnavailable(_AWAY)
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._watched(work())
        except TimeoutError:
            # It may be written all the same: a row that comes twice counts once.
            self._away_until = self._clock.monotonic() + AWAY
            raise StoreUnavailable(_AWAY) from None

    async def _watched(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            found = await work
        except StoreUnavailable:
            self._away_until = self._clock.monotonic() + AWAY
            raise
        self._away_until = -inf
        return found


_AWAY = Sentence("The store has just not answered.", ko="저장소가 방금 응답하지 않았습니다.")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _read(path: Path) -> list[Row]:
    """The rows of a file; a last line that was cut off by a crash had not been promised to anybody."""
    rows: list[Row] = []
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []  # another worker was faster
    for line in text.splitlines():
        try:
            rows.append(_decode(line))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return rows


def _unwritable(path: Path, reason: str) -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            f"The spool {path.parent.name} cannot be written: {reason}. Check the disk.",
            ko=f"스풀 {path.parent.name}에 쓸 수 없습니다: {reason}. 디스크를 확인하세요.",
        )
    )


def _full(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            f"The spool {path.parent.name} has reached {LARGEST} bytes. Bring the store back.",
            ko=f"스풀 {path.parent.name}이(가) {LARGEST}바이트에 이르렀습니다. 저장소를 복구하세요.",
        )
    )
