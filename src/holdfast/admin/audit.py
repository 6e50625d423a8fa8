"""The audit over the Admin API."""

from collections.abc import Sequence

from holdfast.admin.operation import AnyOperation, Asked, Operation
from holdfast.admin.pages import by_age, page
from holdfast.admin.shapes import AuditLine, NoBody, Page, PageQuery
from holdfast.operations.desk import instant
from holdfast.ports import AuditEntry


async def list_audit(asked: Asked[PageQuery, NoBody]) -> object:
    """The newest changes first."""

    async def newest(limit: int) -> Sequence[AuditEntry]:
        return await asked.desk.store.audit(limit)

    rows, following = await by_age(newest, _line_name, asked.query)
    return page((_line(one) for one in rows), following)


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
        path="/api/v1/audit",
        name="listAudit",
        summary="List who changed budgets, keys and stops, newest first",
        work=list_audit,
        gives=Page[AuditLine],
        query=PageQuery,
        body=NoBody,
    ),
)
