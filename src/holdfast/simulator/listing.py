"""The catalogue as `GET /v1/models` shows it."""

from datetime import date
from urllib.parse import parse_qs

from holdfast.simulator.models import Model, catalogue
from holdfast.simulator.problems import ApiError, invalid
from holdfast.simulator.values import JsonObject

EFFORTS = ("low", "medium", "high", "xhigh", "max")


def one(name: str, day: date) -> JsonObject:
    """One model by id or alias."""
    model = catalogue().find(name)
    if model is None:
        raise ApiError(status=404, message=f"model: {name}")
    return _wire(model, day)


def page(query: str, day: date) -> JsonObject:
    """A page of the models, newest first."""
    return paged([_wire(model, day) for model in catalogue()], query, "model")


def paged(rows: list[JsonObject], query: str, noun: str) -> JsonObject:
    """A page of a list: `limit`, and `after_id` or `before_id`."""
    asked = {name: values[-1] for name, values in parse_qs(query).items()}
    ids = [str(row["id"]) for row in rows]
    limit = _limit(asked.get("limit", "20"))
    start, end = 0, len(rows)
    if after := asked.get("after_id"):
        start = _position(ids, "after_id", after, noun) + 1
    if before := asked.get("before_id"):
        end = _position(ids, "before_id", before, noun)
        start = max(start, end - limit)
    found = rows[start : min(end, start + limit)]
    more = start > 0 if asked.get("before_id") else start + limit < end
    return {
        "data": found,
        "has_more": more,
        "first_id": found[0]["id"] if found else None,
        "last_id": found[-1]["id"] if found else None,
    }


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1_000:
        invalid("limit: Input should be a valid integer between 1 and 1000")
    return int(text)


def _position(ids: list[str], name: str, wanted: str, noun: str) -> int:
    if wanted not in ids:
        invalid(f"{name}: no {noun} is called {wanted}")
    return ids.index(wanted)


def _moment(day: date | None) -> str | None:
    return None if day is None else f"{day.isoformat()}T00:00:00Z"


def _wire(model: Model, day: date) -> JsonObject:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": _moment(model.released) or "1970-01-01T00:00:00Z",
        "lifecycle": "retired" if model.is_retired(day) else model.lifecycle,
        "line": model.line,
        "deprecated_at": _moment(model.deprecated_on),
        "retires_at": _moment(model.retires_on),
        "max_input_tokens": model.window,
        "max_tokens": model.max_output,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Model) -> JsonObject:
    adaptive = "adaptive" in model.thinking
    kinds = ("adaptive", "between_tools", "disabled", "enabled")
    return {
        **{
            name: _can(True)
            for name in ("batch", "citations", "image_input", "pdf_input", "structured_outputs")
        },
        "code_execution": _can(model.us_multiplier is not None),
        "context_management": {
            "supported": True,
            **{
                name: _can(True)
                for name in ("clear_thinking_20251015", "clear_tool_uses_20250919", "compact_20260112")
            },
        },
        "effort": {"supported": adaptive, **{name: _can(adaptive) for name in EFFORTS}},
        "server_tools": {"supported": True, "code_execution": _can(True), "web_search": _can(True)},
        "thinking": {"supported": True, "types": {name: _can(name in model.thinking) for name in kinds}},
    }


def _can(supported: bool) -> JsonObject:
    return {"supported": supported}
