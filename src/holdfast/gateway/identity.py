"""Who stands at the gateway, and what of the request may go on."""

from dataclasses import dataclass, replace

from holdfast.assembly import Runtime
from holdfast.call import NO_LIMITS, OwnLimits, OwnTools, Principal
from holdfast.errors import NotAllowed
from holdfast.identity import identified, owned
from holdfast.language import Sentence
from holdfast.orders import KEY
from holdfast.policy.keys import NO_KEY_LIMITS, KeyRecord
from holdfast.stations import redis_url
from holdfast.upstream.request import CREDENTIALS
from holdfast.wire.headers import Headers, without

_LARGER = Sentence(
    "ask an operator for a key with a higher limit", ko="운영자에게 한도가 더 높은 키를 요청하세요"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A caller who may come in, and the headers that may go on: a key of ours goes no further."""

    principal: Principal
    headers: Headers
    record: KeyRecord | None = None
    own_limits: OwnLimits = NO_LIMITS
    own_tools: OwnTools | None = None
    counting_apart: int = 1
    """How many workers count rates each for itself."""

    @property
    def limits(self) -> OwnLimits:
        """What the caller's key may be used for, beside the limits of the settings."""
        if self.record is None or self.record.limits == NO_KEY_LIMITS:
            return self.own_limits
        name, limits = self.record.name, self.record.limits
        return OwnLimits(
            budgets=limits.budgets(name),
            quotas=limits.quotas(name, workers=self.counting_apart),
            cure=_LARGER,
        )

    @property
    def models(self) -> frozenset[str]:
        """The models that the caller's key is for; empty for any."""
        return frozenset() if self.record is None else frozenset(self.record.models)

    def check_model(self, model: str) -> None:
        """Raise `NotAllowed` for a model that the caller's key is not for."""
        if self.record is not None and self.record.models and model not in self.record.models:
            raise _not_for_model(model[:100], self.record)


class Doorkeeper:
    """Lets anybody in until there is a key; from then on whoever carries a good one."""

    async def admit(self, runtime: Runtime, headers: Headers) -> Visitor:
        """The visitor; raises `Unauthenticated`, `NotAllowed`, and `StoreUnavailable` while keys are unknown."""
        await runtime.begin()
        runtime.stations.orders.require_known()
        if not runtime.stations.watch.entries(KEY):
            return Visitor(principal=identified(Principal(door="gateway"), headers), headers=headers)
        record = runtime.keys().authenticate(headers)
        return Visitor(
            principal=_known(record, headers),
            headers=without(headers, *CREDENTIALS),
            record=record,
            counting_apart=1 if redis_url(runtime.settings) else runtime.settings.gateway.workers,
        )


def _known(record: KeyRecord, headers: Headers) -> Principal:
    """Whom a key stands for: what it says of its user and tags, no header can talk away.

    A run is one of its key: another key that names the same id must not use up what this run may cost.
    """
    caller = identified(Principal(door="gateway", key=record.name, tags=record.tags), headers)
    run = None if caller.run is None else owned(record.name, caller.run)
    return replace(caller, run=run, user=record.user or caller.user)


def _not_for_model(model: str, record: KeyRecord) -> NotAllowed:
    known = ", ".join(record.models)
    return NotAllowed(
        Sentence(
            f"The key `{record.name}` is not for the model `{model}`, only for {known}. Ask for one of these, or "
            "have the key changed.",
            ko=f"키 `{record.name}`(으)로는 모델 `{model}`을(를) 쓸 수 없습니다. 쓸 수 있는 모델: {known}. "
            "이 중 하나를 요청하거나 키 설정을 바꾸세요.",
        )
    )
