"""The kill switch: refuses what must not begin, and cuts off what is under way."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from holdfast.call import Barrier, Call, Outcome
from holdfast.clock import Clock
from holdfast.errors import Stopped
from holdfast.events import CallCut, Observer, unobserved
from holdfast.pipeline import Proceed
from holdfast.policy.stops import Stop, binding

Stops = Callable[[], tuple[Stop, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopGuard:
    """Knows every call under way in this process; `enforce` cuts those that a stop binds, from any thread.

    `begin` makes sure that what was stopped before this process began is known to it.
    """

    name: ClassVar[str] = "stop"
    begin: Callable[[], Awaitable[None]]
    stops: Stops
    clock: Clock
    observe: Observer = unobserved
    _live: dict[str, Call] = field(default_factory=dict[str, Call], init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed:
        await self.begin()
        with self._lock:
            self._live[call.request_id] = call
        # Looked up after it is known to `enforce`: a stop that comes in between is heard by one of the two.
        stop = self._binding(call)
        if stop is not None:
            self._forget(call)
            raise stop.error(self.clock.now())

        async def settle(outcome: Outcome) -> None:
            self._forget(call)

        return Proceed(replace(call, barrier=self._barrier(call)), settle)

    @property
    def live(self) -> int:
        """How many calls are under way."""
        return len(self._live)

    def enforce(self) -> int:
        """Cut every call off that must end by now, and say how many."""
        with self._lock:
            live = tuple(self._live.values())
        cut = 0
        for call in live:
            stop = self._binding(call)
            if stop is not None and call.leash.error is None:
                call.leash.cut(stop.error(self.clock.now()))
                self.observe(
                    CallCut(request_id=call.request_id, scope=stop.scope, value=stop.value, by=stop.by)
                )
                cut += 1
        return cut

    def _barrier(self, call: Call) -> Barrier:
        """What keeps a call from a model that is stopped, when that would stand in for its own."""

        def refusal(model: str) -> Stopped | None:
            stops, now = self.stops(), self.clock.now()
            stop = binding(stops, _said(call, model), now) if stops else None
            return None if stop is None else stop.error(now)

        return refusal

    def _binding(self, call: Call) -> Stop | None:
        stops, now = self.stops(), self.clock.now()
        if not stops:
            return None
        models = (call.request.model, call.tally.asked_model or call.request.model)
        found = (binding(stops, _said(call, model), now) for model in models)
        return next((stop for stop in found if stop is not None), None)

    def _forget(self, call: Call) -> None:
        with self._lock:
            self._live.pop(call.request_id, None)


def _said(call: Call, model: str) -> Mapping[str, str | None]:
    principal = call.principal
    return {
        "run": principal.run,
        "key": principal.key,
        "user": principal.user,
        "model": model,
    }
