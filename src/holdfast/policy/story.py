"""The story of a request: what every guard decided, every attempt met, and what was held and settled."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from holdfast.policy.cache_bust import CacheStep
from holdfast.policy.coverage import Coverage
from holdfast.policy.failure import Blame

# Structs and no dataclasses: ten of them are made for every call, for a tenth of the time, and what says nothing
# takes no room in a ledger.

Did = Literal["passed", "changed", "answered", "refused", "failed"]
Ending = Literal["answered", "cached", "fallback", "refused", "failed", "abandoned"]
"""What the caller got: an answer from upstream, from the cache, in its place, a refusal, an error, or he had left."""
Turned = Literal["stop", "budget", "circuit", "gate"]
"""Who kept an attempt from being made, behind the guards."""

BEHIND: Mapping[str, str] = {
    "holdfast_stopped": "stop",
    "holdfast_budget_exhausted": "budget",
    "holdfast_budget_unavailable": "budget",
    "holdfast_output_blocked": "output",
}
"""Who ends a call that has passed the guards, by the code of the error it ends with."""
MALFORMED = frozenset(
    {
        "holdfast_request_malformed",
        "thread_unsupported_request",
        "holdfast_request_too_large",
        "holdfast_model_unknown",
    }
)
"""Codes of what nobody but the caller can put right."""
BLAMED: Mapping[str, Blame] = {"circuit": "claude", "gate": "account"}
"""Whose doing it is that no attempt could be made, where it is not ours."""
TELLING = (
    *("rule", "path", "cap", "limit", "quota", "dimension", "budget", "scope", "kind", "count", "trouble"),
    "fingerprint",
)
"""Details of a refusal that hold no text of a call."""


class GuardStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one guard decided, and how many milliseconds it took to.

    `code` is the error code of a refusal, or what was flagged; `detail` is for people and holds no text of a call.
    """

    guard: str
    did: Did
    ms: float
    code: str | None = None
    detail: str = ""


class AttemptStep(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one attempt met; times in milliseconds since the call arrived.

    Attributes:
        began_ms: when it was sent.
        first_ms: when its first content, or its whole answer, was there; `None` if that never came.
        ended_ms: when it was over; `None` while it is under way.
        kind: `answered`, `abandoned`, `cut` for a stream that broke while it was released, or the kind of its
            failure, such as `http` or `reset`.
        blame: whose doing a failure was.
        wait_ms: the pause before the next attempt, `None` when there was none.
        held_pico: what was held for it, `settled_pico` what it has cost.
    """

    number: int
    upstream: str
    model: str
    began_ms: float
    first_ms: float | None = None
    ended_ms: float | None = None
    kind: str = "answered"
    status: int | None = None
    served_model: str | None = None
    error_code: str | None = None
    blame: Blame | None = None
    wait_ms: float | None = None
    held_pico: int | None = None
    settled_pico: int | None = None


class Story(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request from its arrival to its end, as `holdfast requests show` tells it.

    `degraded` is what the answer lacks of what was wanted; `notices` how many notes to the model were in it;
    `cache` is there where the prompt asked to be cached; `recorded` names the recording that kept the bodies.
    """

    guards: tuple[GuardStep, ...] = ()
    attempts: tuple[AttemptStep, ...] = ()
    coverage: tuple[Coverage, ...] = ()
    degraded: tuple[str, ...] = ()
    notices: int = 0
    trace_id: str | None = None
    cache: CacheStep | None = None
    recorded: str | None = None


class Ended(Struct, frozen=True, kw_only=True):
    """How a call ended: what its caller got, the code of its error, and who let no attempt through, if anybody."""

    outcome: Ending
    code: str | None = None
    turned: Turned | None = None


def details(known: Mapping[str, object]) -> str:
    """What a story tells of the details of a refusal."""
    return ", ".join(f"{name} {known[name]}" for name in TELLING if known.get(name) not in (None, ""))


def decided_by(story: Story, ended: Ended) -> str:
    """Who ended the call: `client`, the name of a guard, `output`, `circuit`, `gate`, or `upstream`."""
    last = story.guards[-1] if story.guards else None
    match ended.outcome:
        case "abandoned":
            return "client"
        case "answered" | "cached":
            return last.guard if last is not None and last.did == "answered" else "upstream"
        case _:
            return _turned_by(story, ended) or _stopped_by(last) or _let_down_by(story, ended)


def blame_of(story: Story, ended: Ended) -> Blame | None:
    """Whose doing it is that the caller did not get an answer from upstream; `None` if he did, or a cached one."""
    if ended.outcome in ("answered", "cached"):
        return None
    by = decided_by(story, ended)
    if by == "client" or ended.code in MALFORMED:
        return "client"
    if by == "upstream" and story.attempts:
        return story.attempts[-1].blame or "us"
    return BLAMED.get(by, "us")


def _turned_by(story: Story, ended: Ended) -> str | None:
    """Who ended it behind the guards, by its code, unless it was the upstream that said it in these words."""
    said = story.attempts[-1].error_code if story.attempts else None
    return None if ended.code is None or ended.code == said or ended.turned else BEHIND.get(ended.code)


def _stopped_by(last: GuardStep | None) -> str | None:
    return None if last is None or last.did in ("passed", "changed") else last.guard


def _let_down_by(story: Story, ended: Ended) -> str:
    return "upstream" if story.attempts or ended.turned is None else ended.turned
