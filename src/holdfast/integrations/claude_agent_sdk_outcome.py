"""How a run of Claude Code has ended, read right: a failed one calls itself a success, too."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from holdfast.errors import (
    BudgetExhausted,
    HoldfastError,
    InputRejected,
    NotAllowed,
    Refused,
    Unauthenticated,
    UpstreamError,
)
from holdfast.language import Sentence

_PREFIX = re.compile(r"(?:Failed to authenticate\. )?API Error: (?:Request rejected \(\d{3}\) · |\d{3} )?")
_REFUSALS: Mapping[int, type[HoldfastError]] = {400: InputRejected, 401: Unauthenticated, 403: NotAllowed}
_OVERSPENT = "error_max_budget_usd"


class Ending(Protocol):
    """What a `ResultMessage` and a `ResultError` of the SDK have in common."""

    @property
    def subtype(self) -> str | None: ...

    @property
    def result(self) -> str | None: ...

    @property
    def api_error_status(self) -> int | None: ...

    @property
    def terminal_reason(self) -> str | None: ...

    @property
    def errors(self) -> Sequence[str] | None: ...

    @property
    def session_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The end of a run.

    Attributes:
        text: what the model said last; of a failed run, why it failed, in the words of whoever refused.
        error: the typed error behind a failure, else `None`.
        status: the HTTP status of the call that failed, if a call did.
        cost: dollars by Claude Code's own reckoning; what was really settled stands in the ledger.
        session: the session of Claude Code.
    """

    text: str
    error: HoldfastError | None = None
    status: int | None = None
    cost: Decimal | None = None
    session: str | None = None

    def required(self) -> str:
        """The text of a run that went well; raises the error of one that did not."""
        if self.error is not None:
            raise self.error
        return self.text


def outcome(message: Ending) -> Outcome:
    """How a run has ended, from its `ResultMessage`, or from the `ResultError` that is raised behind one.

    The subtype of a message is `success` although a call was refused: `is_error` and `api_error_status` tell.
    Errors: `BudgetExhausted` for Claude Code's own `max_budget_usd`, `InputRejected` (400), `Unauthenticated`
    (401), `NotAllowed` (403, a stop among them), `Refused` (other 4xx; 429 is a budget or a quota),
    `UpstreamError` for everything else.
    """
    text = _PREFIX.sub("", message.result or "", count=1) or "; ".join(message.errors or ())
    cost: object = getattr(message, "total_cost_usd", None)
    is_error: bool = getattr(message, "is_error", True) or message.subtype != "success"
    return Outcome(
        text=text,
        error=_error(message, text) if is_error else None,
        status=message.api_error_status,
        cost=None if cost is None else Decimal(str(cost)),
        session=message.session_id,
    )


def _error(message: Ending, text: str) -> HoldfastError:
    """A typed error with the words of whoever refused."""
    status = message.api_error_status
    said = text or message.terminal_reason or message.subtype or "unknown"
    if message.subtype == _OVERSPENT:
        return BudgetExhausted(_overspent(said))
    if status is None:
        return UpstreamError(_ended(said))
    kind = _REFUSALS.get(status, Refused if status < 500 else UpstreamError)
    return kind(said, status=status)


def _overspent(said: str) -> Sentence:
    return Sentence(
        f"Claude Code has spent its max_budget_usd: {said}. Look at what it has done, then raise it or start anew.",
        ko=f"Claude Code가 max_budget_usd를 모두 썼습니다: {said}. 지금까지 한 일을 확인한 뒤 늘리거나 새로 시작하세요.",
    )


def _ended(said: str) -> Sentence:
    return Sentence(
        f"Claude Code ended without an answer: {said}. Look at its messages for the cause, then start it again.",
        ko=f"Claude Code가 응답 없이 끝났습니다: {said}. 메시지에서 원인을 확인한 뒤 다시 시작하세요.",
    )
