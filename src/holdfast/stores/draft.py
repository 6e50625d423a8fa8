"""What one transaction makes of attempts, holds, counters and sums, whatever the store."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from holdfast.policy.holds import (
    EMPTY,
    Counter,
    Crossing,
    Denied,
    Expire,
    Extend,
    Hold,
    Page,
    Release,
    Reserve,
    Settle,
    State,
    TopUp,
)
from holdfast.ports import AttemptRecord, CallRecord, RunRecord
from holdfast.stores.lineage import joined

HOUR = 3_600
LOST = "lost"
"""The kind of an attempt whose worker was never heard of again."""

COUNTED: tuple[State, ...] = ("settled", "expired")
"""The states of attempts that are in the sums; what is held or released has cost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filed:
    """An attempt as a store keeps it: the record, and the hold, which has no limits where none was taken."""

    record: AttemptRecord
    hold: Hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What attempts are summed by: the finest group that is told apart; `hour` counts hours since the epoch."""

    hour: int
    model: str
    upstream: str
    key: str
    user: str | None
    run: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums of attempts, or what is to be added to them."""

    attempts: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_pico: int = 0
    estimated_pico: int = 0
    unpriced: int = 0

    def plus(self, other: "Sums", sign: int = 1) -> "Sums":
        """Both together, or what is left without the other."""
        return Sums(
            attempts=self.attempts + sign * other.attempts,
            input_tokens=self.input_tokens + sign * other.input_tokens,
            output_tokens=self.output_tokens + sign * other.output_tokens,
            cost_pico=self.cost_pico + sign * other.cost_pico,
            estimated_pico=self.estimated_pico + sign * other.estimated_pico,
            unpriced=self.unpriced + sign * other.unpriced,
        )


NOTHING = Sums()


@dataclass(slots=True)
class Draft:
    """Attempts and counters as a transaction has read them, and what its verbs make of them.

    Give it `filed` and `counters` of everything the verbs touch (`windows_of` says which counters), at once or
    before each verb by `take_in`, and apply the verbs in order. Then write back: the attempts `changed`, the
    counters of `changed_counters`, `runs`, and `sums`, which is to be added to the sums by group and to the totals.

    Attributes:
        runs: what is to be added to runs by `holdfast.stores.lineage.joined`.
        mended: calls whose cost must be summed anew from their attempts.
    """

    filed: dict[str, Filed] = field(default_factory=dict[str, Filed])
    counters: dict[str, Counter] = field(default_factory=dict[str, Counter])
    changed: dict[str, Filed] = field(default_factory=dict[str, Filed], init=False)
    sums: dict[Group, Sums] = field(default_factory=dict[Group, Sums], init=False)
    runs: dict[str, RunRecord] = field(default_factory=dict[str, RunRecord], init=False)
    mended: set[str] = field(default_factory=set[str], init=False)
    _page: Page = field(init=False)

    def __post_init__(self) -> None:
        holds = {name: filed.hold for name, filed in self.filed.items()}
        self._page = Page(counters=dict(self.counters), holds=holds)

    def take_in(self, filed: Iterable[Filed] = (), counters: Mapping[str, Counter] | None = None) -> None:
        """What has been read since; nothing that the draft knows already."""
        for one in filed:
            self.filed[one.record.id] = one
            self._page.holds[one.record.id] = one.hold
        for key, counter in (counters or {}).items():
            self.counters[key] = self._page.counters[key] = counter

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """The alerts that were set off."""
        return tuple(self._page.crossings)

    def changed_counters(self) -> dict[str, Counter]:
        """The counters that are not what they were."""
        return {
            key: counter
            for key, counter in self._page.counters.items()
            if counter != self.counters.get(key, EMPTY)
        }

    def reserve(self, verb: Reserve, attempt: AttemptRecord, *, now: float) -> Hold | Denied:
        """Take a hold for an attempt; of an attempt that is on record, say how it stands."""
        is_new = verb.id not in self.filed
        answer = self._page.apply(verb, now=now)
        assert answer is not None
        if is_new and isinstance(answer, Hold):
            self._file(replace(attempt, state="held", hold_pico=answer.amount), answer)
        return answer

    def extend(self, verb: Extend, *, now: float) -> None:
        """Renew a lease."""
        self._refile(self._page.apply(verb, now=now))

    def top_up(self, verb: TopUp, *, now: float) -> Hold | Denied | None:
        """Raise a hold."""
        answer = self._page.apply(verb, now=now)
        self._refile(answer)
        return answer

    def settle(self, attempt: AttemptRecord, *, now: float) -> None:
        """Write down an attempt that is over, once; the state is `settled` unless it is `released`."""
        before = self.filed.get(attempt.id)
        state: State = "released" if attempt.state == "released" else "settled"
        record = replace(attempt, state=state, hold_pico=before.record.hold_pico if before else None)
        if before is None:
            self._file(record, _no_hold(record))
        elif before.hold.state in ("held", "expired"):
            if before.hold.state == "expired":
                self.mended.add(attempt.request_id)
            hold = self._page.apply(_verb(record, before.hold), now=now)
            assert isinstance(hold, Hold)
            self._file(record, hold)

    def expire(self, name: str, *, now: float) -> bool:
        """Charge what is presumed of an attempt whose lease is over; whether nobody has done so before."""
        before = self.filed.get(name)
        hold = self._page.apply(Expire(id=name), now=now)
        if before is None or not isinstance(hold, Hold) or hold.state == before.hold.state:
            return False
        record = replace(before.record, state="expired", kind=LOST, cost_pico=hold.charged, estimated=True)
        self._file(record, hold)
        return True

    def reprice(self, name: str, cost_pico: int, price_version: str) -> bool:
        """Give a settled attempt another price; whether that is a change."""
        before = self.filed.get(name)
        if before is None or before.record.state != "settled":
            return False
        record = replace(before.record, cost_pico=cost_pico, price_version=price_version)
        if record == before.record:
            return False
        self.mended.add(record.request_id)
        self._file(record, before.hold)
        return True

    def _refile(self, hold: Hold | Denied | None) -> None:
        if isinstance(hold, Hold) and hold != self.filed[hold.id].hold:
            self._file(replace(self.filed[hold.id].record, hold_pico=hold.amount), hold)

    def _file(self, record: AttemptRecord, hold: Hold) -> None:
        if before := self.filed.get(hold.id):
            self._add(before.record, -1)
        self._add(record, 1)
        filed = Filed(record=record, hold=hold)
        self.filed[hold.id] = self.changed[hold.id] = filed
        self._page.holds[hold.id] = hold

    def _add(self, record: AttemptRecord, sign: int) -> None:
        if record.state not in COUNTED:
            return
        group, sums, run = group_of(record), sums_of(record), record.payer.run
        self.sums[group] = self.sums.get(group, NOTHING).plus(sums, sign)
        if run is not None:
            more = RunRecord(run=run, first_at=record.at, last_at=record.at, cost_pico=sign * sums.cost_pico)
            self.runs[run] = joined(self.runs.get(run), more)


