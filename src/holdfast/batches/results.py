"""What the Message Batches API says of one request, as a row of the output and as a line in the books."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import cast

import msgspec

from holdfast.batches.holding import Teller
from holdfast.batches.item import Item
from holdfast.batches.remote import Result
from holdfast.batches.row import Row, answered, failed
from holdfast.call import Call, Outcome
from holdfast.errors import HoldfastError, StreamInterrupted, UpstreamError
from holdfast.language import Sentence
from holdfast.wire.assembling import MalformedAnswer
from holdfast.wire.errors import read_envelope, status_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a request of a batch ended: its message as it may be handed on, or the error in its place."""

    outcome: Outcome
    message: bytes = b""
    error: HoldfastError | None = None

    def row(self, item: Item, cost: Decimal | None) -> Row:
        """The row of the output."""
        if self.error is not None:
            return failed(item, self.error, cost=cost)
        try:
            return answered(item, msgspec.json.decode(self.message), self.message, cost=cost)
        except (MalformedAnswer, msgspec.MsgspecError):
            return failed(item, _NO_MESSAGE, cost=cost)


async def ended(teller: Teller, item: Item, call: Call, result: Result) -> Ended:
    """How a request ended; every answer is looked through as one that comes at once."""
    match result.result:
        case {"type": "succeeded", "message": dict()}:
            return await _answered(teller, call, cast("dict[str, object]", result.result["message"]))
        case {"type": "errored", "error": error}:
            return _failed(teller, _upstream(error))
        case {"type": kind}:
            return _failed(teller, _undone(str(kind)[:40]))
        case _:
            return _failed(teller, _undone("unknown"))


async def _answered(teller: Teller, call: Call, message: dict[str, object]) -> Ended:
    body = msgspec.json.encode(message)
    error: HoldfastError | None = None
    try:
        said, meter = await teller.answer(call, body)
    except HoldfastError as blocked:
        (said, error), meter = (b"", blocked), teller.metered(body)
    outcome = Outcome(
        end="answered" if error is None else "failed",
        status=200 if error is None else error.status,
        # Whatever the answer says of itself: this is what such a request is billed as.
        usage=replace(meter.usage, service_tier="batch"),
        is_unbilled=meter.is_unbilled,
        served_model=meter.model,
        stop_reason=meter.stop_reason,
        attempts=1,
        upstream=teller.upstream,
        error_code=None if error is None else error.error_code,
    )
    return Ended(outcome=outcome, message=said, error=error)


def _failed(teller: Teller, error: UpstreamError) -> Ended:
    outcome = Outcome(
        end="failed", status=error.status, attempts=1, upstream=teller.upstream, error_code=error.error_code
    )
    return Ended(outcome=outcome, error=error)


def _upstream(error: object) -> UpstreamError:
    said = read_envelope(msgspec.json.encode(error), 500)
    return UpstreamError(
        Sentence(
            f"The upstream answered {said.type}: {said.message}",
            ko=f"업스트림이 {said.type}(으)로 응답했습니다: {said.message}",
        ),
        status=status_of(said.type),
        details={"upstream_error_code": said.error_code},
    )


def _undone(kind: str) -> UpstreamError:
    return UpstreamError(
        Sentence(
            f"The Message Batches API did not answer this request ({kind}). Give the same command again to ask anew.",
            ko=f"Message Batches API가 이 요청에 답하지 않았습니다({kind}). 같은 명령을 다시 실행하면 새로 요청합니다.",
        ),
        status=504,
    )


_NO_MESSAGE = StreamInterrupted(
    Sentence(
        "What the Message Batches API returned is no message. Ask again.",
        ko="Message Batches API가 돌려준 것이 메시지가 아닙니다. 다시 요청하세요.",
    )
)
