"""`POST /v1/messages`: what a valid request is answered with, and what that costs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.simulator import thoughts
from holdfast.simulator.actions import Action
from holdfast.simulator.capture import Ending
from holdfast.simulator.delivery import Delivery
from holdfast.simulator.dice import Rolls, identifier
from holdfast.simulator.edits import edited_message
from holdfast.simulator.exchange import Exchange
from holdfast.simulator.latency import Pace
from holdfast.simulator.ledger import LedgerEntry, cost
from holdfast.simulator.limits import Moment, Who
from holdfast.simulator.message import Message, finish
from holdfast.simulator.plain import send_plain
from holdfast.simulator.problems import ApiError
from holdfast.simulator.prompt import CacheUse
from holdfast.simulator.refusals import refusal
from holdfast.simulator.replies import Manner, compose
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.streamed import send_stream
from holdfast.simulator.usage import Usage
from holdfast.simulator.values import JsonObject
from holdfast.simulator.wrapping import wrapping

if TYPE_CHECKING:
    from holdfast.simulator.app import Simulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A request as far as it is known before it is judged; all of it will take `slower` times as long."""

    body: JsonObject | None
    rolls: Rolls
    action: Action | None
    slower: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose request it is, and how they stand."""

    simulator: "Simulator"
    exchange: Exchange
    request: MessageRequest

    @property
    def who(self) -> Who:
        return Who(key=self.exchange.key, model=self.request.model.id)

    @property
    def workspace(self) -> str:
        return self.exchange.headers.get("anthropic-workspace-id", self.exchange.key)

    @property
    def secret(self) -> str:
        """What thoughts are signed with for this caller."""
        return secret_of(self.simulator, self.request, self.exchange.key)

    def look_up(self) -> CacheUse:
        """What of the prompt is in the cache."""
        now = self.simulator.clock.monotonic()
        return self.simulator.cache.look_up(self.request.prompt, self.request.model, self.workspace, now)

    def standing(self) -> dict[str, str]:
        """The headers that tell how the caller stands."""
        clock, limits = self.simulator.clock, self.simulator.limits
        moment = Moment(at=clock.monotonic(), wall=clock.now())
        found = self.simulator.standing.headers(self.who, limits, moment)
        return {**found, **_fast(found)} if self.request.fast else found

    def admit(self, cache: CacheUse) -> None:
        """Refuse whoever has spent too much, or asks for too much at once."""
        limit = self.simulator.spend_limit
        if limit is not None and self.simulator.bills.spent(self.exchange.key) >= limit:
            raise refusal("enforced_spend_limit_reached")
        now, tokens = self.simulator.clock.monotonic(), self.request.prompt_tokens - cache.read
        self.simulator.standing.admit(self.who, self.simulator.limits, tokens, now)


def secret_of(simulator: "Simulator", request: MessageRequest, key: str) -> str:
    """What thoughts are signed with: the seed and, where a model binds them to it, the account of the key."""
    account = simulator.accounts.get(key, "") if request.model.account_bound else ""
    return f"{simulator.seed}{account}"


def _fast(standing: dict[str, str]) -> dict[str, str]:
    """The same limits as answers in fast mode tell of them."""
    return {
        name.replace("-ratelimit-", "-fast-"): value
        for name, value in standing.items()
        if "-input-tokens-" in name or "-output-tokens-" in name
    }


@dataclass(slots=True, kw_only=True)
class Account:
    """Who pays for one answer; billed once, when it ends."""

    caller: Caller
    message: Message
    cache: CacheUse
    billed: bool = False

    def begin(self) -> None:
        """The answer has begun: what it wrote to the prompt cache is there for others."""
        simulator = self.caller.simulator
        simulator.cache.remember(self.cache, self.caller.workspace, simulator.clock.monotonic())

    def bill(self, output_tokens: int, ending: Ending) -> None:
        """Bill the prompt and what was written; a refusal without a word is free."""
        free = self.message.stop_reason == "refusal" and not self.message.written
        if self.billed or free:
            return
        self.billed = True
        simulator, exchange, request = self.caller.simulator, self.caller.exchange, self.caller.request
        usage = self.message.usage.with_output(output_tokens, self.message.usage.thinking_tokens)
        now = simulator.clock.now()
        simulator.standing.spend(
            self.caller.who, simulator.limits, output_tokens, simulator.clock.monotonic()
        )
        simulator.bills.add(
            LedgerEntry(
                request_id=exchange.request_id,
                message_id=self.message.id,
                model=request.model.id,
                key=exchange.key,
                at=now,
                usage=usage.wire(),
                cost=cost(usage, request.model, now.date()),
                ending=ending,
            )
        )


async def send_message(
    simulator: "Simulator", exchange: Exchange, order: Order, request: MessageRequest
) -> Message:
    """Answer a valid request, and return the answer; one that is turned away hears how it stands, too."""
    caller = Caller(simulator=simulator, exchange=exchange, request=request)
    try:
        thoughts.check(request, caller.secret)
        cache = caller.look_up()
        caller.admit(cache)
        async with simulator.service.place(simulator.capacity, exchange) as slower:
            delivery = _delivery(caller, order, cache, slower)
            await (send_stream if request.stream else send_plain)(delivery)
            return delivery.message
    except ApiError as problem:
        problem.headers = {**caller.standing(), **problem.headers}
        raise


def _delivery(caller: Caller, order: Order, cache: CacheUse, slower: float) -> Delivery:
    simulator, exchange, request = caller.simulator, caller.exchange, caller.request
    message = edited_message(composed(simulator, request, order.rolls, cache, caller.secret), order.action)
    return Delivery(
        exchange=exchange,
        account=Account(caller=caller, message=message, cache=cache),
        message=message,
        model=request.model,
        max_tokens=request.max_tokens,
        pace=_pace(caller, order, cache, slower),
        ping_every=simulator.latency.ping_every,
        scale=simulator.time_scale,
        action=order.action,
        form=wrapping(order.action, exchange.headers, stream=request.stream),
        roll=order.rolls.roll,
        headers=caller.standing(),
        chunking=simulator.chunking,
    )


def composed(
    simulator: "Simulator", request: MessageRequest, rolls: Rolls, cache: CacheUse, secret: str
) -> Message:
    """What the model says to a valid request."""
    manner = Manner(
        mode=simulator.mode,
        obedient=simulator.obedient,
        secret=secret,
        template=simulator.template,
    )
    turn = simulator.script.next(request) if request.max_tokens > 0 else None
    draft = compose(request, manner, turn, rolls)
    return finish(request, draft, identifier("msg", rolls.roll), Usage.of(request, cache))


def _pace(caller: Caller, order: Order, cache: CacheUse, slower: float) -> Pace:
    request = caller.request
    pace = caller.simulator.latency.draw(
        request.model.line,
        order.rolls.roll,
        fast=request.fast,
        cached=cache.read / request.prompt_tokens if request.prompt_tokens else 0.0,
    )
    return pace.slower(start=slower, all=order.slower)
