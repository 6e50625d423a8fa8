"""From a request to its answer: who asks, for what, which fault hits it, and which part of the API answers."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from holdfast.simulator import batching, filing, listing
from holdfast.simulator.actions import Action, Delay, HangUp, Refusal, Refuse, Reset, Status, kind_of
from holdfast.simulator.capture import Ending
from holdfast.simulator.dice import Rolls, dice, identifier
from holdfast.simulator.exchange import FILES, Exchange
from holdfast.simulator.faults import MESSAGES, Target
from holdfast.simulator.fields import VERSIONS
from holdfast.simulator.messages import Order, send_message
from holdfast.simulator.problems import MESSAGE_OF_STATUS, ApiError, invalid, too_deep, type_of
from holdfast.simulator.profile import weather
from holdfast.simulator.refusals import refusal
from holdfast.simulator.request import Rules, count_request, message_request, parse
from holdfast.simulator.values import JsonObject, canonical, encode, word

if TYPE_CHECKING:
    from holdfast.simulator.app import Simulator

_DEFAULT_CHARSETS = ("", "utf-8", "iso-8859-1", "us-ascii")


async def answer(simulator: "Simulator", exchange: Exchange) -> None:
    """Answer one request to the API."""
    order = _order(simulator, exchange)
    exchange.identify(identifier("req", order.rolls.roll), _key(exchange.headers))
    if order.action is not None:
        exchange.hit_by(kind_of(order.action))
    try:
        await _hold_back(exchange, order)
        await _route(simulator, exchange, order)
    except ApiError as problem:
        await _refuse(exchange, problem)
    except RecursionError:
        await _refuse(exchange, too_deep())


def _order(simulator: "Simulator", exchange: Exchange) -> Order:
    """The dice of this request, the fault that hits it and the weather it meets.

    The dice depend on the seed, the request and how often this key has sent it before, and on nothing else that is
    on its way. A streamed and a plain request for the same thing count as the same request.
    """
    body, key = _peek(exchange), _key(exchange.headers)
    content = _content(exchange.body, body)
    identity = dice(key, exchange.method, exchange.path, exchange.query, content).randbytes(16)
    parts = (simulator.seed, identity, simulator.sequences.next(identity))
    rolls = Rolls(words=dice(simulator.seed, content), roll=dice(*parts), luck=parts)
    target = Target(
        path=exchange.path,
        model=word(body or {}, "model"),
        stream=(body or {}).get("stream") is True,
        key=key,
        at=simulator.elapsed,
        region=word(body or {}, "inference_geo") or "global",
    )
    sky = weather(simulator.profile, target, rolls.draw)
    action = simulator.faults.take(target, rolls.draw) or sky.action
    return Order(body=body, rolls=rolls, action=action, slower=sky.latency_factor)


def _content(raw: bytes, body: JsonObject | None) -> bytes:
    """What is asked, whatever the order of keys and the form of the answer."""
    if body is None:
        return raw
    try:
        return canonical({name: value for name, value in body.items() if name != "stream"})
    except RecursionError:
        return raw


async def _hold_back(exchange: Exchange, order: Order) -> None:
    """What a fault does before anything else happens."""
    match order.action:
        case Status():
            await _send_status(exchange, order.action)
        case Refusal(reason=reason, retry_after=seconds):
            problem = refusal(reason, retry_after=seconds)
            await _refuse(exchange, problem, ending="faulted")
        case Refuse():
            exchange.ended("faulted")
            await exchange.refuse()
        case _ if exchange.path != MESSAGES:
            await _hold_back_other(exchange, order.action)
        case _:
            pass


async def _hold_back_other(exchange: Exchange, action: Action | None) -> None:
    """The same for the other paths, whose answers are never broken off in the middle."""
    match action:
        case Delay(seconds=seconds, before="headers"):
            await exchange.pause(seconds)
        case Reset(after="request"):
            exchange.ended("faulted")
            await exchange.reset()
        case HangUp(after="request"):
            exchange.ended("faulted")
            await exchange.hang_up()
        case _:
            pass


async def _route(simulator: "Simulator", exchange: Exchange, order: Order) -> None:
    if exchange.is_answered:
        return
    match exchange.method, exchange.path.rstrip("/").split("/")[1:]:
        case "POST", ["v1", "messages"]:
            rules = _admitted(simulator, exchange)
            await _answer_message(simulator, exchange, order, rules)
        case "POST", ["v1", "messages", "count_tokens"]:
            rules = _admitted(simulator, exchange)
            body = simulator.files.filled(_body(exchange, order), exchange.key)
            if simulator.threads and body.get("thread") is not None:
                body = simulator.conversations.whole(body, exchange.key, simulator.clock.monotonic())
            counted = count_request(body, rules)
            await _send(exchange, {"input_tokens": counted.prompt_tokens})
        case "GET", ["v1", "models", *rest] if len(rest) < 2:
            day = _admitted(simulator, exchange).day
            await _send(exchange, listing.one(rest[0], day) if rest else listing.page(exchange.query, day))
        case (("HEAD" | "GET"), [] | ["api", "hello"]):
            await _send(exchange, {"message": "hello"})
        case _:
            await _route_more(simulator, exchange)


async def _answer_message(simulator: "Simulator", exchange: Exchange, order: Order, rules: Rules) -> None:
    """Answer a request with all that it refers to: files, and what its thread remembers."""
    body = simulator.files.filled(_body(exchange, order), exchange.key)
    if not simulator.threads or body.get("thread") is None:
        await send_message(simulator, exchange, order, message_request(body, rules))
        return
    clock, threads = simulator.clock, simulator.conversations
    ticket = threads.enter(body, exchange.key, clock.monotonic())
    message = None
    try:
        found = await send_message(simulator, exchange, order, message_request(ticket.body, rules))
        message = found if exchange.is_completed else None
    finally:
        threads.leave(ticket, message, clock.monotonic())


async def _route_more(simulator: "Simulator", exchange: Exchange) -> None:
    match exchange.path.rstrip("/").split("/")[1:]:
        case ["v1", "messages", "batches", *rest]:
            rules = _admitted(simulator, exchange)
            answered = batching.answered(simulator, exchange, rules, rest)
            headers = {**exchange.base_headers(), "content-type": answered.content_type}
            await exchange.respond(200, headers, answered.body, ending="completed")
        case ["v1", "files", *rest]:
            _admitted(simulator, exchange)
            await _send(exchange, filing.answered(simulator, exchange, rest))
        case _:
            raise ApiError(status=404, message="Not found")


def _admitted(simulator: "Simulator", exchange: Exchange) -> Rules:
    """Check the key, the version and the type of the body."""
    _authenticate(simulator, exchange.headers, exchange.key)
    version = exchange.headers.get("anthropic-version", "")
    if not version:
        invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        invalid(
            f'anthropic-version: "{version}" is not a valid version. Please use one of {", ".join(VERSIONS)}'
        )
    is_form = exchange.path.rstrip("/") == FILES
    if exchange.method == "POST" and not exchange.path.endswith("/cancel") and not is_form:
        _content_type(exchange)
    return Rules(version=version, day=simulator.clock.now().date(), lenient=simulator.lenient)


def _authenticate(simulator: "Simulator", headers: Mapping[str, str], key: str) -> None:
    if not key:
        raise ApiError(status=401, message="x-api-key header is required")
    trouble = simulator.keys.get(key)
    if trouble not in (None, "key_revoked"):
        raise refusal(trouble)
    if trouble is not None or key in simulator.bad_keys:
        bearer = "x-api-key" not in headers
        raise ApiError(status=401, message="Invalid bearer token" if bearer else "invalid x-api-key")


def _content_type(exchange: Exchange) -> None:
    if exchange.too_large:
        raise ApiError(status=413, message=f"Request exceeds the maximum size of {exchange.most} bytes")
    media, _, parameters = exchange.headers.get("content-type", "").lower().partition(";")
    if media.strip() != "application/json":
        invalid("content-type: must be application/json")
    charset = parameters.partition("charset=")[2].strip(' "')
    if charset not in _DEFAULT_CHARSETS:
        raise ApiError(
            status=400,
            message=f"content-type: charset {charset} is not supported",
            details={"error_code": "unsupported_charset"},
        )


def _key(headers: Mapping[str, str]) -> str:
    """The credential; `x-api-key` wins where both are sent."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key", "").strip() or (token.strip() if scheme.lower() == "bearer" else "")


