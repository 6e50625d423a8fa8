"""The JSON Schema of a function's arguments, from its type hints and its docstring."""

import inspect
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, cast, get_type_hints

import msgspec

from holdfast.agent.definitions import Definitions
from holdfast.errors import ConfigError
from holdfast.language import Sentence

_ARGS = re.compile(r"^(?:Args|Arguments|Parameters|인자|매개변수):\s*$")
_SECTION = re.compile(r"^\S.*:\s*$")
_ARGUMENT = re.compile(r"^(\*{0,2}\w+)\s*(?:\([^)]*\))?:\s*(.*)$")
_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """What a function takes: the schema that a model reads, and the type that its input is checked against."""

    description: str
    schema: Mapping[str, object]
    arguments: type[msgspec.Struct]

    def read(self, given: object) -> dict[str, Any]:
        """The arguments of a call; raises `msgspec.ValidationError`, which names the member and what is wrong."""
        if isinstance(given, dict):
            strange = sorted(set(cast("dict[str, object]", given)) - set(self.arguments.__struct_fields__))
            if strange:
                raise msgspec.ValidationError(f"Object contains unknown field `{strange[0]}`")
        read = msgspec.convert(given, self.arguments, dec_hook=_validated)
        return {name: getattr(read, name) for name in self.arguments.__struct_fields__}


def signature_of(function: Callable[..., object], name: str) -> Signature:
    """Read a function; raises `ConfigError` for one whose arguments no JSON Schema can tell."""
    plain, bound = unbound(function)
    if not (inspect.isroutine(plain) or hasattr(plain, "__annotations__")):
        raise _no_function(name or type(function).__name__)
    summary, told = _documented(inspect.getdoc(plain) or "")
    hints = _hints(plain, name)
    fields: list[tuple[str, Any, Any]] = []
    for parameter in _parameters(function, name):
        if parameter.name in bound:
            continue
        if parameter.kind in _VARIADIC or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            raise _not_by_name(name, parameter.name)
        if parameter.name not in hints:
            raise _untyped(name, parameter.name)
        kind = hints[parameter.name]
        if parameter.name in told:
            kind = Annotated[kind, msgspec.Meta(description=told[parameter.name])]
        default = msgspec.NODEFAULT if parameter.default is inspect.Parameter.empty else parameter.default
        fields.append((parameter.name, kind, _defaulted(default)))
    arguments = msgspec.defstruct("Input", fields, kw_only=True)
    return Signature(description=summary, schema=schema_of(arguments, name), arguments=arguments)


def unbound(function: Callable[..., object]) -> tuple[Callable[..., object], frozenset[str]]:
    """The function inside a `functools.partial`, and the arguments that are bound by name: no model gives those."""
    bound: set[str] = set()
    while isinstance(function, partial):
        bound |= set(function.keywords)
        function = cast("Callable[..., object]", function.func)
    return function, frozenset(bound)


