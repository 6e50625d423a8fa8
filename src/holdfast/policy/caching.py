"""Which answers may be given again, to which requests, and for how long."""

import hmac
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal, cast

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.retry import check_time
from holdfast.wire.headers import Headers
from holdfast.wire.members import word
from holdfast.wire.messages import MessagesRequest

Scope = Literal["user", "key", "run"]
SHAPING = ("anthropic-version", "anthropic-beta")
"""Headers that make another answer of the same body."""
LISTED = "anthropic-beta"
"""The one that is a list, in which the order does not matter."""
ENDED = frozenset({"end_turn", "stop_sequence"})
"""Stop reasons of answers that are all there; cut off and declined ones are never given again (semantics 2.3)."""
CALLING = "tool_use"
MOST_WAIT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheConfig:
    """Which answers are kept, and who may be given them again.

    Nothing is ever shared between two keys, and nothing that was cut off, declined, broken or said in place of the
    model is kept. A hit counts as a request in quotas and costs nothing.

    Attributes:
        enabled: whether anything is kept at all.
        ttl: seconds for which an answer may be given again.
        max_entries: answers kept in this process.
        max_bytes: bytes of all of them.
        max_answer: bytes of one; a longer answer is not kept.
        scope: who may share an answer: a `user` of a key, everybody with the same `key`, or one `run` of it.
        only_deterministic: only requests with a temperature of 0.
        tainted: also those that hold results of tools, documents, or tools that look things up by themselves.
        tool_calls: also answers that call a tool of the client, in conversations without such texts.
        personalised: also those that name a user, where the scope is wider than one.
        wait: seconds that a call waits for another one that asks the same just now; 0 waits for nobody.
        shared: also in the Redis of the fleet, where there is one; it holds answers as they were given.

    Raises `ConfigError` for a bound that makes no sense.
    """

    enabled: bool = False
    ttl: float = 3600.0
    max_entries: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    max_answer: int = 1024 * 1024
    scope: Scope = "user"
    only_deterministic: bool = False
    tainted: bool = False
    tool_calls: bool = False
    personalised: bool = False
    wait: float = 30.0
    shared: bool = True

    def __post_init__(self) -> None:
        check_time("ttl", self.ttl)
        for name in ("max_entries", "max_bytes", "max_answer"):
            if getattr(self, name) < 1:
                raise ConfigError(_too_few(name))
        if not 0 <= self.wait <= MOST_WAIT:
            raise ConfigError(_wait(self.wait))


