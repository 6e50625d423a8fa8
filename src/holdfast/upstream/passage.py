"""Leave to make one attempt: of the gates before a target, and of the circuit behind them."""

from dataclasses import dataclass
from math import inf

from holdfast.errors import CallNotPermitted, Refused
from holdfast.parts.breaker import CircuitBreaker
from holdfast.policy.failure import Ruling
from holdfast.policy.permit import Outcome, Permit
from holdfast.policy.routing import Target
from holdfast.upstream.attempt import Failed
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.gates import Gates, Pass, Refusal


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave for one attempt; it goes back once, by `ended` or `failed`, and a second time changes nothing."""

    target: Target
    circuits: Circuits
    circuit: CircuitBreaker
    permit: Permit
    gates: Gates
    admission: Pass

    def begin(self) -> None:
        """The first content of a stream came: probes have come through."""
        self.circuit.begin(self.permit)
        self.gates.begin(self.admission)

    def ended(self, outcome: Outcome) -> None:
        """The attempt is over, with nothing against the gates."""
        self.circuit.report(self.permit, outcome)
        self.gates.report(self.admission, outcome)

    def failed(self, failed: Failed, ruling: Ruling) -> None:
        """The attempt failed: tell the circuits that it speaks against, and close the gate that is named."""
        failure = failed.failure
        self.circuit.report(self.permit, ruling.outcome, retry_after=failure.retry_after)
        if failure.phase == "connect":
            self.circuits.unreachable(self.target)
        headers = () if failed.answer is None else failed.answer.headers
        self.gates.failed(self.admission, ruling, failure, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passages:
    """Asks the gates of a target and then its circuit: both give leave, or neither does."""

    circuits: Circuits
    gates: Gates

    def ask(self, target: Target) -> Passage | Refused:
        """Leave for one attempt, or the refusal as the caller should see it."""
        account = target.account
        admission = self.gates.admit(
            target.upstream, account.credential, target.model, organisation=account.organisation
        )
        if isinstance(admission, Refusal):
            return admission.error()
        circuit = self.circuits.of(target.name)
        try:
            permit = circuit.acquire()
        except CallNotPermitted as refusal:
            self.gates.report(admission, Outcome.NEUTRAL)
            return refusal
        return Passage(target, self.circuits, circuit, permit, self.gates, admission)

    def closed_for(self, target: Target) -> float:
        """Seconds until the gates of a target let a call through; 0 is now, `inf` when a person says so."""
        account = target.account
        refusal = self.gates.refusal(
            target.upstream, account.credential, target.model, organisation=account.organisation
        )
        if refusal is None:
            return 0.0
        return inf if refusal.retry_after is None else refusal.retry_after

    def is_free(self, target: Target) -> bool:
        """Whether a call could go to that target now; whoever asks in earnest may still be refused."""
        return self.closed_for(target) == 0.0 and self.circuits.state(target.name) not in (
            "open",
            "forced_open",
        )
