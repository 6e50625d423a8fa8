"""What a conversation loses when its prompt changes where the cache of prompts still knew it, and which block it was."""

from dataclasses import dataclass, replace

from msgspec import Struct

from holdfast.wire.prefix import SIZE, Prefix
from holdfast.wire.usage import Usage

SMALLEST = 1_024
"""Tokens; the shortest prompt that is cached at all, so that a loss below it is none."""
FIVE_MINUTES, HOUR = 300.0, 3_600.0
"""Seconds for which the API keeps what was written; every reading begins them anew."""

WORDS_IN_COMMON = 3
"""Blocks of messages from which on no two conversations are taken to hold the same."""


class CacheStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the cache of prompts did for one call, as its story tells it.

    Attributes:
        conversation: the same for all requests of one conversation that this worker has seen; holds no text.
        hit: the part of the prompt that was read from the cache, from 0 to 1.
        conversation_hit: the same of the conversation as a whole.
        block: the first block that is not as it was in the request before, where that has cost something:
            `tools.3`, `system.0`, `messages.4.content.1`; `model` or `upstream` if the call went elsewhere.
        lost_tokens: what the cache still knew and was not read from it.
        lost_pico: what that has cost more than reading it would have; `None` without a price.
    """

    conversation: str
    hit: float
    conversation_hit: float
    block: str | None = None
    lost_tokens: int = 0
    lost_pico: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request that was answered: where it went, when it was sent, and what its answer says of the cache."""

    prefix: Prefix
    model: str
    upstream: str
    at: float
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is kept of a conversation: digests and counts of its newest request, and sums over all of them.

    Attributes:
        settled: how many of the digests come before the first message.
        cached: tokens that the cache knew after it; `keeps` for how many seconds.
        read, prompt: tokens read from the cache, and sent, in all requests together.
    """

    name: str
    digests: bytes
    settled: int
    model: str
    upstream: str
    at: float
    cached: int
    keeps: float
    read: int
    prompt: int

    @property
    def hit(self) -> float:
        """The part of all prompts that was read from the cache."""
        return _share(self.read, self.prompt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bust:
    """A block that changed, and how many tokens were not read from the cache for it."""

    block: str
    lost_tokens: int


def is_next(before: Remembered, prefix: Prefix) -> bool:
    """Whether a request goes on with a conversation: it holds at least half of the messages that were there.

    Where they stand does not count, so that one that forgets its beginning is still the same. Many begin with the
    same words: of one that has only begun, the next request must hold more.
    """
    known, there = _blocks(before.digests)[before.settled :], _blocks(prefix.digests)[prefix.settled :]
    if not known or len(there) <= len(known) < WORDS_IN_COMMON:
        return False
    found = set(there)
    return 2 * sum(one in found for one in known) >= len(known)


def first_change(before: Remembered, prefix: Prefix) -> str | None:
    """The first block that is not what stood in its place before; `None` where only more has come, or less."""
    known, there = _blocks(before.digests), _blocks(prefix.digests)
    pairs = zip(known, there, prefix.paths, strict=False)
    return next((path for was, now, path in pairs if was != now), None)


def busted(before: Remembered, sent: Sent) -> Bust | None:
    """The block that made the cache forget, if it would still have known what was sent before."""
    read, prompt = sent.usage.cache_read_input_tokens, sent.usage.prompt_tokens
    lost = min(before.cached, prompt) - read
    if lost < SMALLEST or sent.at - before.at > before.keeps:
        return None
    block = _elsewhere(before, sent) or first_change(before, sent.prefix)
    return None if block is None else Bust(block=block, lost_tokens=lost)


def remembered(before: Remembered | None, sent: Sent, name: str) -> Remembered:
    """What is kept of a conversation after a request; `name` is that of one which begins with it."""
    usage = sent.usage
    writes_long = usage.cache_creation_1h_input_tokens > 0
    reads_long = before is not None and before.keeps == HOUR and usage.cache_read_input_tokens > 0
    return Remembered(
        name=name if before is None else before.name,
        digests=sent.prefix.digests,
        settled=sent.prefix.settled,
        model=sent.model,
        upstream=sent.upstream,
        at=sent.at,
        cached=usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
        keeps=HOUR if writes_long or reads_long else FIVE_MINUTES,
        read=usage.cache_read_input_tokens + (0 if before is None else before.read),
        prompt=usage.prompt_tokens + (0 if before is None else before.prompt),
    )


def step(after: Remembered, usage: Usage, bust: Bust | None, lost_pico: int | None) -> CacheStep:
    """What the story of a call tells of it."""
    return CacheStep(
        conversation=after.name,
        hit=_share(usage.cache_read_input_tokens, usage.prompt_tokens),
        conversation_hit=after.hit,
        block=None if bust is None else bust.block,
        lost_tokens=0 if bust is None else bust.lost_tokens,
        lost_pico=lost_pico,
    )


def as_read(usage: Usage, tokens: int) -> Usage:
    """The same usage, had so many tokens been read from the cache: first those written to it, then plain ones.

    Of a long writing as much is taken away as of a short one is not there.
    """
    written = min(tokens, usage.cache_creation_input_tokens)
    plain = min(tokens - written, usage.input_tokens)
    left = usage.cache_creation_input_tokens - written
    return replace(
        usage,
        cache_creation_input_tokens=left,
        cache_creation_1h_input_tokens=min(usage.cache_creation_1h_input_tokens, left),
        input_tokens=usage.input_tokens - plain,
        cache_read_input_tokens=usage.cache_read_input_tokens + written + plain,
        iterations=(),
    )


def _elsewhere(before: Remembered, sent: Sent) -> str | None:
    """Every model and every upstream has a cache of its own."""
    if before.model != sent.model:
        return "model"
    return "upstream" if before.upstream != sent.upstream else None


def _blocks(digests: bytes) -> list[bytes]:
    return [digests[start : start + SIZE] for start in range(0, len(digests), SIZE)]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
