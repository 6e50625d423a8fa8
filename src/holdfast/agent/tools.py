"""Functions that a model may call."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypeGuard, cast, overload

import msgspec

from holdfast.agent.signature import Signature, signature_of, unbound
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.sanitation import whole
from holdfast.policy.toolloop import Block

Policy = Literal["allow", "ask", "deny"]
NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
"""What the API takes as the name of a tool."""
TIMEOUT = 60.0
LARGEST = 50_000
LARGEST_BLOCK = 5 * 1024 * 1024 + 1024
"""Bytes of one block of a result: what the API takes for an image in base64, and what is around it."""
LARGEST_CONTENT = 8 * 1024 * 1024
"""Bytes of all blocks of a result."""


class ToolError(Exception):
    """Raise it in a tool to tell the model what went wrong: its text, and nothing else, is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gives back when a text is not enough: content blocks, or an error that is no exception."""

    content: str | Sequence[Block]
    is_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tool:
    """A function with what a model and holdfast must know of it; called like the function itself.

    Attributes:
        name: what the model calls it.
        description: what it does, as the model reads it.
        input_schema: the JSON Schema of its input.
        function: what is run, in the event loop if it is asynchronous, else in a thread.
        timeout: seconds that a call may take once it runs; `None` for no limit. A thread cannot be ended: it runs on
            unheard, and its place is taken until it is done.
        policy: `allow` runs it, `ask` has a person decide each time, `deny` never runs it. Left out, it runs
            unless it acts and what the model has read gives reason to doubt that its user wants this.
        acts: whether it does something in the world rather than read; `None` goes by its name.
        largest: characters of a result that the model is shown; the rest is cut off, and said to be. An image or a
            document is left out above 5 MiB, and whatever goes beyond 8 MiB in one result.
        calls: how often it may be called for one message; `None` for no limit.
    """

    name: str
    description: str
    input_schema: Mapping[str, object]
    function: Callable[..., object]
    timeout: float | None = TIMEOUT
    policy: Policy | None = None
    acts: bool | None = None
    largest: int = LARGEST
    calls: int | None = None
    signature: Signature | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if NAME.fullmatch(self.name) is None:
            raise _bad_name(self.name)
        if (self.timeout is not None and not self.timeout > 0) or self.largest < 1 or self.calls == 0:
            raise _zero(self.name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def is_asynchronous(self) -> bool:
        """Whether it runs in the event loop."""
        return inspect.iscoroutinefunction(self.function)

    @property
    def offer(self) -> dict[str, object]:
        """How a request offers it to a model."""
        return {"name": self.name, "description": self.description, "input_schema": dict(self.input_schema)}

    def arguments(self, given: object) -> dict[str, Any]:
        """The arguments of a call; raises `msgspec.ValidationError` for an input that does not fit."""
        if self.signature is not None:
            return self.signature.read(given)
        if not isinstance(given, dict):
            raise msgspec.ValidationError("Expected `object`")
        return cast("dict[str, Any]", given)


@overload
def tool(function: Callable[..., object], /) -> Tool: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | timedelta | None = TIMEOUT,
    policy: Policy | None = None,
    acts: bool | None = None,
    largest: int = LARGEST,
    calls: int | None = None,
) -> Callable[[Callable[..., object]], Tool]: ...
def tool(function: Callable[..., object] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function, synchronous or asynchronous: `@tool`, or `@tool(timeout=5, policy="ask")`.

    Its schema comes from the type hints and the docstring. The options are those of `Tool`; `timeout` is in seconds
    or a `timedelta`. Raises `ConfigError` for a function whose arguments have no names or no types.
    """
    return tool_of(function, **options) if function is not None else partial(tool_of, **options)


def tool_of(
    function: Callable[..., object],
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: float | timedelta | None = TIMEOUT,
    **options: Any,
) -> Tool:
    """The tool that a function makes; see `tool`."""
    called = name or str(getattr(unbound(function)[0], "__name__", ""))
    signature = signature_of(function, called)
    said = description or signature.description
    if not said:
        raise _undescribed(called)
    return Tool(
        name=called,
        description=said,
        input_schema=signature.schema,
        function=function,
        timeout=timeout.total_seconds() if isinstance(timeout, timedelta) else timeout,
        signature=signature,
        **options,
    )


def shown_result(result: object, largest: int) -> ToolResult:
    """What a tool gave back, as the model is shown it; raises whatever the result does when it is read."""
    match result:
        case ToolResult(content=content, is_error=is_error):
            shown = _cut(content, largest) if isinstance(content, str) else _blocks(content, largest)
            return ToolResult(content=shown, is_error=is_error)
        case None:
            return ToolResult(content="Done.")
        case str():
            return ToolResult(content=_cut(result, largest))
        case _:
            return ToolResult(content=_cut(_as_json(result), largest))


def _as_json(result: object) -> str:
    try:
        return msgspec.json.encode(result, enc_hook=_plain).decode()
    except (TypeError, ValueError, RecursionError):
        return str(result)


def _plain(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) else str(value)


def _blocks(content: Sequence[Block], largest: int) -> Sequence[Block]:
    """The blocks as plain JSON, so that nothing in them is left to fail when they are sent."""
    left, room, shown = largest, LARGEST_CONTENT, list[Block]()
    for block in content:
        text = block.get("text")
        if block.get("type") == "text" and isinstance(text, str):
            block = {**block, "text": _cut(text, max(left, 0))}
            left -= len(text)
        sent = msgspec.json.encode(block)
        if len(sent) > min(room, LARGEST_BLOCK):
            shown.append({"type": "text", "text": _left_out(block, len(sent))})
        else:
            room -= len(sent)
            shown.append(msgspec.json.decode(sent, type=dict[str, object]))
    return shown


def _left_out(block: Block, size: int) -> str:
    kind = whole(str(block.get("type")))[:64]
    return (
        f"[left out: a block of type {kind} of {size:,} bytes. One block may have {LARGEST_BLOCK:,} bytes, "
        f"and all of a result {LARGEST_CONTENT:,}.]"
    )


def _cut(text: str, largest: int) -> str:
    if len(text) <= largest:
        return whole(text) or "(no output)"
    return (
        f"{whole(text[:largest])}\n[cut: {len(text) - largest:,} of {len(text):,} characters are not shown]"
    )


def is_tool(value: object) -> TypeGuard[Tool]:
    """Whether this is a tool already."""
    return isinstance(value, Tool)


def _bad_name(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"A tool cannot be called {name[:140]!r}: use 1 to 128 of a-z, A-Z, 0-9, _ and -. Give it one with `tool(name=...)`.",
            ko=f"도구 이름으로 {name[:140]!r}을(를) 쓸 수 없습니다. a-z, A-Z, 0-9, _, -로 1~128자를 쓰세요. "
            "`tool(name=...)`으로 지정할 수 있습니다.",
        )
    )


def _zero(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The tool `{name}` has a limit of 0, which lets nothing through; leave it out for no limit.",
            ko=f"도구 `{name}`의 한도가 0이라 아무것도 실행할 수 없습니다. 제한하지 않으려면 빼세요.",
        )
    )


def _undescribed(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The tool `{name}` does not say what it does. Write a docstring, or give it a `description`.",
            ko=f"도구 `{name}`에 설명이 없습니다. docstring을 쓰거나 `description`을 지정하세요.",
        )
    )
