"""What only this door has to refuse, and the little it says about its own bugs."""

from collections.abc import Sequence

from holdfast.errors import HoldfastError, Refused
from holdfast.language import Sentence

SERVED = "POST /v1/messages, POST /v1/messages/count_tokens, GET /v1/models"
COME_BACK = 1.0
"""Seconds after which another process is likely to serve in place of one that is stopping."""


class NotFound(Refused):
    """There is nothing at this path."""

    error_code = "holdfast_path_unknown"
    default_status = 404
    error_type = "not_found_error"


class MethodNotAllowed(Refused):
    """There is something at this path, for other methods."""

    error_code = "holdfast_method_not_allowed"
    default_status = 405
    error_type = "invalid_request_error"

    def __init__(self, sentence: Sentence, *, allowed: Sequence[str]) -> None:
        super().__init__(sentence)
        self.allowed = ", ".join(allowed)


class Draining(Refused):
    """This process is stopping; another one, or this one started again, takes the call."""

    error_code = "holdfast_draining"
    default_status = 503
    error_type = "overloaded_error"
    should_retry = True


class Crashed(HoldfastError):
    """A bug of holdfast; what happened is told to the operator and to nobody else."""


def nothing_here(method: str, path: str) -> NotFound:
    """Nothing is served at this path."""
    shown = f"{method} {path[:200]}"
    return NotFound(
        Sentence(
            f"Nothing is served at {shown}; this gateway answers {SERVED}.",
            ko=f"{shown}에는 아무것도 없습니다. 이 게이트웨이는 {SERVED}에 응답합니다.",
        )
    )


def wrong_method(method: str, path: str, allowed: Sequence[str]) -> MethodNotAllowed:
    """The path is right, the method is not."""
    right = ", ".join(allowed)
    return MethodNotAllowed(
        Sentence(
            f"{path} does not take {method}; send {right}.",
            ko=f"{path}은(는) {method}를 받지 않습니다. {right}(으)로 보내세요.",
        ),
        allowed=allowed,
    )


def draining() -> Draining:
    """This process is stopping."""
    return Draining(
        Sentence(
            "This gateway is stopping, and what it delivered of this answer is incomplete. Send the request again.",
            ko="게이트웨이가 종료되는 중이라 이 응답은 완전하지 않습니다. 요청을 다시 보내 주세요.",
        ),
        retry_after=COME_BACK,
    )


def crashed() -> Crashed:
    """Something went wrong inside."""
    return Crashed(
        Sentence(
            "Something went wrong inside holdfast; its log tells what. Tell whoever runs it the request id.",
            ko="holdfast 내부에서 문제가 발생했습니다. 원인은 로그에 있으니 운영자에게 요청 id를 알려 주세요.",
        )
    )
