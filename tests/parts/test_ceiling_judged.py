"""Every bill of the simulator, which reckons by itself, is what the book says and never above the ceiling."""

import asyncio
import base64
import json
import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from holdfast import PriceBook
from holdfast.simulator import Simulator
from holdfast.simulator.models import Model, catalogue
from holdfast.testing import FakeClock
from holdfast.wire.messages import read_request
from holdfast.wire.usage import Usage
from tests.simulator.conftest import Api, parse_events

BOOK = PriceBook.default()
DAYS = (date(2026, 3, 1), date(2026, 7, 30), date(2026, 10, 5), date(2026, 11, 22), date(2026, 12, 2))
SERVED = [(model, day) for day in DAYS for model in catalogue() if model.prices and not model.is_retired(day)]
PICO = 10**12

Body = dict[str, Any]

SCRIPTS = (
    "The quick brown fox jumps over the lazy dog. ",
    "주문 번호 42번의 배송 상태를 확인해 주세요. ",
    "请检查这份报告并总结要点。",
    "注文の状況を教えてください。",
    "Проверьте, пожалуйста, этот отчёт. ",
    "الرجاء التحقق من حالة الطلب. ",
    "🙂🚀🇰🇷👩‍👩‍👧",
    '{"id": 7, "values": [1, 2, 3]}\n\t',
    "3.14159265358979323846",
    "aGVsbG8gd29ybGQ=",
)


def png(width: int, height: int) -> Body:
    raw = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\0" * 9
    data = base64.b64encode(raw).decode()
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


def pdf(pages: int) -> Body:
    raw = b"%PDF-1.7" + b"".join(b"/Type /Page ".ljust(300, b"%") for _ in range(pages))
    data = base64.b64encode(raw).decode()
    return {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": data}}


@st.composite
def texts(draw: st.DrawFn, most: int = 400) -> str:
    pieces = draw(st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=3))
    return draw(st.text(max_size=20)) + "".join(pieces) * draw(st.integers(1, most))


@st.composite
def blocks(draw: st.DrawFn, control: Body) -> list[Body]:
    found: list[Body] = [{"type": "text", "text": draw(texts()), **control}]
    if draw(st.booleans()):
        found.append(png(draw(st.integers(1, 1_800)), draw(st.integers(1, 1_800))))
    if draw(st.sampled_from([False, False, True])):
        found.append(pdf(draw(st.integers(1, 40))))
    if draw(st.booleans()):
        found.append({"type": "text", "text": "Please search the web for it."})
    return found


@st.composite
def tools(draw: st.DrawFn) -> list[Body]:
    custom = [
        {
            "name": f"tool_{number}",
            "description": draw(texts(40)),
            "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}},
        }
        for number in range(draw(st.integers(0, 3)))
    ]
    uses = draw(st.sampled_from([{}, {"max_uses": 1}, {"max_uses": 5}]))
    search = {"type": "web_search_20250305", "name": "web_search", **uses}
    return [*custom, search] if draw(st.booleans()) else custom


def thoughts(model: Model) -> st.SearchStrategy[Body]:
    found: list[Body] = [{}]
    if "adaptive" in model.thinking:
        found.append({"thinking": {"type": "adaptive"}})
    if "enabled" in model.thinking:
        found.append({"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 1_500})
    return st.sampled_from(found)


@st.composite
def bodies(draw: st.DrawFn, model: Model, day: date) -> Body:
    ttl = draw(st.sampled_from([None, "5m", "1h"]))
    control: Body = {} if ttl is None else {"cache_control": {"type": "ephemeral", "ttl": ttl}}
    body: Body = {
        "model": draw(st.sampled_from([model.id, *model.aliases])),
        "max_tokens": draw(st.integers(1, 1_500)),
        "system": [{"type": "text", "text": draw(texts()), **control}],
        "messages": [{"role": "user", "content": draw(blocks(control))}],
        "tools": draw(tools()),
        **draw(thoughts(model)),
    }
    if draw(st.booleans()):
        body["cache_control"] = {"type": "ephemeral"}
    if model.us_multiplier is not None:
        body |= draw(st.sampled_from([{}, {"inference_geo": "us"}, {"inference_geo": "global"}]))
    if model.fast_ignored or model.fast_rates(day) is not None:
        body |= draw(st.sampled_from([{}, {"speed": "fast"}]))
    return body | {"stream": draw(st.booleans())}


async def asked(simulator: Simulator, body: Body) -> Usage:
    response = await Api(simulator).post(body)
    assert response.status_code == 200, response.text
    if not body["stream"]:
        return Usage.of(response.json()["usage"])
    told = parse_events(response.content)
    usage = Usage.of(told[0]["message"]["usage"])
    for payload in told:
        if payload["type"] == "message_delta":
            usage = usage.merged(payload["usage"])
    return usage


@settings(max_examples=200, deadline=None)
@given(data=st.data())
@pytest.mark.requirement("money:hold-bounds-bill")
def test_no_bill_is_above_its_ceiling_and_every_bill_is_the_books_price(data: st.DataObject) -> None:
    model, day = data.draw(st.sampled_from(SERVED))
    body = data.draw(bodies(model, day))
    moment = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    simulator = Simulator(clock=FakeClock(moment), time_scale=0, mode="echo")
    bound = BOOK.ceiling(model.id, read_request(json.dumps(body).encode()), at=moment)

    async def twice() -> list[Usage]:
        return [await asked(simulator, body) for _ in range(2)]

    for usage, entry in zip(asyncio.run(twice()), simulator.ledger, strict=True):
        bill = int(entry.cost * PICO)
        event(f"cache {usage.cache_read_input_tokens > 0}, searched {usage.web_search_requests > 0}")
        assert BOOK.cost_pico(model.id, usage, at=moment) == bill
        assert bill <= bound.pico


# ---- how far above


def words(count: int) -> str:
    return "The river keeps its own calendar, and the town has learned to read it. "[:60] * (count // 14)


TWENTY_TOOLS = [
    {
        "name": f"tool_{number}",
        "description": "Looks up one record by its number and returns every field of it as JSON text. " * 6,
        "input_schema": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": "what to look for"}
                for name in ("id", "region", "day")
            },
        },
    }
    for number in range(20)
]


@pytest.mark.parametrize(
    ("request_", "most"),
    [
        pytest.param({"text": "What is a circuit breaker, and when should I use one?"}, "7", id="short chat"),
        pytest.param({"text": words(50_000), "max_tokens": 2_000}, "2.2", id="long document"),
        pytest.param(
            {"text": words(2_000), "max_tokens": 4_096, "tools": TWENTY_TOOLS}, "6", id="agent turn"
        ),
    ],
)
async def test_a_ceiling_stays_near_the_bill_of_a_usual_request(request_: Body, most: str) -> None:
    text = request_.pop("text")
    body = {"model": "claude-sonnet-5-5", "max_tokens": 1_024, "stream": False, **request_}
    body["messages"] = [{"role": "user", "content": text}]
    clock = FakeClock()
    simulator = Simulator(clock=clock, time_scale=0)
    simulator.say("A circuit breaker stops calls to what fails, for a while, and then tries again. " * 10)

    await asked(simulator, body)

    bound = BOOK.ceiling("claude-sonnet-5-5", read_request(json.dumps(body).encode()), at=clock.now())
    assert Decimal(bound.pico) / (simulator.billed * PICO) < Decimal(most)
