"""Budgets: laid down, listed with how they stand, taken back, and let go on past `ask`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, instant, readable
from holdfast.operations.subjects import limit_for, limits, value_of
from holdfast.orders import APPROVAL, BUDGET, approval_name
from holdfast.policy.budget import EVERYBODY, SHOWN, BudgetConfig, usd
from holdfast.policy.budget_document import budget_document, decoded_budget, encoded_budget
from holdfast.policy.holds import Limit
from holdfast.policy.period import BUCKETS, written

NO_TIME = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A budget that holds, and who laid it down.

    Attributes:
        origin: `file` for the settings, `register` for one that was set at run time.
        place: line or variable, or who set it.
        covers: the place of the budget of the settings that this one stands before.
    """

    name: str
    config: BudgetConfig
    origin: Literal["file", "register"]
    place: str
    covers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a budget stands for one subject, in this window; amounts in nano-dollars."""

    budget: Known
    limit: Limit
    settled: int
    reserved: int

    @property
    def remaining(self) -> int:
        """What is left of the limit."""
        return max(0, self.budget.config.nano - self.settled - self.reserved)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's word that a budget may go on past `ask`; `until` is the end of its window, `None` never."""

    budget: str
    subject: str
    by: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """A budget that is no more, and the one of the settings that holds in its place."""

    name: str
    instead: Known | None


async def budgets(desk: Desk) -> tuple[Known, ...]:
    """Every budget by name; one of the register stands before one of the settings."""
    found = {name: _of_settings(desk, name) for name in desk.settings.budgets}
    for entry in await desk.store.entries(BUDGET):
        config = readable(desk, entry, decoded_budget)
        if config is not None:
            covered = found.get(entry.name)
            found[entry.name] = Known(
                name=entry.name,
                config=config,
                origin="register",
                place=instant(entry.at) or "",
                covers=None if covered is None else covered.place,
            )
    return tuple(found[name] for name in sorted(found))


async def budget(desk: Desk, name: str) -> Known:
    """The budget of that name; raises `ConfigError` where there is none."""
    known = await budgets(desk)
    for one in known:
        if one.name == name:
            return one
    names = ", ".join(one.name for one in known)
    raise ConfigError(
        Sentence(
            f"There is no budget `{name}`" + (f"; there are: {names}" if names else "; none is set"),
            ko=f"`{name}` 예산이 없습니다"
            + (f". 있는 예산: {names}" if names else ". 설정된 예산이 하나도 없습니다"),
        )
    )


async def put_budget(desk: Desk, name: str, members: Mapping[str, Any]) -> Known:
    """Lay a budget down; what `members` leaves out stays as it was, or is the usual for a new one.

    `members` are named as in `BudgetDocument`. Raises `ConfigError` for a budget that makes no sense.
    """
    if not name.strip() or len(name) > SHOWN or not name.isprintable():
        raise ConfigError(
            Sentence(
                f"name: call the budget something of 1 to {SHOWN} characters on one line",
                ko=f"name: 예산 이름은 한 줄, 1~{SHOWN}자로 적으세요",
            )
        )
    before = {one.name: one for one in await budgets(desk)}.get(name)
    if before is None and "usd" not in members:
        raise ConfigError(
            Sentence(
                f"usd: `{name}` is a new budget; say how many dollars it has",
                ko=f"usd: `{name}`은(는) 새 예산입니다. 몇 달러인지 적으세요",
            )
        )
    known: dict[str, Any] = {} if before is None else msgspec.to_builtins(budget_document(before.config))
    body = msgspec.json.encode({**known, **members})
    config = decoded_budget(body)
    note = f"{usd(config.nano)} per {written(config.per)}"
    await desk.store.put(BUDGET, name, encoded_budget(config), actor=desk.actor, note=note)
    return await budget(desk, name)


async def drop_budget(desk: Desk, name: str) -> Removed:
    """Take a budget back that was set at run time; raises `ConfigError` for one that stands in the settings."""
    if not await desk.store.drop(BUDGET, name, actor=desk.actor):
        known = await budget(desk, name)
        raise ConfigError(
            Sentence(
                f"The budget `{name}` stands in the settings ({known.place}): take it out there. To change it at "
                f"run time use `holdfast budgets set {name}`",
                ko=f"`{name}` 예산은 설정({known.place})에 있으니 거기서 지우세요. "
                f"실행 중에 바꾸려면 `holdfast budgets set {name}`을 쓰세요",
            )
        )
    is_in_settings = name in desk.settings.budgets
    return Removed(name=name, instead=_of_settings(desk, name) if is_in_settings else None)


async def standings(desk: Desk, names: tuple[str, ...] = ()) -> tuple[Standing, ...]:
    """How budgets stand now for everybody they count, as far as known, the one nearest to its limit first.

    Without `names`, all of them. A budget for all together is listed even when nothing is spent.
    """
    found: list[Standing] = []
    for known in await budgets(desk):
        if names and known.name not in names:
            continue
        bound = await limits(desk.store, known.name, known.config, desk.now)
        used = await desk.store.used([key for limit in bound for key in limit.counted])
        found += [_standing(known, limit, used) for limit in bound]
    shown = [one for one in found if _is_worth_showing(one)]
    return tuple(sorted(shown, key=lambda one: (one.budget.name, one.remaining, one.limit.subject)))


