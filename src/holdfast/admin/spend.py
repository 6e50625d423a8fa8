"""Spending over the Admin API: sums, the forecast, every attempt, and other prices for them."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import msgspec
from starlette.responses import StreamingResponse

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.shapes import (
    ExportQuery,
    ForecastQuery,
    NoBody,
    Query,
    RepriceBody,
    SpanQuery,
    SpendQuery,
)
from holdfast.admin.spending import Attempt, Forecast, Report, Repricing
from holdfast.operations.desk import Desk
from holdfast.operations.export import csv_line, csv_row, json_line
from holdfast.operations.forecast import forecast, forecast_facts
from holdfast.operations.repricing import reprice, repricing_facts
from holdfast.operations.span import Span, span
from holdfast.operations.spend import attempts, report, report_facts

PATH = "/api/v1/spend"
VALUES = ("model", "upstream", "key", "user", "run")


async def get_spend(asked: Asked[SpendQuery, NoBody]) -> object:
    """Sums by group."""
    query = asked.query
    by = [name for part in query.by.split(",") if (name := part.strip())]
    where = {name: value for name in VALUES if (value := getattr(query, name)) is not None}
    return report_facts(await report(asked.desk, _span(asked.desk, query), by=by, where=where))


async def get_forecast(asked: Asked[ForecastQuery, NoBody]) -> object:
    """What this month comes to, and when budgets are used up."""
    return forecast_facts(await forecast(asked.desk, timezone=asked.query.tz))


async def export_spend(asked: Asked[ExportQuery, NoBody]) -> object:
    """Every attempt, oldest first."""
    within = _span(asked.desk, asked.query)
    if asked.query.format == "csv":
        rows, kind = _csv(asked.desk, within), "text/csv; charset=utf-8"
    else:
        rows, kind = _json_lines(asked.desk, within), "application/jsonl"
    name = f"attempts.{asked.query.format}"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return StreamingResponse(rows, media_type=kind, headers=headers)


async def reprice_spend(asked: Asked[Query, RepriceBody]) -> object:
    """Price settled attempts by today's list for their own days."""
    desk, body = asked.desk, asked.body
    within = span(body.since, body.until, timezone=body.tz, now=desk.now)
    told = await reprice(desk, asked.runtime.prices, within, dry_run=body.dry_run)
    return {**repricing_facts(told), "dry_run": body.dry_run}


def _span(desk: Desk, query: SpanQuery) -> Span:
    return span(query.since, query.until, timezone=query.tz, now=desk.now)


async def _csv(desk: Desk, within: Span) -> AsyncGenerator[bytes]:
    yield csv_line(field.name for field in msgspec.structs.fields(Attempt))
    async with aclosing(attempts(desk, within)) as rows:
        async for facts in rows:
            yield csv_row(facts)


async def _json_lines(desk: Desk, within: Span) -> AsyncGenerator[bytes]:
    async with aclosing(attempts(desk, within)) as rows:
        async for facts in rows:
            yield json_line(facts)


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path=PATH,
        name="getSpend",
        summary="Sum up what was spent, by group; this month where no span is named",
        work=get_spend,
        gives=Report,
        query=SpendQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/forecast",
        name="getForecast",
        summary="Foretell this month by the last seven full days, and when budgets will be used up",
        work=get_forecast,
        gives=Forecast,
        query=ForecastQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/export",
        name="exportSpend",
        summary="Every attempt, oldest first, as a file",
        work=export_spend,
        gives=None,
        query=ExportQuery,
        body=NoBody,
    ),
    Operation(
        method="POST",
        path=f"{PATH}/reprice",
        name="repriceSpend",
        summary="Price settled attempts by today's list for their own days; a dry run unless told otherwise",
        work=reprice_spend,
        gives=Repricing,
        query=Query,
        body=RepriceBody,
    ),
)