def windows_of(hold: Hold | Reserve) -> set[str]:
    """The counters that a verb on this hold reads or changes."""
    return {key for limit in hold.limits for key in (limit.window, *limit.counted)}


def group_of(record: AttemptRecord) -> Group:
    """The group that an attempt is summed in; its model is the one that is billed."""
    return Group(
        hour=hour_of(record.at),
        model=record.model if record.served_model is None else record.served_model,
        upstream=record.upstream,
        key=record.payer.key,
        user=record.payer.user,
        run=record.payer.run,
    )


def hour_of(at: datetime) -> int:
    """The whole hour of UTC that a moment is in, counted from the epoch."""
    return int(at.timestamp() // HOUR)


def sums_of(record: AttemptRecord) -> Sums:
    """What one attempt adds to the sums."""
    cost = record.cost_pico or 0
    return Sums(
        attempts=1,
        input_tokens=record.usage.prompt_tokens,
        output_tokens=record.usage.output_tokens,
        cost_pico=cost,
        estimated_pico=cost if record.estimated else 0,
        unpriced=int(record.cost_pico is None),
    )


def mended_call(call: CallRecord, attempts: list[AttemptRecord]) -> CallRecord:
    """A call whose cost is that of its attempts, once all of them are known; before that, as it was told.

    `attempts` are all of that call, in their order.
    """
    if len(attempts) < call.attempts or any(one.state == "held" for one in attempts):
        return call
    costs = [one.cost_pico for one in attempts if one.state in COUNTED]
    known = [cost for cost in costs if cost is not None]
    versions = [one.price_version for one in attempts if one.price_version is not None]
    return replace(
        call,
        cost_pico=sum(known) if len(known) == len(costs) else None,
        price_version=versions[-1] if versions else call.price_version,
    )


def _verb(record: AttemptRecord, hold: Hold) -> Settle | Release:
    if record.state == "released":
        return Release(id=record.id)
    # Without a price nobody knows what it has cost, but it was not nothing: the hold is its upper bound.
    return Settle(id=record.id, actual=hold.amount if record.cost_pico is None else record.cost_pico)


def _no_hold(record: AttemptRecord) -> Hold:
    return Hold(
        id=record.id,
        limits=(),
        amount=0,
        presumed=0,
        charged=record.cost_pico or 0,
        state=record.state,
        lease_until=0.0,
    )
