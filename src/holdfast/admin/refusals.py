"""What only the Admin API has to refuse."""

from holdfast.errors import MalformedRequest, NotAllowed, Refused, Unauthenticated
from holdfast.language import Sentence


class Missing(Refused):
    """There is nothing of that name."""

    error_code = "holdfast_not_found"
    default_status = 404
    error_type = "not_found_error"


class TokenRejected(Unauthenticated):
    """No admin token, and no key for administration."""

    error_code = "holdfast_admin_token_rejected"


class ForeignOrigin(NotAllowed):
    """A page of another site tried to change something."""

    error_code = "holdfast_origin_rejected"


def missing(what: Sentence) -> Missing:
    """There is no such thing."""
    return Missing(Sentence(f"There is no {what.en} here.", ko=f"{what.ko} 찾을 수 없습니다."))


def no_token() -> TokenRejected:
    """The request carries nothing that opens."""
    return TokenRejected(
        Sentence(
            "The Admin API wants the admin token, or a key with the scope admin:read or admin:write, as x-api-key or "
            "Authorization: Bearer. The token is in HOLDFAST_ADMIN_TOKEN, or in the file that the gateway named "
            "when it started.",
            ko="Admin API에는 관리자 토큰이나 admin:read 또는 admin:write 권한이 있는 키가 필요합니다. x-api-key나 "
            "Authorization: Bearer로 보내세요. 토큰은 HOLDFAST_ADMIN_TOKEN이나 게이트웨이가 시작할 때 알려 준 파일에 있습니다.",
        )
    )


def foreign(origin: str) -> ForeignOrigin:
    """A browser on another site."""
    return ForeignOrigin(
        Sentence(
            f"Pages of {origin[:200]!r} may not change anything here; do it from the console or a program.",
            ko=f"{origin[:200]!r}의 페이지에서는 아무것도 바꿀 수 없습니다. 콘솔이나 프로그램에서 실행하세요.",
        )
    )


def unreadable(where: str, problem: object) -> MalformedRequest:
    """A part of the request says what it must not."""
    return MalformedRequest(
        Sentence(
            f"{where}: {problem}. /openapi.json says what belongs there.",
            ko=f"{where}: {problem}. 올바른 형식은 /openapi.json에 있습니다.",
        )
    )


def turned_page() -> MalformedRequest:
    """The row that a page began behind is gone."""
    return MalformedRequest(
        Sentence(
            "page: this list has no such place any more; begin with its first page.",
            ko="page: 목록에 그 위치가 더 이상 없습니다. 첫 페이지부터 다시 읽으세요.",
        )
    )
