"""What is written about one line of a batch."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

from holdfast.batches.item import Item, Name, Unreadable
from holdfast.errors import HoldfastError
from holdfast.wire.assembling import content_of, text_in

Outcome = Literal["answered", "cached", "failed", "not_run", "unreadable"]
Row = dict[str, object]
DONE = ("answered", "cached")


def answered(
    item: Item,
    message: Mapping[str, object],
    body: bytes,
    *,
    cost: Decimal | None,
    outcome: Outcome = "answered",
) -> Row:
    """The row of an answer; `body` is its message as it came. Raises `MalformedAnswer` for what is no message."""
    content, _ = content_of(body)
    said: Row = {"message": message} if item.is_whole else {"text": text_in(content)}
    return {
        "id": item.id,
        **said,
        "usage": message.get("usage"),
        "cost": _amount(cost),
        "outcome": outcome,
        "error": None,
    }


def failed(item: Item, error: HoldfastError, *, cost: Decimal | None = Decimal(0)) -> Row:
    """The row of a line that got no answer."""
    kind: Row = {"message": None} if item.is_whole else {"text": None}
    told = {"code": error.error_code, "status": error.status, "message": str(error)}
    upstream = error.details.get("upstream_error_code")
    told |= {} if upstream is None else {"upstream_code": upstream}
    return {
        "id": item.id,
        **kind,
        "usage": None,
        "cost": _amount(cost),
        "outcome": "failed",
        "error": told,
    }


def not_run(name: Name) -> Row:
    """The row of a line whose turn never came."""
    return {"id": name, "usage": None, "cost": "0", "outcome": "not_run", "error": None}


def unreadable(one: Unreadable) -> Row:
    """The row of a line that could not be asked."""
    told = {"code": "holdfast_line_unreadable", "line": one.line, "message": one.why.en}
    return {"id": one.id, "usage": None, "cost": "0", "outcome": "unreadable", "error": told}


def cost_of(row: Mapping[str, object]) -> Decimal:
    """Exact dollars of a row; nothing for one without a price."""
    cost = row.get("cost")
    return Decimal(cost) if isinstance(cost, str) else Decimal(0)


def _amount(cost: Decimal | None) -> str | None:
    return None if cost is None else f"{cost:f}"
