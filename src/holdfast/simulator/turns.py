"""The messages of a request: roles, blocks, tool calls with their results, and cache breakpoints."""

from collections.abc import Iterator

from holdfast.simulator.problems import invalid
from holdfast.simulator.values import JsonObject, as_list, as_object, content_blocks, is_object, objects, word

MAX_BREAKPOINTS = 4


def check(body: JsonObject) -> None:
    """Refuse a conversation that the API would not continue."""
    messages = as_list(body.get("messages"))
    if not messages:
        invalid("messages: at least one message is required")
    for index, message in enumerate(messages):
        if not is_object(message):
            invalid(f"messages.{index}: Input should be a valid dictionary")
        _message(index, message, last=index == len(messages) - 1)
    conversation = objects(messages)
    if all(message["role"] == "system" for message in conversation):
        invalid("messages: at least one user message is required")
    _tool_results(conversation)
    _breakpoints(body)


def since_compaction(body: JsonObject) -> JsonObject:
    """The body without what its newest summary replaces; without a summary, the body itself."""
    messages = as_list(body.get("messages"))
    for index in range(len(messages) - 1, -1, -1):
        message = as_object(messages[index])
        blocks = as_list(message.get("content"))
        for position in range(len(blocks) - 1, -1, -1):
            block = as_object(blocks[position])
            if block.get("type") == "compaction" and block.get("content") is not None:
                kept: JsonObject = {**message, "content": blocks[position:]}
                return {**body, "messages": [kept, *messages[index + 1 :]]}
    return body


def _message(index: int, message: JsonObject, *, last: bool) -> None:
    for name in ("role", "content"):
        if name not in message:
            invalid(f"messages.{index}.{name}: Field required")
    if message["role"] not in ("user", "assistant", "system"):
        invalid(f"messages.{index}.role: Input should be 'user', 'assistant' or 'system'")
    if not isinstance(message["content"], str | list):
        invalid(f"messages.{index}.content: Input should be a valid string or list")
    if not message["content"] and not (last and message["role"] == "assistant"):
        invalid(
            f"messages.{index}: all messages must have non-empty content "
            "except for the optional final assistant message"
        )
    _blocks(f"messages.{index}.content", message)


def _blocks(path: str, message: JsonObject) -> None:
    for index, block in enumerate(as_list(message["content"])):
        if not is_object(block):
            invalid(f"{path}.{index}: Input should be a valid dictionary")
        _block(f"{path}.{index}", block)
    if message["role"] == "assistant" and any(
        block.get("type") == "document" for block in objects(message["content"])
    ):
        invalid(f"{path}: `document` blocks are not permitted in assistant messages")


def _block(path: str, block: JsonObject) -> None:
    kind = word(block, "type")
    if not kind:
        invalid(f"{path}.type: Field required")
    if kind == "text":
        if not isinstance(block.get("text"), str):
            invalid(f"{path}.text.text: Field required")
        if not block["text"]:
            invalid("messages: text content blocks must be non-empty")
    for name in _REQUIRED.get(kind, ()):
        if name not in block:
            invalid(f"{path}.{kind}.{name}: Field required")


_REQUIRED = {
    "tool_use": ("id", "name", "input"),
    "tool_result": ("tool_use_id",),
    "image": ("source",),
    "document": ("source",),
    "thinking": ("thinking", "signature"),
}


def _tool_results(messages: list[JsonObject]) -> None:
    """Every result answers a call of the turn before, and every call is answered in the next turn."""
    turns = [(index, message) for index, message in enumerate(messages) if message["role"] != "system"]
    open_calls: list[str] = []
    caller = 0
    for position, (index, message) in enumerate(turns):
        results = [word(block, "tool_use_id") for block in _of_type(message, "tool_result")]
        for result in results:
            if result not in open_calls:
                invalid(
                    f"messages.{index}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {result}. "
                    "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
        if missing := [call for call in open_calls if call not in results]:
            _unanswered(caller, missing)
        open_calls = [word(block, "id") for block in _of_type(message, "tool_use")]
        caller = index
        if len(set(open_calls)) != len(open_calls):
            invalid(f"messages.{index}: `tool_use` ids must be unique")
        if open_calls and position == len(turns) - 1:
            _unanswered(index, open_calls)


def _unanswered(index: int, calls: list[str]) -> None:
    invalid(
        f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(calls)}. Each `tool_use` block must have a corresponding `tool_result` block in the next message."
    )


def _of_type(message: JsonObject, kind: str) -> list[JsonObject]:
    return [block for block in content_blocks(message["content"]) if block.get("type") == kind]


def _breakpoints(body: JsonObject) -> None:
    marks = [as_object(block["cache_control"]) for block in marked(body)]
    if len(marks) > MAX_BREAKPOINTS:
        invalid(
            f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marks)}."
        )
    short_seen = False
    for mark in marks:
        if mark.get("type") != "ephemeral":
            invalid("cache_control.type: Input should be 'ephemeral'")
        lifetime = mark.get("ttl", "5m")
        if lifetime not in ("5m", "1h"):
            invalid("cache_control.ephemeral.ttl: Input should be '5m' or '1h'")
        if lifetime == "1h" and short_seen:
            invalid(
                "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control "
                "block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
            )
        short_seen = short_seen or lifetime == "5m"


def marked(body: JsonObject) -> Iterator[JsonObject]:
    """The blocks with a cache breakpoint, in the order in which the API processes them."""
    for block in prompt_blocks(body):
        if isinstance(block.get("cache_control"), dict):
            yield block


def prompt_blocks(body: JsonObject) -> Iterator[JsonObject]:
    """Tools, system and message blocks, in processing order; results of tools come after their content."""
    yield from objects(body.get("tools"))
    yield from content_blocks(body.get("system"))
    for message in objects(body.get("messages")):
        for block in content_blocks(message.get("content")):
            if block.get("type") == "tool_result":
                yield from objects(block.get("content"))
            yield block
