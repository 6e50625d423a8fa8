"""A value that satisfies a JSON Schema, drawn from dice."""

import re
from dataclasses import dataclass
from random import Random

import msgspec

from holdfast.simulator.values import JsonObject, as_list, as_object, is_integer, is_number, objects, word

MAX_DEPTH = 8
_WORDS = ("alpha", "harbor", "meadow", "quartz", "river", "signal", "violet", "willow")
_FORMATS = {
    "date": "2026-11-22",
    "date-time": "2026-11-22T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT15M",
    "email": "alice@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/item",
    "uuid": "7b6f4a52-2f0e-4d8a-9c3b-1e5d7f9a0b2c",
}


def mentioned(schema: JsonObject, text: str) -> JsonObject:
    """The members of an object schema that the text gives a value, as in `city=Seoul` or `days: "3"`."""
    found: JsonObject = {}
    for name, part in as_object(schema.get("properties")).items():
        match = re.search(
            rf"(?<![\w-]){re.escape(name)}\s*[=:]\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,;)]+))", text
        )
        if match is not None:
            value = _converted(match[1] or match[2] or match[3] or "", as_object(part).get("type"))
            found |= {} if value is None else {name: value}
    return found


def _converted(text: str, kind: object) -> object:
    """The text as a value of that type; `None` where it is none."""
    if kind in (None, "string"):
        return text
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    return value if _is_kind(value, kind) else None


def _is_kind(value: object, kind: object) -> bool:
    match kind:
        case "integer":
            return is_integer(value)
        case "number":
            return is_number(value)
        case _:
            return kind == "boolean" and isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class Sampler:
    """Draws values for one schema document; `hint` fills plain strings that nothing else decides.

    `titles` are those of the caller's documents: a member called `file` or `path` names one of them.
    """

    root: JsonObject
    roll: Random
    hint: str = ""
    titles: tuple[str, ...] = ()

    def draw(self) -> object:
        """A value for the whole document."""
        return self._value(self.root, 0)

    def _value(self, schema: JsonObject, depth: int) -> object:
        schema = self._resolved(schema)
        for name in ("const", "default"):
            if name in schema:
                return schema[name]
        if choices := as_list(schema.get("enum")):
            return self.roll.choice(choices)
        for name in ("anyOf", "oneOf"):
            if options := objects(schema.get(name)):
                return self._value(self._option(options, depth), depth + 1)
        return self._typed(schema, depth)

    def _typed(self, schema: JsonObject, depth: int) -> object:
        match self._kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema)
            case "string":
                return self._string(schema)
            case kind:
                return self.roll.random() < 0.5 if kind == "boolean" else None

    def _kind(self, schema: JsonObject) -> str:
        kind = schema.get("type")
        if isinstance(kind, list):
            kinds = [item for item in as_list(schema["type"]) if isinstance(item, str) and item != "null"]
            return kinds[0] if kinds else "null"
        if isinstance(kind, str):
            return kind
        return "object" if "properties" in schema else "string"

    def _resolved(self, schema: JsonObject) -> JsonObject:
        """The schema behind `$ref`, with every part of `allOf` merged in."""
        for _ in range(MAX_DEPTH):
            reference = word(schema, "$ref")
            if not reference.startswith("#"):
                break
            schema = self._target(reference)
        merged = dict(schema)
        for part in objects(schema.get("allOf")):
            merged = _merged(merged, self._resolved(part))
        return merged

    def _target(self, reference: str) -> JsonObject:
        node: object = self.root
        for step in reference.removeprefix("#").strip("/").split("/"):
            if step:
                node = as_object(node).get(step.replace("~1", "/").replace("~0", "~"))
        return as_object(node)

    def _option(self, options: list[JsonObject], depth: int) -> JsonObject:
        """Any option; deep down the simplest, so that recursive schemas come to an end."""
        plain = [option for option in options if option.get("type") != "null"]
        if depth < MAX_DEPTH and plain:
            return self.roll.choice(plain)
        return min(options, key=lambda option: ("$ref" in option, "properties" in option))

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        properties = as_object(schema.get("properties"))
        required = [name for name in as_list(schema.get("required")) if isinstance(name, str)]
        return {
            name: self._member(name, as_object(properties.get(name)), depth + 1)
            for name in dict.fromkeys([*(name for name in properties if name in required), *required])
        }

    def _member(self, name: str, schema: JsonObject, depth: int) -> object:
        is_named = bool(self.titles) and name in ("file", "path") and schema.get("type") == "string"
        return self.roll.choice(self.titles) if is_named else self._value(schema, depth)

    def _array(self, schema: JsonObject, depth: int) -> list[object]:
        low, high = _bound(schema, "minItems", 1), _bound(schema, "maxItems", 3)
        size = (
            0 if depth >= MAX_DEPTH and "minItems" not in schema else self.roll.randint(low, max(low, high))
        )
        fixed = objects(schema.get("prefixItems"))
        items = [self._value(part, depth + 1) for part in fixed]
        while len(items) < size:
            items.append(self._value(as_object(schema.get("items")), depth + 1))
        return items

    def _integer(self, schema: JsonObject) -> int:
        low, high = _range(schema, 1)
        step = schema.get("multipleOf")
        drawn = self.roll.randint(int(low), int(max(low, high)))
        if isinstance(step, int) and step > 0:
            multiple = -(-int(low) // step) * step
            return multiple if multiple <= high or "maximum" not in schema else drawn
        return drawn

    def _number(self, schema: JsonObject) -> float:
        low, high = _range(schema, 0.01)
        return min(max(round(self.roll.uniform(low, max(low, high)), 2), low), max(low, high))

    def _string(self, schema: JsonObject) -> str:
        if known := _FORMATS.get(word(schema, "format")):
            return known
        low, high = _bound(schema, "minLength", 0), _bound(schema, "maxLength", 1_000_000)
        text = self.hint or self.roll.choice(_WORDS)
        while len(text) < low:
            text += " " + self.roll.choice(_WORDS)
        return text[:high]


def _merged(left: JsonObject, right: JsonObject) -> JsonObject:
    merged = {**left, **right}
    merged["properties"] = {**as_object(left.get("properties")), **as_object(right.get("properties"))}
    merged["required"] = [*as_list(left.get("required")), *as_list(right.get("required"))]
    return merged


def _bound(schema: JsonObject, name: str, otherwise: int) -> int:
    value = schema.get(name)
    return value if isinstance(value, int) and is_integer(value) and value >= 0 else otherwise


def _range(schema: JsonObject, step: float) -> tuple[float, float]:
    """The closed range of `minimum`, `maximum` and their exclusive forms; 1 to 100 where nothing is said."""
    low, high = _limit(schema, "minimum"), _limit(schema, "maximum")
    above, below = _limit(schema, "exclusiveMinimum"), _limit(schema, "exclusiveMaximum")
    if above is not None:
        low = above + step if low is None else max(low, above + step)
    if below is not None:
        high = below - step if high is None else min(high, below - step)
    if low is None:
        low = 1 if high is None or high >= 1 else high - 99
    return low, low + 99 if high is None else high


def _limit(schema: JsonObject, name: str) -> float | None:
    value = schema.get(name)
    return value if isinstance(value, int | float) and is_number(value) else None
