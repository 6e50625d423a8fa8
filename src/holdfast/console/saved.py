"""What caches and routing have saved, each with how it is reckoned."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from holdfast.assembly import Runtime
from holdfast.errors import UnknownModel
from holdfast.language import Sentence
from holdfast.operations.desk import Desk
from holdfast.operations.spend import money
from holdfast.policy.money import plain
from holdfast.ports import CallQuery, CallRecord

LOOKED_AT = 500
"""The newest requests that the prompt cache is reckoned from: the sums of a ledger do not tell its tokens apart."""

HOW: Mapping[str, Sentence] = {
    "cache": Sentence(
        "What the answers that came from the cache of this worker had cost when they were first given, since it began.",
        ko="이 워커가 시작된 뒤 캐시에서 꺼낸 응답들이 처음 나올 때 들었던 비용입니다.",
    ),
    "prompt_cache": Sentence(
        "The newest {count} requests at today's prices, against the same tokens all billed as plain input; "
        "cache writes cost more than input, so this can be below zero.",
        ko="최근 요청 {count}건의 실제 비용과, 같은 토큰을 모두 일반 입력으로 냈을 때의 비용을 오늘 요금으로 비교했습니다. "
        "캐시 쓰기는 일반 입력보다 비싸므로 음수가 될 수 있습니다.",
    ),
    "route": Sentence(
        "What the calls of this worker that were sent to another model cost, against the model they asked for, "
        "since it began.",
        ko="이 워커가 시작된 뒤 다른 모델로 보낸 호출의 비용과, 요청한 모델을 썼을 때의 비용을 비교했습니다.",
    ),
    "route_shadow": Sentence(
        "Routing only watches (shadow): so much it would have saved since this worker began.",
        ko="라우팅이 지켜보기만 합니다(shadow). 이 워커가 시작된 뒤 절약했을 금액입니다.",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """One way to save; `amount` in exact dollars as text, `calls` that it is of."""

    name: str
    amount: str | None
    calls: int
    how: Sentence


async def savings(runtime: Runtime, desk: Desk) -> tuple[Saving, ...]:
    """The cache of answers, the prompt cache, and routing."""
    answers, route = runtime.stations.cache.stats(), runtime.stations.route.stats()
    page = await desk.store.calls(CallQuery(limit=LOOKED_AT))
    cached = [one for one in page.calls if one.usage.cache_read_input_tokens or _written(one)]
    is_shadow = runtime.settings.route.shadow
    how = HOW["prompt_cache"]
    count = str(len(page.calls))
    return (
        Saving(name="cache", amount=plain(answers.saved), calls=answers.hits, how=HOW["cache"]),
        Saving(
            name="prompt_cache",
            amount=money(sum(_saved(runtime, one) for one in cached)),
            calls=len(cached),
            how=Sentence(how.en.replace("{count}", count), ko=how.ko.replace("{count}", count)),
        ),
        Saving(
            name="route",
            amount=plain(route.saved),
            calls=route.changed,
            how=HOW["route_shadow" if is_shadow else "route"],
        ),
    )


def _written(one: CallRecord) -> int:
    return one.usage.cache_creation_input_tokens


def _saved(runtime: Runtime, one: CallRecord) -> int:
    """Pico-dollars; nothing for a model without a price."""
    usage = one.usage
    plainly = replace(
        usage,
        input_tokens=usage.prompt_tokens,
        cache_read_input_tokens=0,
        cache_creation_input_tokens=0,
        cache_creation_1h_input_tokens=0,
        iterations=(),
    )
    model = one.served_model or one.model
    try:
        real = runtime.prices.cost_pico(model, replace(usage, iterations=()), at=one.at)
        return runtime.prices.cost_pico(model, plainly, at=one.at) - real
    except UnknownModel:
        return 0
