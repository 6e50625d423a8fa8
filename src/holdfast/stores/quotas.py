"""From the address of a fleet's Redis, or none, to the store of its quotas and the place of its gossip."""

from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_bytes

from holdfast.clock import Clock, Dice
from holdfast.errors import ConfigError
from holdfast.events import Observer, unobserved
from holdfast.gossip import Gossip
from holdfast.language import Sentence
from holdfast.ports import AnswerStore, QuotaStore
from holdfast.stores.quota_memory import MemoryQuotas


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What workers share while they work; one that is alone has its own quotas and nobody to talk to.

    `secret` is known to all of them and to nobody else, as long as the address of their Redis is not.
    """

    quotas: QuotaStore
    gossip: Gossip | None = None
    answers: AnswerStore | None = None
    secret: bytes = field(default_factory=lambda: token_bytes(32), repr=False)


def open_quotas(
    url: str,
    *,
    clock: Clock,
    workers: int = 1,
    dice: Dice | None = None,
    observe: Observer = unobserved,
) -> QuotaStore:
    """The quotas of `open_fleet` alone."""
    return open_fleet(url, clock=clock, workers=workers, dice=dice, observe=observe).quotas


def open_fleet(
    url: str,
    *,
    clock: Clock,
    workers: int = 1,
    dice: Dice | None = None,
    observe: Observer = unobserved,
) -> Fleet:
    """Stores in Redis, or in this process without an address; connects when first used.

    Raises `ConfigError` for an address that is none, and when the extra `fleet` is not installed.
    """
    if not url:
        return Fleet(quotas=MemoryQuotas(clock=clock))
    try:
        from holdfast.stores.answers_redis import RedisAnswers
        from holdfast.stores.gossip_redis import RedisGossip
        from holdfast.stores.quota_redis import RedisQuotas
        from holdfast.stores.redis_link import RedisLink
    except ModuleNotFoundError as error:
        raise ConfigError(
            Sentence(
                'redis_url: the client of Redis is not installed; run pip install "holdfast[fleet]"',
                ko='redis_url: Redis 클라이언트가 설치되어 있지 않습니다. pip install "holdfast[fleet]"을 실행하세요',
            )
        ) from error
    # The link is left the clock of the machine: whatever time it is for others, its sockets live in that one.
    link = RedisLink(url, dice=dice, observe=observe)
    quotas = RedisQuotas(link, workers=workers, clock=clock)
    secret = sha256(b"holdfast answers\0" + url.encode()).digest()
    return Fleet(
        quotas=quotas,
        gossip=RedisGossip(link, clock=clock),
        answers=RedisAnswers(link, secret=secret, clock=clock),
        secret=secret,
    )
