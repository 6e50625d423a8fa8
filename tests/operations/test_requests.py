"""Requests page by page: a store that looks through much and finds little is asked again, though not for ever."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from holdfast.errors import ConfigError
from holdfast.operations.desk import Desk
from holdfast.operations.requests import ROUNDS, all_requests, requests
from holdfast.policy.request_filter import RequestFilter
from holdfast.ports import CallCursor, CallPage, CallQuery, CallRecord, Store
from holdfast.settings import Settings
from tests.telemetry.test_feed import a_call

DAWN = datetime(2026, 11, 22, tzinfo=UTC)


@dataclass
class Sparse:
    """Looks through one place at a time; at each there is a call, or none."""

    has: str
    asked: list[CallQuery] = field(default_factory=list[CallQuery])

    async def calls(self, query: CallQuery) -> CallPage:
        self.asked.append(query)
        place = 0 if query.after is None else int(query.after.request_id)
        calls: tuple[CallRecord, ...] = (a_call(str(place)),) if self.has[place] == "x" else ()
        last = place + 1
        at = DAWN + timedelta(microseconds=last)
        following = CallCursor(at=at, request_id=str(last)) if last < len(self.has) else None
        return CallPage(calls=calls, following=following)


def desk(has: str) -> tuple[Desk, Sparse]:
    store = Sparse(has)
    return Desk(store=cast("Store", store), settings=Settings()), store


async def test_a_page_is_filled_from_as_many_looks_as_it_takes() -> None:
    operator, store = desk("..x.x.x")
    page = await requests(operator, RequestFilter(), limit=2)

    assert [call.request_id for call in page.calls] == ["2", "4"]
    assert [query.limit for query in store.asked] == [2, 2, 2, 1, 1]


async def test_a_page_goes_on_exactly_where_the_one_before_ended() -> None:
    operator, store = desk("x.x")
    first = await requests(operator, limit=1)
    second = await requests(operator, limit=5, after=first.after)

    assert [call.request_id for call in second.calls] == ["2"]
    assert store.asked[1].after == CallCursor(at=DAWN + timedelta(microseconds=1), request_id="1")
    assert second.after is None


async def test_after_so_many_looks_in_vain_the_page_is_short_and_says_where_to_go_on() -> None:
    operator, store = desk("." * 100 + "x")
    page = await requests(operator, limit=1)

    assert (page.calls, page.after is None) == ((), False)
    assert len(store.asked) == ROUNDS


async def test_an_export_goes_on_to_the_end() -> None:
    operator, _ = desk("x" + "." * 100 + "x")
    found = [facts["request_id"] async for facts in all_requests(operator, RequestFilter())]

    assert found == ["0", "101"]


@pytest.mark.parametrize(
    "after",
    ["", "ä", "AA", "====", urlsafe_b64encode(b"0001-01-01T00:00:00+14:00 x").decode(), "_____w"],
)
async def test_a_place_that_no_page_named_is_refused(after: str) -> None:
    operator, _ = desk("x")
    with pytest.raises(ConfigError, match="no place in the list"):
        await requests(operator, limit=1, after=after)
