"""What an agent says when there is no answer."""

import inspect
from collections.abc import Awaitable, Callable

from holdfast.errors import HoldfastError, Refused, StoreUnavailable, UpstreamError
from holdfast.language import Language, Sentence

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


async def spoken(fallback: Fallback, error: HoldfastError, language: Language) -> str:
    """What it says to this error."""
    match fallback:
        case str():
            return fallback
        case Sentence():
            return fallback.say(language)
        case _:
            text = fallback(error)
            return await text if inspect.isawaitable(text) else text