async def approve(desk: Desk, name: str, subject: str | None = None, *, note: str = "") -> Limit:
    """Let a budget go on past its rung `ask`, for one subject, until its window ends.

    `subject` is the value of the budget's scope, such as the name of a user; not for one of all together. A
    rolling window is approved for its whole length from now on. Raises `ConfigError` where there is nothing to
    approve.
    """
    known = await budget(desk, name)
    config = known.config
    if all(rung.do != "ask" for rung in config.ladder):
        raise ConfigError(
            Sentence(
                f"The budget `{name}` asks nobody: it has no rung `ask`. Raise it with "
                f"`holdfast budgets set {name} --usd AMOUNT`",
                ko=f"`{name}` 예산에는 승인을 구하는 `ask` 단계가 없습니다. "
                f"`holdfast budgets set {name} --usd 금액`으로 한도를 올리세요",
            )
        )
    limit = _limit(known, subject, desk)
    body = _approval(desk, limit, config)
    for later in _moments(config):
        window = _limit(known, subject, desk, later=later).window
        await desk.store.put(APPROVAL, approval_name(name, window), body, actor=desk.actor, note=note)
    await _forget_over(desk)
    return limit


def budget_facts(known: Known) -> dict[str, object]:
    """A budget as plain data for JSON, under the names of its settings."""
    document = budget_document(known.config)
    return {
        "name": known.name,
        **msgspec.structs.asdict(document),
        "ladder": msgspec.to_builtins(document.ladder),
        "origin": known.origin,
        "place": known.place,
        "covers": known.covers,
    }


def standing_facts(one: Standing) -> dict[str, object]:
    """How a budget stands as plain data for JSON; dollars are decimal text."""
    return {
        "budget": one.budget.name,
        "subject": one.limit.subject,
        "limit": usd(one.budget.config.nano),
        "settled": usd(one.settled),
        "reserved": usd(one.reserved),
        "remaining": usd(one.remaining),
        "hard": one.budget.config.hard,
        "resets_at": instant(one.limit.resets_at),
        "window": one.limit.window,
    }


def _of_settings(desk: Desk, name: str) -> Known:
    origin = desk.settings.origins.get(f"budgets.{name}.usd")
    return Known(
        name=name,
        config=desk.settings.budgets[name],
        origin="file",
        place="settings" if origin is None else origin.place,
    )


def _standing(known: Known, limit: Limit, used: Mapping[str, tuple[int, int]]) -> Standing:
    sums = [used.get(window, (0, 0)) for window in limit.counted]
    return Standing(
        budget=known,
        limit=limit,
        settled=sum(settled for settled, _ in sums),
        reserved=sum(reserved for _, reserved in sums),
    )


def _is_worth_showing(one: Standing) -> bool:
    config = one.budget.config
    return one.settled + one.reserved > 0 or config.scope == EVERYBODY or config.scope in config.where


def _limit(known: Known, subject: str | None, desk: Desk, *, later: timedelta = NO_TIME) -> Limit:
    scope = known.config.scope
    if (scope == EVERYBODY) != (subject is None):
        raise ConfigError(_whom(known))
    value = None if subject is None else value_of(scope, subject)
    limit = limit_for(known.name, known.config, value, desk.now + later)
    if limit is None:
        raise ConfigError(
            Sentence(
                f"The budget `{known.name}` does not count `{subject}`: its `where` leaves that out",
                ko=f"`{known.name}` 예산은 where 조건 때문에 `{subject}`을(를) 세지 않습니다",
            )
        )
    return limit


def _whom(known: Known) -> Sentence:
    scope = known.config.scope
    if scope == EVERYBODY:
        return Sentence(
            f"The budget `{known.name}` is for everybody together: leave the subject out",
            ko=f"`{known.name}` 예산은 모두가 함께 쓰는 예산입니다. 대상을 빼고 다시 하세요",
        )
    return Sentence(
        f"The budget `{known.name}` is for every {scope} by itself: say which with --for NAME",
        ko=f"`{known.name}` 예산은 {scope}마다 따로 셉니다. --for 이름으로 대상을 지정하세요",
    )


def _moments(config: BudgetConfig) -> list[timedelta]:
    """From now on, once in every window that an approval reaches into."""
    if not isinstance(config.per, timedelta):
        return [NO_TIME]
    return [config.per * step / BUCKETS for step in range(BUCKETS + 1)]


def _approval(desk: Desk, limit: Limit, config: BudgetConfig) -> bytes:
    until = desk.now + config.per if isinstance(config.per, timedelta) else limit.resets_at
    return msgspec.json.encode(
        Approval(budget=limit.budget, subject=limit.subject, by=desk.actor, at=desk.now, until=until)
    )


async def _forget_over(desk: Desk) -> None:
    for entry in await desk.store.entries(APPROVAL):
        try:
            until = msgspec.json.decode(entry.body, type=Approval).until
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # whoever wrote it knows what it is for
        if until is not None and until <= desk.now:
            await desk.store.drop(APPROVAL, entry.name, actor=desk.actor, note="over")
