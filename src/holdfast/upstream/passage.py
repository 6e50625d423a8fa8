"""Leave to make one attempt: of the gates before a target, and of the circuit behind them."""

from dataclasses import dataclass, replace
from math import inf

from holdfast.errors import CallNotPermitted, Refused
from holdfast.language import Sentence
from holdfast.parts.breaker import CircuitBreaker
from holdfast.policy.breaker import PROBE_RETRY_AFTER
from holdfast.policy.failure import Ruling
from holdfast.policy.permit import Outcome, Permit
from holdfast.policy.routing import Target
from holdfast.upstream.attempt import Failed
from holdfast.upstream.circuits import Circuits
from holdfast.upstream.gates import Gates, Pass, Refusal
from holdfast.upstream.probes import Probes


@dataclass(frozen=True, slots=True)
class Place:
    """A place among the probes of the fleet, to be given back."""

    probes: Probes
    id: str

    def give_back(self) -> None:
        """The probe has told what it had to tell."""
        self.probes.give_back(self.id)


@dataclass(frozen=True, slots=True)
class Passage:
    """Leave for one attempt; it goes back once, by `ended` or `failed`, and a second time changes nothing."""

    target: Target
    circuits: Circuits
    circuit: CircuitBreaker
    permit: Permit
    gates: Gates
    admission: Pass
    place: Place | None = None

    def begin(self) -> None:
        """The first content of a stream came: probes have come through."""
        self.circuit.begin(self.permit)
        self._give_back()
        self.gates.begin(self.admission)

    def ended(self, outcome: Outcome) -> None:
        """The attempt is over, with nothing against the gates."""
        self.circuit.report(self.permit, outcome)
        self._give_back()
        self.gates.report(self.admission, outcome)

    def failed(self, failed: Failed, ruling: Ruling) -> None:
        """The attempt failed: tell the circuits that it speaks against, and close the gate that is named."""
        failure = failed.failure
        self.circuit.report(self.permit, ruling.outcome, retry_after=failure.retry_after)
        self._give_back()
        if failure.phase == "connect":
            self.circuits.unreachable(self.target)
        headers = () if failed.answer is None else failed.answer.headers
        self.gates.failed(self.admission, ruling, failure, headers=headers)

    def _give_back(self) -> None:
        if self.place is not None:
            self.place.give_back()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passages:
    """Asks the gates of a target and then its circuit: both give leave, or neither does.

    In a fleet a call that would probe needs a place among the `probes` of all workers, too.
    """

    circuits: Circuits
    gates: Gates
    probes: Probes | None = None

    async def admit(self, target: Target) -> Passage | Refused:
        """`ask`; who is no probe, or has no peers, does not wait for anybody."""
        passage = self.ask(target)
        if self.probes is None or isinstance(passage, Refused) or not passage.permit.is_probe:
            return passage
        try:
            place = await self.probes.take(target.name)
        except BaseException:
            passage.ended(Outcome.NEUTRAL)
            raise
        if place is None:
            passage.ended(Outcome.NEUTRAL)
            return _others_probe(target)
        return replace(passage, place=Place(self.probes, place))

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


def _others_probe(target: Target) -> CallNotPermitted:
    return CallNotPermitted(
        Sentence(
            f"The circuit {target.name!r} is open because the service behind it kept failing, and other workers"
            f" are trying it just now. Come back in {PROBE_RETRY_AFTER:.1f} s, or use a fallback until then.",
            ko=f"서킷 {target.name!r}의 대상 서비스가 계속 실패하여 호출을 막았고, 지금 다른 워커가 복구 여부를 확인하고"
            f" 있습니다. {PROBE_RETRY_AFTER:.1f}초 뒤에 다시 호출하거나 그때까지 대체 응답을 쓰세요.",
        ),
        retry_after=PROBE_RETRY_AFTER,
        details={"circuit": target.name},
    )
