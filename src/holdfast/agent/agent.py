"""`ProductionAgent`: the article's agent, with every call through the guarded pipeline."""

import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import KW_ONLY, dataclass, field, replace
from threading import Lock
from types import TracebackType
from typing import Protocol, Self, TypedDict, get_args

from holdfast.agent.conversation import Conversations
from holdfast.agent.exchange import Asking, Exchange, Question
from holdfast.agent.fallback import ANSWERABLE, POLITE, Fallback, fall_back, is_fallback
from holdfast.agent.reading import failure_of, message_text, texts_of
from holdfast.agent.reply import AgentMetrics, Reply
from holdfast.agent.stream import ReplyStream
from holdfast.assembly import Runtime, assemble, has_key
from holdfast.call import Call
from holdfast.errors import ConfigError, HoldfastError, InputRejected
from holdfast.language import Language, Sentence
from holdfast.parts.cost import CostTracker
from holdfast.parts.validator import InputValidator
from holdfast.pipeline import Settling
from holdfast.policy.routing import UpstreamConfig
from holdfast.policy.sanitation import whole
from holdfast.settings import Settings
from holdfast.wire.usage import Usage

LONGEST = 100_000
"""Characters of a message, as in the article, where `screen.max_length` sets no other limit."""


class Hold(Protocol):
    """What an agent needs of a `Holdfast`."""

    @property
    def runtime(self) -> Runtime:
        """The open pipeline and all it stands on."""
        ...

    @property
    def opened(self) -> Runtime | None:
        """The same, or `None` while it is closed."""
        ...


class AgentOptions(TypedDict, total=False):
    """What `ProductionAgent` takes beside a model, where a `Holdfast` makes it."""

    system: str | None
    fallback: Fallback | None
    max_tokens: int
    max_retries: int
    language: Language
    name: str | None


