"""Gates with a clock that a test moves."""

from holdfast.clock import Dice
from holdfast.events import Event
from holdfast.policy.failure import Failure, rule
from holdfast.policy.failure import Gate as GateName
from holdfast.policy.gate import GateConfig
from holdfast.policy.permit import Outcome
from holdfast.testing import FakeClock
from holdfast.upstream.gates import Gates, Pass, Refusal
from holdfast.wire.headers import Headers

SONNET = ("anthropic", "main", "claude-sonnet-5-5")
HAIKU = ("anthropic", "main", "claude-haiku-5-5")
OTHER_KEY = ("anthropic", "spare", "claude-sonnet-5-5")
OTHER_UPSTREAM = ("europe", "main", "claude-sonnet-5-5")

FAILURES: dict[GateName, Failure] = {
    "rate": Failure(
        phase="response", kind="http", status=429, error_type="rate_limit_error", retry_after=20.0
    ),
    "spend": Failure(phase="response", kind="http", status=402, error_type="billing_error"),
    "credential": Failure(phase="response", kind="http", status=401, error_type="authentication_error"),
    "ramp": Failure(
        phase="response", kind="http", status=429, error_code="ramp_limit_exceeded", retry_after=20.0
    ),
}
RATE = FAILURES["rate"]


class NoDice(Dice):
    """Always rolls 0: no jitter."""

    def random(self) -> float:
        return 0.0


class GateHouse:
    """Gates with a clock that a test moves, and everything they announced."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.gates = Gates(GateConfig(), clock=self.clock, dice=NoDice(), observe=self.events.append)

    def admit(self, place: tuple[str, str, str] = SONNET, organisation: str | None = None) -> Pass:
        admission = self.gates.admit(*place, organisation=organisation)
        assert isinstance(admission, Pass)
        return admission

    def refused(self, place: tuple[str, str, str] = SONNET, organisation: str | None = None) -> Refusal:
        refusal = self.gates.admit(*place, organisation=organisation)
        assert isinstance(refusal, Refusal)
        assert self.gates.refusal(*place, organisation=organisation) == refusal
        return refusal

    def fail(self, admission: Pass, failure: Failure, headers: Headers = ()) -> None:
        self.gates.failed(admission, rule(failure), failure, headers=headers)

    def close(self, name: GateName, place: tuple[str, str, str] = SONNET) -> None:
        self.fail(self.admit(place), FAILURES[name])

    def ok(self, place: tuple[str, str, str] = SONNET) -> None:
        self.gates.report(self.admit(place), Outcome.OK)
