"""Calls and the audit over the Admin API."""

from collections.abc import Sequence

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_age, page
from holdfast.admin.refusals import missing
from holdfast.admin.shapes import AuditLine, NoBody, Page, PageQuery, Query
from holdfast.admin.spending import Call, Request
from holdfast.language import Sentence
from holdfast.operations.desk import instant
from holdfast.operations.spend import attempt_facts, money
from holdfast.ports import AuditEntry, CallRecord


async def list_requests(asked: Asked[PageQuery, NoBody]) -> object:
    """The newest calls first."""

    async def newest(limit: int) -> Sequence[CallRecord]:
        return await asked.desk.store.newest(limit)

    rows, following = await by_age(newest, lambda one: one.request_id, asked.query)
    return page((call_facts(one) for one in rows), following)


async def get_request(asked: Asked[Query, NoBody]) -> object:
    """A call with its attempts."""
    name = asked.names["id"]
    call = await asked.desk.store.find(name)
    attempts = await asked.desk.store.attempts_of(name)
    if call is None and not attempts:
        raise missing(Sentence(f"request `{name}`", ko=f"`{name}` 요청을"))
    return {
        "request_id": name,
        "call": None if call is None else call_facts(call),
        "attempts": [attempt_facts(one) for one in attempts],
    }


async def list_audit(asked: Asked[PageQuery, NoBody]) -> object:
    """The newest changes first."""

    async def newest(limit: int) -> Sequence[AuditEntry]:
        return await asked.desk.store.audit(limit)

    rows, following = await by_age(newest, _line_name, asked.query)
    return page((_line(one) for one in rows), following)


def call_facts(one: CallRecord) -> dict[str, object]:
    """A call as plain data for JSON; dollars are decimal text, `None` without a price."""
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
        "estimated": one.estimated,
        "cost": money(one.cost_pico),
        "price_version": one.price_version,
        "duration_ms": one.duration_ms,
    }


def _line_name(one: AuditEntry) -> str:
    return f"{one.at.isoformat()} {one.action} {one.kind} {one.name}"


def _line(one: AuditEntry) -> dict[str, object]:
    return {
        "at": instant(one.at),
        "actor": one.actor,
        "action": one.action,
        "kind": one.kind,
        "name": one.name,
        "note": one.note,
    }


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        method="GET",
        path="/api/v1/requests",
        name="listRequests",
        summary="List the calls that are over, newest first",
        work=list_requests,
        gives=Page[Call],
        query=PageQuery,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path="/api/v1/requests/{id}",
        name="getRequest",
        summary="Show a call with its attempts",
        work=get_request,
        gives=Request,
        query=Query,
        body=NoBody,
    ),
    Operation(
        method="GET",
        path="/api/v1/audit",
        name="listAudit",
        summary="List who changed budgets, keys and stops, newest first",
        work=list_audit,
        gives=Page[AuditLine],
        query=PageQuery,
        body=NoBody,
    ),
)