@dataclass(slots=True, eq=False)
class ProductionAgent:
    """An agent that stays up: validation, circuit breaker, retries, cost, record, and a fallback answer.

    Args:
        model: a model id; the configured standard model when left out.
        system: the system prompt.
        fallback: what `chat` answers when the input is refused, the circuit is open, the deadline is over or
            the upstream fails: a text, or a callable that gets the error; `None` raises the error instead.
        max_tokens: upper bound of one answer.
        max_retries: attempts in all, as in the article; 0 and 1 both mean a single one. On a shared `hold` it
            can only lower what its settings allow.
        language: of the fallback, `en` or `ko`; every error has both: `reply.reason.say("ko")`.
        hold: share the pipeline of a `Holdfast`; without it the agent opens one of its own.
        upstream: address of a Messages API, or `simulator`; only without `hold`.

    Usable as it is, as `async with`, and as `with`; concurrent chats do not mix. Raises `ConfigError` for
    settings that make no sense, `KeyMissing` when asked without a key for its upstream.
    """

    model: str | None = None
    _: KW_ONLY
    system: str | None = None
    fallback: Fallback | None = POLITE
    max_tokens: int = 4096
    max_retries: int = 3
    language: Language = "en"
    name: str | None = None
    hold: Hold | None = None
    upstream: str | None = None
    _opening: Lock = field(default_factory=Lock, init=False, repr=False)
    _own: Runtime | None = field(default=None, init=False, repr=False)
    _costs: CostTracker = field(default_factory=CostTracker, init=False, repr=False)
    _conversations: Conversations = field(default_factory=Conversations, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.max_tokens < 1 or self.max_retries < 0:
            raise _config_error(
                "max_tokens must be at least 1 and max_retries at least 0",
                "max_tokens는 1 이상, max_retries는 0 이상이어야 합니다",
            )
        if self.hold is not None and self.upstream is not None:
            raise _config_error(
                "give either hold or upstream: a hold has upstreams of its own",
                "hold와 upstream 중 하나만 쓰세요. hold에는 업스트림이 이미 있습니다",
            )
        if self.upstream is not None:
            UpstreamConfig.at(self.upstream)
        if self.language not in get_args(Language):
            raise _config_error(
                f"language is {self.language!r}: write 'en' or 'ko'",
                f"language 값이 {self.language!r}입니다. 'en'이나 'ko'로 적으세요",
            )
        if not is_fallback(self.fallback):
            raise _config_error(
                f"fallback is {self.fallback!r}: give a text, a callable that takes the error, or None to raise it",
                f"fallback 값이 {self.fallback!r}입니다. 글, 오류를 받는 함수, 또는 오류를 그대로 올리는 None을 쓰세요",
            )

    async def chat(self, message: str, *, user: str | None = None, conversation: str | None = None) -> Reply:
        """Send one message and wait for the whole answer.

        Raises:
            TypeError: `message` is no text.
            HoldfastError: only with `fallback=None`; `ConfigError` always.
        """
        asking = Asking(self._ask_for(message, user, conversation))
        try:
            return await self._ask(asking)
        except ANSWERABLE as error:
            return await self._fall_back(asking, error)

    def chat_sync(self, message: str, *, user: str | None = None, conversation: str | None = None) -> Reply:
        """`chat` for scripts and notebooks: blocks this thread until the answer is there."""
        return self._runtime().portal.call(self.chat(message, user=user, conversation=conversation))

    def stream(
        self, message: str, *, user: str | None = None, conversation: str | None = None
    ) -> ReplyStream:
        """Send one message and read the answer as it comes: `async for text in agent.stream(...)`.

        A failure before the first text becomes the fallback; one after it raises `StreamInterrupted`.
        """
        exchange = self._ask_for(message, user, conversation)
        return ReplyStream(lambda finished: self._stream(Asking(exchange), finished))

    def metrics(self) -> AgentMetrics:
        """What this agent has used, and the state of its circuit."""
        runtime = self._open
        circuit = "closed" if runtime is None else runtime.circuit_state(self._model(runtime))
        return AgentMetrics.of(self._costs.summary(), circuit)

    async def aclose(self) -> None:
        """Close the pipeline this agent opened for itself; may be called twice, and the agent used again."""
        if (own := self._disown()) is not None:
            await own.aclose()

    def close(self) -> None:
        """`aclose` for scripts and notebooks."""
        if (own := self._disown()) is not None:
            own.close()

    async def __aenter__(self) -> Self:
        self._runtime()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __enter__(self) -> Self:
        self._runtime()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _open(self) -> Runtime | None:
        return self.hold.opened if self.hold is not None else self._own

    def _runtime(self) -> Runtime:
        if self.hold is not None:
            return self.hold.runtime
        with self._opening:
            if self._own is None:
                self._own = assemble(self._settings())
            return self._own

    def _settings(self) -> Settings:
        settings = Settings.load()
        if self.upstream is not None:
            chosen = UpstreamConfig.at(self.upstream, has_key=has_key())
            settings = replace(settings, upstreams={"default": chosen})
        return replace(settings, retry=replace(settings.retry, attempts=self._attempts))

    def _disown(self) -> Runtime | None:
        with self._opening:
            own, self._own = self._own, None
            return own

    @property
    def _attempts(self) -> int:
        return max(1, self.max_retries)

    def _model(self, runtime: Runtime) -> str:
        return self.model or runtime.settings.models.standard

    def _ask_for(self, message: str, user: str | None, conversation: str | None) -> Exchange:
        if not isinstance(message, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without types
            raise TypeError(f"message must be str, not {type(message).__name__}")
        runtime = self._runtime()
        runtime.require_keys()
        return Exchange(
            runtime=runtime,
            message=message,
            conversation=whole(conversation or f"conv_{secrets.token_hex(12)}"),
            request_id=runtime.new_id(),
            model=self._model(runtime),
            user=None if user is None else whole(user),
            agent=None if self.name is None else whole(self.name),
        )

    def _call(self, asking: Asking, *, stream: bool) -> Call:
        asking.exchange = self._checked(asking.exchange)
        question = Question(
            history=self._conversations.history(asking.exchange.conversation),
            system=None if self.system is None else whole(self.system),
            max_tokens=self.max_tokens,
            stream=stream,
        )
        asking.call = question.call(asking.exchange, attempts=self._attempts)
        return asking.call

    def _checked(self, exchange: Exchange) -> Exchange:
        # The pipeline screens every text once, for all doors; here only what makes no sense to send is refused.
        longest = exchange.runtime.settings.screen.max_length or LONGEST
        validator = InputValidator(detector=None, max_length=longest)
        checked = validator.validate(exchange.message)
        if not checked.is_valid:
            korean = replace(validator, language="ko").validate(exchange.message)
            raise InputRejected(Sentence(" ".join(checked.errors), ko=" ".join(korean.errors)))
        return replace(exchange, message=checked.sanitized_input)

    async def _ask(self, asking: Asking) -> Reply:
        answer = await asking.exchange.runtime.pipeline(self._call(asking, stream=False))
        body = await answer.read()
        request_id = asking.exchange.request_id
        if (failure := failure_of(answer, body, request_id)) is not None:
            raise failure
        asking.meter = answer.response.meter
        self._count(asking)
        return self._answered(asking, answer, message_text(answer, body, request_id))

    async def _stream(self, asking: Asking, finished: Callable[[Reply], None]) -> AsyncGenerator[str, None]:
        pieces: list[str] = []
        request_id = asking.exchange.request_id
        try:
            call = self._call(asking, stream=True)
            answer = await asking.exchange.runtime.pipeline(call)
            try:
                async with aclosing(answer), aclosing(texts_of(answer, request_id)) as texts:
                    async for text in texts:
                        pieces.append(text)
                        yield text
            finally:
                # Behind its end: an attempt that was still under way is on the tally only then.
                asking.meter = answer.response.meter
                self._count(asking)
            finished(self._answered(asking, answer, "".join(pieces)))
        except ANSWERABLE as error:
            if pieces:
                error.request_id = error.request_id or request_id
                raise
            reply = await self._fall_back(asking, error)
            yield reply.text
            finished(reply)

    def _count(self, asking: Asking) -> None:
        """Count what was used, once; what failed without an answer counts where it has cost something."""
        if not asking.is_counted and (asking.has_begun or asking.cost != 0):
            asking.is_counted = True
            meter = asking.meter
            usage = Usage() if meter is None else meter.usage
            self._costs.add_charge(asking.exchange.model, usage, asking.cost)

    def _answered(self, asking: Asking, answer: Settling, text: str) -> Reply:
        exchange, meter, label = asking.exchange, answer.response.meter, answer.response.label
        if text.strip() and meter.stop_reason != "refusal" and label != "fallback":
            # The API takes no empty turn, and goes on refusing where a refusal stands in the history; words of
            # ours are none of the model's.
            self._conversations.add(exchange.conversation, exchange.message, text)
        return Reply(
            text=text,
            outcome=label,
            usage=meter.usage,
            cost=asking.cost,
            model=meter.model or exchange.model,
            request_id=exchange.request_id,
            stop_reason=meter.stop_reason,
            attempts=answer.response.attempts,
            conversation=exchange.conversation,
        )

    async def _fall_back(self, asking: Asking, error: HoldfastError) -> Reply:
        self._count(asking)
        return await fall_back(self.fallback, asking, error, self.language)


def _config_error(english: str, korean: str) -> ConfigError:
    return ConfigError(Sentence(english, ko=korean))
