"""What is asked on behalf of somebody else: the run that it is part of, whose money it spends, how deep it stands."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from dataclasses import dataclass, field, replace
from decimal import Decimal

from holdfast.call import NO_LIMITS, Call, OwnLimits
from holdfast.errors import RunCapReached
from holdfast.language import Sentence
from holdfast.policy.budget import BudgetConfig
from holdfast.policy.holds import Crossing
from holdfast.policy.runs import RunsConfig

DEPTH = 8
"""Agents in one line of descent where `runs.depth` sets no other cap."""

SENT_OUT = 256
"""Errands in one run that agents send each other on: a prompt that copies itself comes to an end here."""


@dataclass(slots=True)
class Tab:
    """What an errand and all that came of it has cost so far; `above` is told, too.

    Attributes:
        dollars: exact, attempts in vain included.
        is_exact: whether every answer had a price.
        sent_out: errands that agents have sent each other on.
    """

    above: "Tab | None" = None
    dollars: Decimal = Decimal(0)
    is_exact: bool = True
    sent_out: int = 0

    @property
    def cost(self) -> Decimal | None:
        """Exact dollars; `None` when an answer had no price."""
        return self.dollars if self.is_exact else None

    @property
    def root(self) -> "Tab":
        """The tab of the whole run."""
        tab = self
        while tab.above is not None:
            tab = tab.above
        return tab

    def add(self, cost: Decimal | None) -> None:
        """Write down what one answer has cost, here and on every tab above."""
        tab: Tab | None = self
        while tab is not None:
            tab.dollars += cost or 0
            tab.is_exact = tab.is_exact and cost is not None
            tab = tab.above


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What surrounds an agent that somebody else has sent out; every agent called inside it inherits it.

    Attributes:
        run: the run that all its calls belong to, so that stopping the run stops them.
        parent: the agent that has sent it out; `None` is the run itself.
        name: what an agent without a name of its own is called.
        user: in whose name it is asked when the call does not say.
        above: how many agents stand above in this line of descent.
        limits: the budgets of everybody above, which this one spends, too.
        tab: where its cost is written down.
        conversations: those that wait for it, in every line above.
    """

    run: str
    parent: str | None = None
    name: str | None = None
    user: str | None = None
    above: int = 0
    limits: OwnLimits = NO_LIMITS
    tab: Tab = field(default_factory=Tab)
    conversations: frozenset[str] = frozenset()

    def begin(self, caps: RunsConfig) -> None:
        """Count it; raises `RunCapReached` for one that stands too deep, or is one too many in its run."""
        depth = caps.depth or DEPTH
        if self.above >= depth:
            raise _too_deep(depth)
        root = self.tab.root
        root.sent_out += 1 if self.above else 0
        if root.sent_out > SENT_OUT:
            raise _too_many(SENT_OUT)


_current: ContextVar[Errand | None] = ContextVar("holdfast_errand", default=None)


def current() -> Errand | None:
    """The errand that this code runs in."""
    return _current.get()


@contextmanager
def sent_on(errand: Errand) -> Generator[None]:
    """Whatever is called inside is done on this errand, in tasks and threads begun there, too."""
    token = _current.set(errand)
    try:
        yield
    finally:
        _current.reset(token)


def within(context: Context, errand: Errand) -> Context:
    """A copy of a context in which everything is done on this errand, for those who begin work there themselves."""
    inner = context.copy()
    inner.run(_current.set, errand)
    return inner


def on_errand(call: Call) -> Call:
    """A call as a part of the errand that it is made on, if any; what it says of itself goes before.

    For doors that are no agents: what a function of a team or a tool asks there is in the same run, on the same money.
    """
    errand = current()
    if errand is None:
        return call
    who = call.principal
    within = replace(
        who,
        run=who.run or errand.run,
        agent=who.agent or errand.name,
        parent=who.parent or errand.parent,
        user=who.user or errand.user,
    )
    return replace(call, principal=within, own_limits=together(errand.limits, call.own_limits))


def together(inherited: OwnLimits, own: OwnLimits) -> OwnLimits:
    """The limits of one that is bound by those of everybody above, besides its own.

    Quotas are not inherited: they say how often one of them may be asked. Two budgets of one name that differ
    both bind; the lower one then goes by another name.
    """
    if not inherited.budgets:
        return own
    free = {_free(name, config, inherited.budgets): config for name, config in own.budgets.items()}
    ours = OwnLimits(budgets=free, crossed=own.crossed)

    def crossed(crossing: Crossing) -> None:
        (inherited if crossing.budget in inherited.budgets else ours).tell(crossing)

    return OwnLimits(budgets={**free, **inherited.budgets}, quotas=own.quotas, crossed=crossed)


def inherited(limits: OwnLimits) -> OwnLimits:
    """What of the limits binds those whom their owner sends out: the budgets."""
    return OwnLimits(budgets=limits.budgets, crossed=limits.crossed)


def _free(name: str, config: BudgetConfig, taken: Mapping[str, BudgetConfig]) -> str:
    while taken.get(name, config) != config:
        name = f"{name}+"
    return name


def _too_deep(limit: int) -> RunCapReached:
    return RunCapReached(
        Sentence(
            f"This agent would stand deeper than {limit} agents that each sent out the next, so it was not asked. "
            "Let its parent do the work, or raise runs.depth.",
            ko=f"에이전트가 에이전트를 부르는 단계가 {limit}단계를 넘어 호출하지 않았습니다. 상위 에이전트에서 처리하거나 "
            "runs.depth를 올리세요.",
        ),
        details={"cap": "depth", "limit": limit},
    )


def _too_many(limit: int) -> RunCapReached:
    return RunCapReached(
        Sentence(
            f"The agents of this run have sent each other out {limit} times, as often as they may, so this one was "
            "not asked. Look at what they have done, then start a new run.",
            ko=f"이 실행의 에이전트들이 서로를 부른 횟수가 한도인 {limit}번에 이르러 호출하지 않았습니다. "
            "지금까지 한 일을 확인한 뒤 새로 시작하세요.",
        ),
        details={"cap": "sent_out", "limit": limit},
    )
