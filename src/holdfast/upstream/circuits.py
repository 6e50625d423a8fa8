"""One circuit for every target."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import fields

from holdfast.clock import Clock, Dice
from holdfast.events import CircuitChanged, Observer, unobserved
from holdfast.parts.breaker import CircuitBreaker
from holdfast.policy.breaker import BreakerConfig, Snapshot, Transition, Word
from holdfast.policy.routing import Target, circuit_name

KEPT = 1_000
"""Circuits kept at once: callers name the models, so the number must not be theirs to choose."""

TUNING = tuple(spec.name for spec in fields(BreakerConfig))

Tell = Callable[[str, Transition], None]


def untold(circuit: str, change: Transition) -> None:
    """Tells nobody."""


class Circuits:
    """Finds the circuit of a target, or begins one; safe from any thread.

    `tell` hears of every move, too: it is set, if at all, before the first call.
    """

    def __init__(
        self,
        config: BreakerConfig,
        *,
        clock: Clock,
        dice: Dice,
        observe: Observer = unobserved,
    ) -> None:
        self._config = config
        self._clock = clock
        self._dice = dice
        self._observe = observe
        self.tell: Tell = untold
        self._lock = threading.Lock()
        self._circuits: OrderedDict[str, CircuitBreaker] = OrderedDict()

    def of(self, target: str) -> CircuitBreaker:
        """The circuit of a target; beyond `KEPT` the one unused longest begins afresh."""
        with self._lock:
            circuit = self._circuits.get(target)
            if circuit is None:
                circuit = self._circuits[target] = CircuitBreaker(
                    target,
                    **{name: getattr(self._config, name) for name in TUNING},
                    clock=self._clock,
                    dice=self._dice,
                    on_transition=lambda change: self._announce(target, change),
                )
                if len(self._circuits) > KEPT:
                    self._circuits.popitem(last=False)
            else:
                self._circuits.move_to_end(target)
            return circuit

    def state(self, target: str) -> str:
        """The state of a target's circuit; one never used is closed."""
        with self._lock:
            circuit = self._circuits.get(target)
        return "closed" if circuit is None else circuit.state

    def follow(self, target: str, word: Word) -> None:
        """Let the circuit of a target follow a peer's; one never used has nothing to close."""
        with self._lock:
            is_known = target in self._circuits
        if is_known or word.state == "open":
            self.of(target).follow(word)

    def unreachable(self, target: Target) -> None:
        """Nobody could connect for a target: one failure for every other model of its upstream, too.

        Only circuits that count all calls hear of it: one that probes listens to its probes alone.
        """
        upstream = circuit_name(target.upstream, "")
        with self._lock:
            others = [
                circuit
                for name, circuit in self._circuits.items()
                if name.startswith(upstream) and name != target.name
            ]
        for circuit in others:
            if circuit.state in ("closed", "metrics_only"):
                circuit.record_failure()

    def states(self) -> dict[str, str]:
        """The state of every circuit that has been used."""
        with self._lock:
            circuits = list(self._circuits.items())
        return {target: circuit.state for target, circuit in circuits}

    def snapshots(self) -> dict[str, Snapshot]:
        """The same with all that is counted."""
        with self._lock:
            circuits = list(self._circuits.items())
        return {target: circuit.snapshot() for target, circuit in circuits}

    def _announce(self, target: str, change: Transition) -> None:
        self._observe(
            CircuitChanged(
                circuit=target,
                before=change.before,
                after=change.after,
                reason=change.reason,
                retry_after=change.retry_after,
            )
        )
        self.tell(target, change)
