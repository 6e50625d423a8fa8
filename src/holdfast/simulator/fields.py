"""The top-level fields of a request body: which exist, which must be there, and of what type they are."""

from collections.abc import Callable, Mapping

from holdfast.simulator.problems import ApiError, invalid
from holdfast.simulator.values import JsonObject, as_list, as_object, is_integer, is_number, objects, word

NEW_VERSION = "2026-10-21"
VERSIONS = ("2023-06-01", NEW_VERSION)
SAMPLING = ("temperature", "top_k", "top_p")

_COMMON = frozenset(
    {
        "billing_policy",
        "cache_control",
        "compaction",
        "container",
        "context_management",
        "diagnostics",
        "fallback_credit_token",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "messages",
        "metadata",
        "model",
        "output_config",
        "output_format",
        "safeguards",
        "service_tier",
        "speed",
        "system",
        "tags",
        "thinking",
        "thread",
        "tool_choice",
        "tools",
        "user_profile_id",
        "workspace_id",
    }
)
KNOWN = _COMMON | {"max_tokens", "stop_sequences", "stream", *SAMPLING}

Check = Callable[[object], str | None]


def _is(kind: type, words: str) -> Check:
    return lambda value: None if isinstance(value, kind) else f"Input should be a valid {words}"


def _integer(value: object) -> str | None:
    return None if is_integer(value) else "Input should be a valid integer"


def _number(value: object) -> str | None:
    return None if is_number(value) else "Input should be a valid number"


def _text_or_list(value: object) -> str | None:
    return None if isinstance(value, str | list) else "Input should be a valid string or list"


def _one_of(*words: str) -> Check:
    names = " or ".join(", ".join(repr(word) for word in words).rsplit(", ", 1))
    return lambda value: None if value in words else f"Input should be {names}"


_TYPES: Mapping[str, Check] = {
    "model": _is(str, "string"),
    "messages": _is(list, "list"),
    "max_tokens": _integer,
    "stream": _is(bool, "boolean"),
    "system": _text_or_list,
    "stop_sequences": _is(list, "list"),
    "temperature": _number,
    "top_p": _number,
    "top_k": _integer,
    "tools": _is(list, "list"),
    "tool_choice": _is(dict, "dictionary"),
    "thinking": _is(dict, "dictionary"),
    "metadata": _is(dict, "dictionary"),
    "output_config": _is(dict, "dictionary"),
    "service_tier": _one_of("auto", "standard_only"),
    "speed": _one_of("standard", "fast"),
    "inference_geo": _is(str, "string"),
}


def check(body: JsonObject, *, version: str, lenient: bool) -> None:
    """Refuse what `POST /v1/messages` does not take."""
    _required(body, "model", "messages", "max_tokens")
    _known(body, KNOWN, version=version, lenient=lenient)
    _typed(body)
    _ranges(body)
    _tools(body)
    _thread(body)


def check_count(body: JsonObject, *, version: str, lenient: bool) -> None:
    """Refuse what `POST /v1/messages/count_tokens` does not take."""
    _required(body, "model", "messages")
    _known(body, _COMMON, version=version, lenient=lenient)
    _typed(body)
    _tools(body)
    _thread(body)


def _required(body: JsonObject, *names: str) -> None:
    for name in names:
        if name not in body:
            invalid(f"{name}: Field required")


def _known(body: JsonObject, names: frozenset[str], *, version: str, lenient: bool) -> None:
    for name in body:
        refused = name in SAMPLING and version == NEW_VERSION
        if refused or (name not in names and not lenient):
            invalid(f"{name}: Extra inputs are not permitted")


def _typed(body: JsonObject) -> None:
    for name, check_type in _TYPES.items():
        optional = name not in ("model", "messages", "max_tokens")
        if name not in body or (optional and body[name] is None):
            continue
        if (complaint := check_type(body[name])) is not None:
            invalid(f"{name}: {complaint}")


def _ranges(body: JsonObject) -> None:
    limit = body["max_tokens"]
    if isinstance(limit, int) and limit < 0:
        invalid("max_tokens: Input should be greater than or equal to 0")
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if isinstance(value, int | float) and not 0 <= value <= 1:
            edge = "less than or equal to 1" if value > 1 else "greater than or equal to 0"
            invalid(f"{name}: Input should be {edge}")
    for index, item in enumerate(as_list(body.get("stop_sequences"))):
        if not isinstance(item, str):
            invalid(f"stop_sequences.{index}: Input should be a valid string")
        if not item.strip():
            invalid("stop_sequences: each stop sequence must contain non-whitespace")


def _tools(body: JsonObject) -> None:
    tools = objects(body.get("tools"))
    if len(tools) != len(as_list(body.get("tools"))):
        invalid("tools: Input should be a valid dictionary")
    names: set[str] = set()
    for index, tool in enumerate(tools):
        _tool(index, tool)
        name = word(tool, "name")
        if name and name in names:
            invalid("tools: Tool names must be unique.")
        names.add(name)
    _tool_choice(as_object(body.get("tool_choice")), names, any_tools=bool(tools))


def _tool(index: int, tool: JsonObject) -> None:
    if word(tool, "type") not in ("", "custom"):
        return
    for name in ("name", "input_schema"):
        if name not in tool:
            invalid(f"tools.{index}.custom.{name}: Field required")
    if as_object(tool["input_schema"]).get("type") != "object":
        invalid(f"tools.{index}.custom.input_schema.type: Field required")


def _tool_choice(choice: JsonObject, names: set[str], *, any_tools: bool) -> None:
    if not choice:
        return
    kind = choice.get("type")
    if kind not in ("auto", "any", "tool", "none"):
        invalid("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    if not any_tools and kind != "none":
        invalid("tool_choice: may only be specified while providing tools.")
    if kind == "tool" and word(choice, "name") not in names:
        invalid(f"tool_choice: Tool '{word(choice, 'name')}' not found in provided tools")


def _thread(body: JsonObject) -> None:
    if body.get("thread") is not None:
        raise ApiError(
            status=400,
            message="thread: this organization's settings do not support message threads. "
            "Send the full conversation without `thread`.",
            details={"error_code": "thread_unsupported_request", "unsupported": ["inference_hooks"]},
        )