def _hints(function: Callable[..., object], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise _unknown_type(name, str(error)) from error


def _parameters(function: Callable[..., object], name: str) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (ValueError, TypeError) as error:
        raise _no_function(name) from error


def schema_of(kind: Any, name: str) -> dict[str, object]:
    """The JSON Schema of a type: dataclass, TypedDict, msgspec Struct or pydantic model, definitions beside it.

    Raises `ConfigError` for a type that JSON cannot say.
    """
    try:
        (root,), shared = msgspec.json.schema_components(
            [kind], schema_hook=_schema, ref_template="#/$defs/{name}"
        )
    except (TypeError, RuntimeError, NameError) as error:
        raise _unknown_type(name, str(error)) from error
    found = Definitions(dict(shared))
    schema = cast("dict[str, object]", found.hoisted(dict(root)))
    for key, value in shared.items():
        found.known[key] = found.hoisted(value)
    definitions = found.known
    reference = str(schema.get("$ref", ""))
    own = reference.rpartition("/")[2]
    if own in definitions and not _refers(definitions, reference):
        schema = definitions.pop(own)
    schema.pop("title", None)
    return {**schema, "$defs": definitions} if definitions else schema


def convert(given: object, kind: Any) -> Any:
    """Plain JSON data as a value of that type; raises `msgspec.ValidationError`."""
    return msgspec.convert(given, kind, dec_hook=_validated)


def _refers(definitions: Mapping[str, Any], reference: str) -> bool:
    return f'"{reference}"'.encode() in msgspec.json.encode(definitions)


def _defaulted(default: Any) -> Any:
    """A list or an object as a default is one for every call, as functions have it; no schema shows those."""
    if default is msgspec.NODEFAULT or (not isinstance(default, _MUTABLE) and _is_json(default)):
        return default
    kept = cast("object", default)
    return msgspec.field(default_factory=lambda: kept)


_MUTABLE = (list, dict, set, bytearray, msgspec.Struct)


def _is_json(value: object) -> bool:
    """Whether JSON can say it: it has no infinity, no lone surrogate, and no pydantic model."""
    try:
        json.dumps(msgspec.to_builtins(value), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _schema(kind: type) -> dict[str, Any]:
    """The schema of a pydantic model, which brings its own."""
    describe = getattr(kind, "model_json_schema", None)
    if describe is None:
        raise TypeError(f"the type {kind.__name__} has no JSON Schema")
    return cast("dict[str, Any]", describe())


def _validated(kind: type, given: object) -> object:
    """A pydantic model read by itself."""
    validate = getattr(kind, "model_validate", None)
    if validate is None:
        raise TypeError(f"the type {kind.__name__} cannot be read from JSON")
    return cast("object", validate(given))


def _documented(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says of the function, and of each argument, as Google's style writes it."""
    summary: list[str] = []
    told: dict[str, str] = {}
    current, is_inside = "", False
    for line in text.splitlines():
        if _ARGS.match(line):
            is_inside = True
        elif not is_inside:
            if _SECTION.match(line):
                break
            summary.append(line)
        elif line.strip() and not line[0].isspace():
            break
        elif (found := _ARGUMENT.match(line.strip())) and _indent(line) <= _ARGUMENT_INDENT:
            current = found[1].lstrip("*")
            told[current] = found[2]
        elif line.strip() and current:
            told[current] = f"{told[current]} {line.strip()}"
    return "\n".join(summary).strip(), told


_ARGUMENT_INDENT = 4


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _not_by_name(tool: str, parameter: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The tool `{tool}` takes `{parameter}`, which cannot be given by name. Give every argument a name of its own.",
            ko=f"도구 `{tool}`의 `{parameter}`은(는) 이름으로 전달할 수 없습니다. 모든 인자에 이름을 붙이세요.",
        )
    )


def _no_function(name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"`{name}` is no function whose arguments can be read. Write a function with `def` that calls it, and "
            "make that the tool.",
            ko=f"`{name}`은(는) 인자를 읽을 수 있는 함수가 아닙니다. `def`로 이를 호출하는 함수를 만들어 도구로 쓰세요.",
        )
    )


def _untyped(tool: str, parameter: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The tool `{tool}` does not say of what type `{parameter}` is. Add a type hint, such as `{parameter}: str`.",
            ko=f"도구 `{tool}`의 `{parameter}`에 타입이 없습니다. `{parameter}: str`처럼 타입 힌트를 추가하세요.",
        )
    )


def _unknown_type(tool: str, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"`{tool}` has a type that no JSON Schema can tell: {why}. Use str, int, float, bool, list, dict, "
            "Literal, a dataclass, a TypedDict, a msgspec Struct or a pydantic model.",
            ko=f"`{tool}`에 JSON 스키마로 나타낼 수 없는 타입이 있습니다: {why}. str, int, float, bool, list, dict, "
            "Literal, dataclass, TypedDict, msgspec Struct, pydantic 모델을 쓰세요.",
        )
    )
