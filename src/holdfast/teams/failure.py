"""Why a member of a team has given no answer that the others could work with."""

from holdfast.errors import DeadlineExceeded, HoldfastError
from holdfast.language import Sentence


class MemberFailed(HoldfastError):
    """A member of a team has come to no answer; the cause of a function's failure is in `__cause__`."""

    error_code = "holdfast_member_failed"
    default_status = 502


def failed(name: str, error: BaseException) -> MemberFailed:
    """A function that raised; what it says may hold a secret or a path, so only its sort is told."""
    kind = type(error).__name__
    failure = MemberFailed(
        Sentence(
            f"The member `{name}` failed with {kind}. Mend the function, or let the team go on without it "
            '(fail="continue").',
            ko=f"구성원 `{name}`이(가) {kind} 오류로 실패했습니다. 함수를 고치거나 "
            'fail="continue"로 나머지를 계속하게 하세요.',
        )
    )
    failure.__cause__ = error
    return failure


def waits(name: str, tools: str) -> MemberFailed:
    """A member whose tools wait for a person, whom a team does not have."""
    return MemberFailed(
        Sentence(
            f"The member `{name}` waits for somebody to approve {tools}. Give it `approve`, or a policy for that tool.",
            ko=f"구성원 `{name}`이(가) {tools} 승인을 기다리고 있습니다. `approve`를 지정하거나 그 도구의 policy를 정하세요.",
        )
    )


def cut_off(name: str) -> MemberFailed:
    """A member that was stopped in the middle of its work, because the team was."""
    return MemberFailed(
        Sentence(
            f"The member `{name}` was cut off before it was done, because its team ended.",
            ko=f"팀이 끝나면서 구성원 `{name}`의 작업도 도중에 중단되었습니다.",
        )
    )


def too_late(name: str, seconds: float) -> DeadlineExceeded:
    """A team that was not done in its time."""
    return DeadlineExceeded(
        Sentence(
            f"The team `{name}` was not done within {seconds:g} seconds and was stopped. Ask for less, or raise deadline.",
            ko=f"팀 `{name}`이(가) {seconds:g}초 안에 끝나지 않아 중단되었습니다. 더 적게 요청하거나 deadline을 늘리세요.",
        )
    )
