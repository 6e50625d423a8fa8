"""Scripts of misbehaviour: which requests are hit by which fault.

All criteria of a fault must hold together. Those that match a request's path, model, key, form and time make it a *match*;
matches are counted in the order in which requests arrived whole, and `nth`, `every`, `times` and `probability` choose
among them. A request is hit by the first fault of the script that chooses it; a fault behind it counts the match, but
does not use up one of its `times`. So `fault(Status(500), Status(529))` is an ordered script.
"""

from collections.abc import Callable, Iterable
from dataclasses import KW_ONLY, dataclass
from threading import Lock

from holdfast.simulator.actions import Action

__all__ = ["MESSAGES", "Action", "Draw", "Fault", "FaultScript", "Target"]

MESSAGES = "/v1/messages"


@dataclass(frozen=True, slots=True)
class Fault:
    """An action and the requests it hits.

    Attributes:
        action: what happens.
        model: hit only requests for this model id, as the caller wrote it.
        path: hit only this path; `None` is every path of the API.
        stream: hit only streamed (`True`) or only plain (`False`) requests.
        key: hit only requests with this API key.
        after: hit only from this moment on, in seconds of the simulator's clock since its start or its last reset.
        until: hit only before this moment; `None` is for ever.
        nth: leave the first `nth - 1` matching requests alone.
        every: of the rest, choose the first, and then each `every`-th one.
        times: how many requests to hit; `None` is for ever.
        probability: the chance that a chosen request is hit, drawn from the seed and the request.
    """

    action: Action
    _: KW_ONLY
    model: str | None = None
    path: str | None = MESSAGES
    stream: bool | None = None
    key: str | None = None
    after: float = 0.0
    until: float | None = None
    nth: int = 1
    every: int = 1
    times: int | None = 1
    probability: float = 1.0

    def __post_init__(self) -> None:
        if self.nth < 1 or self.every < 1:
            raise ValueError("`nth` and `every` count requests: they begin at 1")
        if not 0 <= self.probability <= 1:
            raise ValueError("`probability` is a number from 0 to 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a fault looks at in a request: `at` is seconds since the start, `region` what `inference_geo` says."""

    path: str
    model: str
    stream: bool
    key: str
    at: float = 0.0
    region: str = "global"


Draw = Callable[[object], float]
"""A number from 0 to 1 for one request: always the same one for the same question."""


@dataclass(slots=True)
class _Armed:
    fault: Fault
    number: int
    seen: int = 0
    fired: int = 0

    def matches(self, target: Target) -> bool:
        fault = self.fault
        return (
            fault.path in (None, target.path)
            and fault.model in (None, target.model)
            and fault.stream in (None, target.stream)
            and fault.key in (None, target.key)
            and fault.after <= target.at
            and (fault.until is None or target.at < fault.until)
        )

    def fires(self, draw: Draw) -> bool:
        """Whether this match is chosen; every match counts, chosen or not."""
        self.seen += 1
        fault, beyond = self.fault, self.seen - self.fault.nth
        if beyond < 0 or beyond % fault.every or (fault.times is not None and self.fired >= fault.times):
            return False
        return fault.probability >= 1 or draw(f"fault {self.number}") < fault.probability


class FaultScript:
    """The faults in order; each request is hit by the first that fires."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._armed: list[_Armed] = []

    def add(self, faults: Iterable[Fault]) -> None:
        """Append faults."""
        with self._lock:
            for fault in faults:
                self._armed.append(_Armed(fault, len(self._armed)))

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._armed.clear()

    def take(self, target: Target, draw: Draw) -> Action | None:
        """The action that hits this request."""
        with self._lock:
            firing = [armed for armed in self._armed if armed.matches(target) and armed.fires(draw)]
            if not firing:
                return None
            firing[0].fired += 1
            return firing[0].fault.action

    def standing(self) -> list[tuple[Fault, int, int]]:
        """Each fault with how many requests it matched and how many it hit."""
        with self._lock:
            return [(armed.fault, armed.seen, armed.fired) for armed in self._armed]
