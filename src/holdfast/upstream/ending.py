"""What the client gets when no attempt is left."""

import math
from collections.abc import Mapping

from holdfast.call import Response
from holdfast.errors import (
    DeadlineExceeded,
    HoldfastError,
    StreamInterrupted,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.language import Sentence
from holdfast.policy.failure import Failure, Final, Ruling
from holdfast.upstream.attempt import Failed, Whole
from holdfast.upstream.bodies import WholeBody
from holdfast.wire.errors import status_of
from holdfast.wire.headers import merged
from holdfast.wire.meter import Meter

TYPES: Mapping[str | None, type[UpstreamError]] = {
    "overloaded_error": UpstreamUnavailable,
    "timeout_error": DeadlineExceeded,
}
KINDS: Mapping[str, Sentence] = {
    "connect_error": Sentence("it could not be reached", ko="연결할 수 없었습니다"),
    "reset": Sentence("it cut the connection before answering", ko="응답하기 전에 연결을 끊었습니다"),
    "first_byte_timeout": Sentence(
        "it did not begin to answer in time", ko="제때 응답을 시작하지 않았습니다"
    ),
    "unreadable_body": Sentence("its answer was unreadable", ko="응답을 읽을 수 없었습니다"),
    "truncated": Sentence("its answer ended before it began", ko="응답이 시작되기도 전에 끝났습니다"),
    "stall": Sentence("it fell silent", ko="응답이 멈췄습니다"),
}


def final_answer(failed: Failed, ruling: Ruling) -> Response | HoldfastError:
    """The upstream's own last word where it said one, else a typed error of ours; retries are settled here."""
    if failed.answer is not None and ruling.final.form in ("unchanged", "event"):
        return _passed_on(failed.answer, failed, ruling.final)
    return _error(failed.failure, ruling.final)


def _passed_on(answer: Whole, failed: Failed, final: Final) -> Response:
    extra = {"x-should-retry": "true" if final.should_retry else "false"}
    if final.retry_after is not None:
        extra["retry-after"] = str(max(1, math.ceil(final.retry_after)))
    return Response(
        status=answer.status,
        headers=merged(answer.headers, extra),
        body=WholeBody(answer.body),
        length=len(answer.body),
        meter=_told(failed.meter),
    )


def _told(seen: Meter) -> Meter:
    """What an error says and nothing else: the tokens of a failed attempt are on the call's tally."""
    meter = Meter()
    meter.error = seen.error
    return meter


def _error(failure: Failure, final: Final) -> HoldfastError:
    status = final.status or status_of(final.error_type or failure.error_type or "api_error")
    kind = TYPES.get(final.error_type, StreamInterrupted if failure.phase == "held" else UpstreamError)
    what = KINDS.get(failure.kind)
    if what is None:
        words = (str(failure.error_type or failure.status), failure.message[:300].rstrip(". "))
        shown = ": ".join(word for word in words if word)
        what = Sentence(f"it answered {shown}", ko=f"다음과 같이 응답했습니다: {shown}")
    return kind(
        Sentence(
            f"The upstream failed on every attempt allowed: {what.en}. Try again later, or configure another upstream.",
            ko=f"허용된 시도가 모두 실패했습니다: 업스트림이 {what.ko}. 나중에 다시 시도하거나 다른 업스트림을 설정하세요.",
        ),
        status=status,
        retry_after=final.retry_after,
    )
