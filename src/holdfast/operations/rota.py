"""Who tells of an incident in a fleet: the worker that saw it first, by the order of the register."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.policy.incidents import Case
from holdfast.ports import Entry, Register

INCIDENT = "incident"
LEASE = timedelta(hours=1)
"""How long the word of a worker holds that is not heard of again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A worker sees an incident; `born` is the revision by which it first said so."""

    until: datetime
    born: int | None = None


_decode = msgspec.json.Decoder(_Seen).decode


class Rota:
    """Writes down which incidents this worker sees, and so finds out whether it is the one to tell of them.

    Revisions form a line that nobody can see a gap in: of all who write, exactly one has the lowest. While the
    register is away everybody tells: better twice than never.
    """

    def __init__(self, register: Register, worker: str, clock: Clock) -> None:
        self._register = register
        self._worker = worker
        self._clock = clock
        self._mine: dict[Case, tuple[int, datetime]] = {}

    async def began(self, case: Case) -> bool:
        """Say that this worker sees an incident; whether it is the first to."""
        try:
            if case not in self._mine:
                await self._write(case, None)
            return await self._is_first(case)
        except StoreUnavailable:
            return True

    async def goes_on(self, case: Case) -> bool:
        """Whether this worker is the one to tell that an incident goes on."""
        return await self.began(case)

    async def over(self, case: Case) -> bool:
        """Say that this worker sees it no more; whether nobody else does, either."""
        mine = self._mine.pop(case, None)
        try:
            if mine is not None:
                await self._register.drop(INCIDENT, self._name(case), actor=self._worker, note="over")
            return not await self._others(case)
        except StoreUnavailable:
            return True

    async def renew(self) -> None:
        """Keep this worker's word alive, where half of its time is over."""
        now = self._clock.now()
        for case, (born, until) in tuple(self._mine.items()):
            if until - now < LEASE / 2:
                try:
                    await self._write(case, born)
                except StoreUnavailable:
                    return

    async def leave(self) -> None:
        """Take back everything that this worker has said."""
        for case in tuple(self._mine):
            await self.over(case)

    async def _write(self, case: Case, born: int | None) -> None:
        until = self._clock.now() + LEASE
        body = msgspec.json.encode(_Seen(until=until, born=born))
        revision = await self._register.put(
            INCIDENT, self._name(case), body, actor=self._worker, note="alert"
        )
        self._mine[case] = (revision if born is None else born, until)

    async def _is_first(self, case: Case) -> bool:
        born, _ = self._mine[case]
        return all(other > born for other in await self._others(case))

    async def _others(self, case: Case) -> list[int]:
        """When other workers that still see it have said so first; whose time is over is forgotten."""
        beginning, own = f"{_said(case)}|", self._name(case)
        found: list[int] = []
        for entry in await self._register.entries(INCIDENT):
            if not entry.name.startswith(beginning) or entry.name == own:
                continue
            seen = _read(entry)
            if seen is None or seen.until <= self._clock.now():
                await self._register.drop(INCIDENT, entry.name, actor=self._worker, note="lost")
            else:
                found.append(entry.revision if seen.born is None else seen.born)
        return found

    def _name(self, case: Case) -> str:
        return f"{_said(case)}|{self._worker}"


def _said(case: Case) -> str:
    return f"{case.rule}|{case.label}"


def _read(entry: Entry) -> _Seen | None:
    try:
        return _decode(entry.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
