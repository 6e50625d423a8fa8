"""Requests as they are listed, shown and exported: the rows of the ledger that a filter means."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, instant
from holdfast.operations.spend import attempt_facts, money
from holdfast.policy.cache_bust import CacheStep
from holdfast.policy.coverage import Coverage
from holdfast.policy.request_filter import RequestFilter
from holdfast.policy.story import AttemptStep, GuardStep, Story
from holdfast.ports import AttemptRecord, CallCursor, CallQuery, CallRecord

PAGE = 500
"""Requests that an export reads at a time."""
ROUNDS = 20
"""Times that a store is asked for one page: it looks through only so many calls at once."""
EVERYTHING = RequestFilter()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestPage:
    """Some requests, newest first; `after` is where the next page begins, `None` at the end."""

    calls: tuple[CallRecord, ...]
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """One request with all that is known of it; `call` is `None` while it is under way."""

    request_id: str
    call: CallRecord | None
    attempts: tuple[AttemptRecord, ...]

    @property
    def story(self) -> Story | None:
        """What befell it, if that was kept."""
        return None if self.call is None else self.call.story


async def requests(
    desk: Desk, wanted: RequestFilter = EVERYTHING, *, limit: int, after: str | None = None
) -> RequestPage:
    """A page of the requests that are meant; raises `ConfigError` for an `after` that no page gave out.

    It may be short and yet have one that follows: then much was looked through, and little was found.
    """
    found: list[CallRecord] = []
    place = None if after is None else _read(after)
    for _ in range(ROUNDS):
        page = await desk.store.calls(CallQuery(filter=wanted, after=place, limit=limit - len(found)))
        found += page.calls
        place = page.following
        if place is None or len(found) == limit:
            break
    return RequestPage(calls=tuple(found), after=None if place is None else _written(place))


async def all_requests(desk: Desk, wanted: RequestFilter) -> AsyncGenerator[dict[str, object]]:
    """Every request that is meant as plain data, newest first, however many there are."""
    after: str | None = None
    while True:
        page = await requests(desk, wanted, limit=PAGE, after=after)
        for call in page.calls:
            yield call_facts(call)
        after = page.after
        if after is None:
            return


async def request(desk: Desk, name: str) -> RequestView | None:
    """One request, or `None` for one that nobody has heard of."""
    call = await desk.store.find(name)
    attempts = await desk.store.attempts_of(name)
    if call is None and not attempts:
        return None
    return RequestView(request_id=name, call=call, attempts=attempts)


def page_facts(page: RequestPage) -> dict[str, object]:
    """A page as plain data for JSON."""
    return {
        "data": [call_facts(one) for one in page.calls],
        "has_more": page.after is not None,
        "next_page": page.after,
    }


def call_facts(one: CallRecord) -> dict[str, object]:
    """A request as plain data for JSON; dollars are decimal text, `None` without a price."""
    usage = one.usage
    return {
        "request_id": one.request_id,
        "at": instant(one.at),
        "door": one.door,
        "key": one.key,
        "user": one.user,
        "run": one.run,
        "agent": one.agent,
        "model": one.model,
        "served_model": one.served_model,
        "upstream": one.upstream,
        "stream": one.stream,
        "end": one.end,
        "status": one.status,
        "error_code": one.error_code,
        "attempts": one.attempts,
        "stop_reason": one.stop_reason,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_creation_1h_input_tokens": usage.cache_creation_1h_input_tokens,
        "thinking_tokens": usage.thinking_tokens,
        "estimated": one.estimated,
        "cost": money(one.cost_pico),
        "price_version": one.price_version,
        "duration_ms": one.duration_ms,
        "outcome": one.outcome,
        "decided_by": one.decided_by,
        "blame": one.blame,
    }


def view_facts(view: RequestView) -> dict[str, object]:
    """A request with its attempts and its story as plain data for JSON."""
    return {
        "request_id": view.request_id,
        "call": None if view.call is None else call_facts(view.call),
        "attempts": [attempt_facts(one) for one in view.attempts],
        "story": None if view.story is None else story_facts(view.story),
    }


def story_facts(story: Story) -> dict[str, object]:
    """A story as plain data for JSON."""
    return {
        "guards": [_guard_facts(one) for one in story.guards],
        "attempts": [_attempt_facts(one) for one in story.attempts],
        "coverage": [_coverage_facts(one) for one in story.coverage],
        "degraded": list(story.degraded),
        "notices": story.notices,
        "trace_id": story.trace_id,
        "cache": None if story.cache is None else _cache_facts(story.cache),
        "recorded": story.recorded,
    }


def _cache_facts(one: CacheStep) -> dict[str, object]:
    return {
        "conversation": one.conversation,
        "hit": one.hit,
        "conversation_hit": one.conversation_hit,
        "block": one.block,
        "lost_tokens": one.lost_tokens,
        "lost": money(one.lost_pico),
    }


def _guard_facts(one: GuardStep) -> dict[str, object]:
    return {"guard": one.guard, "did": one.did, "ms": one.ms, "code": one.code, "detail": one.detail}


def _attempt_facts(one: AttemptStep) -> dict[str, object]:
    return {
        "attempt": one.number,
        "upstream": one.upstream,
        "model": one.model,
        "served_model": one.served_model,
        "began_ms": one.began_ms,
        "first_ms": one.first_ms,
        "ended_ms": one.ended_ms,
        "kind": one.kind,
        "status": one.status,
        "error_code": one.error_code,
        "blame": one.blame,
        "wait_ms": one.wait_ms,
        "held": money(one.held_pico),
        "settled": money(one.settled_pico),
    }


def _coverage_facts(one: Coverage) -> dict[str, object]:
    return {
        "side": one.side,
        "guard": one.guard,
        "version": one.version,
        "examined": list(one.examined),
        "characters": one.characters,
        "skipped": [{"path": block.path, "reason": block.reason} for block in one.skipped],
        "further": one.further,
        "findings": list(one.findings),
        "fails": one.fails,
    }


def _written(place: CallCursor) -> str:
    text = f"{place.at.astimezone(UTC).isoformat()} {place.request_id}"
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str) -> CallCursor:
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, name = text.replace("\0", "").partition(" ")
        return CallCursor(at=datetime.fromisoformat(at).astimezone(UTC), request_id=name)
    except (ValueError, OverflowError) as error:
        raise _turned() from error


def _turned() -> ConfigError:
    return ConfigError(
        Sentence(
            "after: this is no place in the list; take `next_page` of the page before, or begin without it",
            ko="after: 목록의 위치가 아닙니다. 앞 페이지의 `next_page` 값을 그대로 넣거나 빼고 처음부터 읽으세요",
        )
    )
