"""Requests of the Admin API as types: which are asked for, and one with its story."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from holdfast.admin.shapes import Count, Cursor, Money, Query
from holdfast.admin.spending import Attempt, Call
from holdfast.policy.coverage import Side
from holdfast.policy.failure import Blame
from holdfast.policy.filter_words import LONGEST
from holdfast.policy.story import Did

Filter = Annotated[
    str,
    Meta(
        max_length=LONGEST,
        description="Terms after blanks, such as outcome:fallback model:claude-sonnet* cost>0.05 since:1h -user:kim.",
    ),
]


class FilterQuery(Query, frozen=True, kw_only=True):
    """Which requests are meant."""

    filter: Filter = ""


class RequestsQuery(FilterQuery, frozen=True, kw_only=True):
    """Which requests are meant, and which page of them; `page` is another name for `after`."""

    limit: Count = 100
    after: Cursor | None = None
    page: Cursor | None = None


class RequestExportQuery(FilterQuery, frozen=True, kw_only=True):
    """Which requests are meant, and the kind of file."""

    format: Literal["csv", "jsonl"] = "csv"


class GuardStep(Struct, kw_only=True):
    """What one guard decided."""

    guard: str
    did: Did
    ms: float
    code: str | None
    detail: str


class AttemptStep(Struct, kw_only=True):
    """What one attempt met; milliseconds since the call arrived."""

    attempt: int
    upstream: str
    model: str
    served_model: str | None
    began_ms: float
    first_ms: float | None
    ended_ms: float | None
    kind: str
    status: int | None
    error_code: str | None
    blame: Blame | None
    wait_ms: float | None
    held: Money | None
    settled: Money | None


class SkippedBlock(Struct, kw_only=True):
    """A block that was not examined, and why."""

    path: str
    reason: str


class CoverageView(Struct, kw_only=True):
    """What one guard examined of one side of a call, and what it did not; it never holds text."""

    side: Side
    guard: str
    version: str
    examined: list[str]
    characters: int
    skipped: list[SkippedBlock]
    further: int
    findings: list[str]
    fails: Literal["open", "closed"]


class CacheView(Struct, kw_only=True):
    """What the cache of prompts did for a call that asked to be cached.

    `hit` is the part of the prompt that was read from it, `conversation_hit` the same of its whole conversation;
    `block` is the first that had changed where that has cost `lost_tokens`, dearer by `lost` dollars.
    """

    conversation: str
    hit: float
    conversation_hit: float
    block: str | None
    lost_tokens: int
    lost: Money | None


class StoryView(Struct, kw_only=True):
    """One request from its arrival to its end."""

    guards: list[GuardStep]
    attempts: list[AttemptStep]
    coverage: list[CoverageView]
    degraded: list[str]
    notices: int
    trace_id: str | None
    cache: CacheView | None
    recorded: str | None


class Request(Struct, kw_only=True):
    """A call with its attempts; the call is `None` while it is under way, the story where none was kept."""

    request_id: str
    call: Call | None
    attempts: list[Attempt]
    story: StoryView | None
