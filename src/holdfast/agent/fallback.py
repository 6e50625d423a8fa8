"""What an agent says when there is no answer."""

import inspect
from collections.abc import Awaitable, Callable

from holdfast.agent.exchange import Asking
from holdfast.agent.reply import Reply
from holdfast.errors import HoldfastError, Refused, StoreUnavailable, UpstreamError
from holdfast.language import Language, Sentence
from holdfast.wire.usage import Usage

POLITE = Sentence(
    "Sorry, I cannot answer right now. Please try again in a moment.",
    ko="죄송합니다. 지금은 답변을 드릴 수 없습니다. 잠시 후 다시 시도해 주세요.",
)
ANSWERABLE = (Refused, UpstreamError, StoreUnavailable)
"""What a fallback stands in for; programming errors always raise."""

Fallback = str | Sentence | Callable[[HoldfastError], str | Awaitable[str]]


def is_fallback(fallback: object) -> bool:
    """Whether this can answer, or is `None`, which raises the error instead."""
    return fallback is None or isinstance(fallback, str | Sentence) or callable(fallback)


async def fall_back(
    fallback: Fallback | None, asking: Asking, error: HoldfastError, language: Language
) -> Reply:
    """The reply in place of an answer, at the cost of the attempts in vain; raises `error` without a fallback."""
    exchange = asking.exchange
    error.request_id = error.request_id or exchange.request_id
    if fallback is None:
        raise error
    return Reply(
        text=await _spoken(fallback, error, language),
        outcome="fallback",
        reason=error,
        usage=Usage(),
        cost=asking.cost,
        model=exchange.model,
        request_id=exchange.request_id,
        stop_reason=None,
        attempts=error.attempts,
        conversation=exchange.conversation,
    )


async def _spoken(fallback: Fallback, error: HoldfastError, language: Language) -> str:
    match fallback:
        case str():
            return fallback
        case Sentence():
            return fallback.say(language)
        case _:
            text = fallback(error)
            return await text if inspect.isawaitable(text) else text