class Stored(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer as it is kept: the whole message, and when it was given, in seconds since the epoch."""

    message: bytes
    at: float
    seconds: float
    """For how long it may be given again."""

    def is_fresh(self, now: float) -> bool:
        """Whether it may be given now; a clock that was set back makes nothing older."""
        return now - self.at < self.seconds

    def age(self, now: float) -> float:
        """Seconds since it was given."""
        return max(0.0, now - self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, and how: everything beside the body that makes it another question."""

    key: str
    user: str | None = None
    run: str | None = None
    credential: str | None = None
    """A key of the caller's own, which alone says who he is where we know none."""
    query: str = ""
    headers: Headers = ()


def may_be_asked(config: CacheConfig, request: MessagesRequest, document: Mapping[str, object]) -> bool:
    """Whether an answer to this request may be kept, as far as its own members say.

    That of a conversation with texts from elsewhere (`tainted`) is for the caller to look up.
    """
    demand = request.demand
    looks_up = bool(demand.server_tools or demand.mcp_servers)
    if document.get("container") is not None or (looks_up and not config.tainted):
        return False
    return not config.only_deterministic or document.get("temperature") == 0


def is_personal(config: CacheConfig, asker: Asker) -> bool:
    """Whether an answer is for one user, and others might be given it."""
    return config.scope == "key" and not config.personalised and asker.user is not None


def may_be_kept(config: CacheConfig, stop_reason: str | None) -> bool:
    """Whether an answer that ended so may be given again."""
    return stop_reason in ENDED or (config.tool_calls and stop_reason == CALLING)


def fingerprint(
    secret: bytes, config: CacheConfig, asker: Asker, document: Mapping[str, object], rules: str = ""
) -> str:
    """The name under which an answer is kept: of no use to whoever does not have the secret.

    Two bodies have one name if they mean the same: neither the order of members nor spaces, escapes, or writing
    1 as 1.0 make a difference, nor whether the answer is streamed. `rules` names what else shapes answers.
    """
    whom = (config.scope, asker.key, asker.credential, asker.user if config.scope == "user" else None)
    run = asker.run if config.scope == "run" else None
    said = (whom, run, asker.query, tuple(_shaping(asker.headers)), rules, _meaning(document))
    digest = blake2b(msgspec.json.encode(said, order="deterministic"), digest_size=32).digest()
    return hmac.digest(secret, digest, "sha256").hex()


def question(document: Mapping[str, object]) -> tuple[str, dict[str, object]] | None:
    """What the user said last, and the request without it; `None` where that is not plain text of his own."""
    messages = document.get("messages")
    listed = cast("list[object]", messages) if isinstance(messages, list) else []
    last = listed[-1] if listed else None
    if word(last, "role") != "user":
        return None
    text = _words(cast("dict[str, object]", last).get("content"))
    if text is None:
        return None
    rest = [*listed[:-1], {**cast("dict[str, object]", last), "content": None}]
    return text, {**document, "messages": rest}


class Shelf:
    """Answers by name, bounded in number, bytes and age; callers serialise the access.

    `now` is in seconds since the epoch.
    """

    def __init__(self, *, max_entries: int, max_bytes: int) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: OrderedDict[str, Stored] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes of all answers."""
        return self._bytes

    def keep(self, name: str, answer: Stored) -> None:
        """Keep an answer in the place of an older one; what was used least recently makes room for it."""
        self.forget(name)
        if _room(name, answer) > self._max_bytes:
            return
        self._kept[name] = answer
        self._bytes += _room(name, answer)
        while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
            self.forget(next(iter(self._kept)))

    def find(self, name: str, *, now: float) -> Stored | None:
        """The answer of that name, unless it is too old."""
        answer = self._kept.get(name)
        if answer is None:
            return None
        if not answer.is_fresh(now):
            self.forget(name)
            return None
        self._kept.move_to_end(name)
        return answer

    def forget(self, name: str) -> None:
        """Let go of the answer of that name, if there is one."""
        answer = self._kept.pop(name, None)
        if answer is not None:
            self._bytes -= _room(name, answer)


def cosine(one: Iterable[float], other: Iterable[float]) -> float:
    """How much two meanings point the same way: 1 is the same, 0 has nothing to do with it."""
    pairs = list(zip(one, other, strict=True))
    lengths = sum(a * a for a, _ in pairs) * sum(b * b for _, b in pairs)
    return sum(a * b for a, b in pairs) / lengths**0.5 if lengths else 0.0


def _shaping(headers: Headers) -> Iterator[tuple[str, list[str]]]:
    """The headers that matter, as what they mean."""
    for name in SHAPING:
        values = [value.strip() for key, value in headers if key == name]
        if name == LISTED:
            values = sorted({one.strip() for value in values for one in value.split(",") if one.strip()})
        yield name, values


def _meaning(document: Mapping[str, object]) -> dict[str, object]:
    """A body without what does not change the answer."""
    left = {name: _plain(value) for name, value in document.items() if name != "stream"}
    metadata = left.get("metadata")
    if isinstance(metadata, dict):
        others = {
            name: value for name, value in cast("dict[str, object]", metadata).items() if name != "user_id"
        }
        left["metadata"] = others
        if not others:
            del left["metadata"]
    return left


def _plain(value: object) -> object:
    """A value of JSON in which every number is written in one way."""
    match value:
        case dict():
            return {name: _plain(one) for name, one in cast("dict[str, object]", value).items()}
        case list():
            return [_plain(one) for one in cast("list[object]", value)]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def _words(content: object) -> str | None:
    if isinstance(content, str):
        return content
    blocks = cast("list[object]", content) if isinstance(content, list) else []
    texts = [word(block, "text") if word(block, "type") == "text" else None for block in blocks]
    return "\n".join(text for text in texts if text is not None) if texts and None not in texts else None


def _room(name: str, answer: Stored) -> int:
    return len(name) + len(answer.message)


def _too_few(name: str) -> Sentence:
    return Sentence(
        f"{name}: must be 1 or more; to keep nothing, leave the cache out",
        ko=f"{name}: 1 이상이어야 합니다. 아무것도 보관하지 않으려면 캐시를 빼세요",
    )


def _wait(seconds: float) -> Sentence:
    return Sentence(
        f"wait: {seconds:g} is not between 0 and {MOST_WAIT:g} seconds",
        ko=f"wait: {seconds:g}초는 0~{MOST_WAIT:g}초 범위를 벗어납니다",
    )
