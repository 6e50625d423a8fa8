"""One call on its way through its targets: where it has been, what was lost, where it may still go."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf

from holdfast.call import Call
from holdfast.errors import CallNotPermitted, Refused
from holdfast.policy.failure import Ruling
from holdfast.policy.routing import Target, may_follow
from holdfast.upstream.attempt import Failed
from holdfast.wire.edit import with_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """An attempt that failed, where and when, and what follows from it."""

    target: Target
    failed: Failed
    ruling: Ruling
    at: float


@dataclass(slots=True)
class Journey:
    """One call on its way; `waiting` are the targets not tried yet, in order, `home` where its thinking is from."""

    call: Call
    limit: int
    waiting: list[Target]
    home: Target | None = None
    has_choice: bool = field(init=False)
    last_cost: int | None = None
    lost: Lost | None = None
    refusals: list[Refused] = field(default_factory=list[Refused])

    def __post_init__(self) -> None:
        self.has_choice = len(self.waiting) > 1

    @property
    def attempts(self) -> int:
        """How often somebody has been asked."""
        return self.call.tally.attempts

    def next(self, prefers: Callable[[Call, Target], bool] | None = None) -> Target | None:
        """The next target that this call may go to: the first that is preferred among those as good as the first."""
        open_to = [target for target in self.waiting if self.may_go_to(target)]
        if not open_to:
            return None
        equals = [target for target in open_to if self.degraded(target) == self.degraded(open_to[0])]
        preferred = (target for target in equals if prefers is not None and prefers(self.call, target))
        target = open_to[0] if len(equals) == 1 else next(preferred, open_to[0])
        self.waiting.remove(target)
        return target

    def may_go_to(self, target: Target) -> bool:
        """Whether what has happened so far leads there.

        A substitute model is for when the one asked for is sick: its circuits are open, or a failure said so.
        """
        asked = self.call.request.model
        if self.lost is not None:
            return may_follow(target, self.lost.target, self.lost.ruling, asked=asked)
        if target.model == asked or target == self.home:
            return True
        return any(isinstance(refusal, CallNotPermitted) for refusal in self.refusals)

    def call_to(self, target: Target) -> Call:
        """The call as that target should receive it: a substitute is asked for by its own name."""
        call = self.call
        if target.model == call.request.model:
            return call
        request = replace(call.request, model=target.model)
        return replace(call, request=request, body=with_model(call.body, target.model))

    def degraded(self, target: Target) -> tuple[str, ...]:
        """What an answer from there lacks: the model asked for, the thinking of the conversation so far."""
        asked = self.call.request.model
        home = self.home
        strange = target.model != asked if home is None else _bond(target) != _bond(home)
        marks = {
            "model": target.model != asked,
            "thinking-dropped": strange and self.call.request.has_thinking,
        }
        return tuple(mark for mark, holds in marks.items() if holds)

    def soonest_refusal(self) -> Refused | None:
        """Of all refusals the one that ends first; one that only a person can end is the last."""
        return min(
            self.refusals,
            key=lambda refusal: inf if refusal.retry_after is None else refusal.retry_after,
            default=None,
        )


def _bond(target: Target) -> tuple[str, tuple[str, str]]:
    """What thinking blocks are bound to."""
    return target.model, target.payer