def _peek(exchange: Exchange) -> JsonObject | None:
    """The body as an object, if it is one: dice and faults look at it before it is judged."""
    if not exchange.body:
        return None
    try:
        return parse(exchange.body)
    except ApiError:
        return None


def _body(exchange: Exchange, order: Order) -> JsonObject:
    return parse(exchange.body) if order.body is None else order.body


async def _send(exchange: Exchange, payload: JsonObject) -> None:
    await exchange.respond(200, exchange.base_headers(), encode(payload), ending="completed")


async def _refuse(exchange: Exchange, problem: ApiError, *, ending: Ending = "completed") -> None:
    headers = {**exchange.base_headers(), **problem.headers}
    if problem.status in (401, 403):
        headers["x-should-retry"] = "false"
    await exchange.respond(problem.status, headers, problem.envelope(exchange.request_id), ending=ending)


async def _send_status(exchange: Exchange, fault: Status) -> None:
    headers = {**exchange.base_headers(), "content-type": fault.content_type}
    if fault.retry_after is not None:
        headers["retry-after"] = f"{fault.retry_after:g}"
    body = _envelope(exchange, fault) if fault.body is None else fault.body.encode()
    await exchange.respond(fault.status, {**headers, **fault.headers}, body, ending="faulted")


def _envelope(exchange: Exchange, fault: Status) -> bytes:
    problem = ApiError(
        status=fault.status,
        message=fault.message or MESSAGE_OF_STATUS.get(fault.status, "The simulator was told to fail."),
        type=fault.error_type or type_of(fault.status),
        details={"error_code": fault.error_code} if fault.error_code else {},
    )
    return problem.envelope(exchange.request_id)
