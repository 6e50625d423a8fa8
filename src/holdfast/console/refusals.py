"""What only the console has to refuse."""

from holdfast.errors import MalformedRequest, NotAllowed, Unauthenticated
from holdfast.language import Sentence


class LoggedOut(Unauthenticated):
    """No session, or one that is over."""

    error_code = "holdfast_logged_out"


class FormRejected(NotAllowed):
    """A form that no page of this session has sent."""

    error_code = "holdfast_form_rejected"


class NotSaidTwice(MalformedRequest):
    """Everything was to be stopped, and the word for that was not typed."""

    error_code = "holdfast_not_confirmed"


class OnlyOperators(NotAllowed):
    """A viewer wanted to change something."""

    error_code = "holdfast_viewer_may_not"


def logged_out() -> LoggedOut:
    """Nobody is logged in."""
    return LoggedOut(
        Sentence(
            "You are not logged in, or your login is over. Open /console/login; `holdfast console` prints a link.",
            ko="로그인하지 않았거나 로그인 시간이 지났습니다. /console/login을 여세요. 링크는 `holdfast console`로 받습니다.",
        )
    )


def form_rejected() -> FormRejected:
    """The mark of the session is missing or wrong."""
    return FormRejected(
        Sentence(
            "This form is not from a page of your login, or that is over. Reload the page, then send it again.",
            ko="지금 로그인한 페이지에서 보낸 양식이 아니거나 로그인이 끝났습니다. 페이지를 새로 열고 다시 보내세요.",
        )
    )


def only_operators() -> OnlyOperators:
    """It takes more than looking."""
    return OnlyOperators(
        Sentence(
            "You may look here, and change nothing. Log in with the admin token, or a key with admin:write.",
            ko="보기 권한만 있어 바꿀 수 없습니다. 관리자 토큰이나 admin:write 권한이 있는 키로 로그인하세요.",
        )
    )


def not_said_twice(word: str) -> NotSaidTwice:
    """Whoever stops everything has to say so in so many letters."""
    return NotSaidTwice(
        Sentence(
            f"Nothing was stopped: to stop ALL traffic, type {word} into the last field of the form.",
            ko=f"아무것도 정지하지 않았습니다. 모든 트래픽을 정지하려면 양식의 마지막 칸에 {word}을(를) 입력하세요.",
        )
    )
