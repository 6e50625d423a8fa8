"""A request body, read and found valid: what the rest of the simulator works with."""

from dataclasses import dataclass
from datetime import date

import msgspec

from holdfast.simulator import abilities, fields, turns
from holdfast.simulator.models import Model, catalogue
from holdfast.simulator.problems import ApiError, invalid, too_deep
from holdfast.simulator.prompt import Segment, segments
from holdfast.simulator.values import JsonObject, as_list, as_object, is_integer, is_object, objects, word


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRequest:
    """A valid `POST /v1/messages`; `body` is what was sent."""

    body: JsonObject
    model: Model
    max_tokens: int
    prompt: tuple[Segment, ...]
    messages: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...]
    stop_sequences: tuple[str, ...]
    fast: bool
    us: bool

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def prompt_tokens(self) -> int:
        """The length of the whole prompt."""
        return sum(segment.tokens for segment in self.prompt)

    @property
    def thinks(self) -> bool:
        """Whether thinking blocks were asked for."""
        return word(as_object(self.body.get("thinking")), "type") in ("adaptive", "enabled")

    @property
    def schema(self) -> JsonObject | None:
        """The JSON Schema of `output_config.format`."""
        wanted = as_object(as_object(self.body.get("output_config")).get("format"))
        return as_object(wanted.get("schema")) if wanted.get("type") == "json_schema" else None

    @property
    def tool_choice(self) -> JsonObject:
        return as_object(self.body.get("tool_choice"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What validity depends on besides the body."""

    version: str
    day: date
    lenient: bool = False


def parse(raw: bytes) -> JsonObject:
    """The JSON object in a request body; 400 for anything else, however deep or broken it is."""
    try:
        value: object = msgspec.json.decode(raw)
    except RecursionError:
        raise too_deep() from None
    except UnicodeDecodeError:
        invalid("The request body is not valid JSON: it is not valid UTF-8")
    except msgspec.DecodeError as error:
        invalid(f"The request body is not valid JSON: {error}")
    if not is_object(value):
        invalid("Input should be a valid dictionary")
    return value


def message_request(body: JsonObject, rules: Rules) -> MessageRequest:
    """The valid request in `body`, or the API's refusal."""
    fields.check(body, version=rules.version, lenient=rules.lenient)
    request = _read(body, rules.day)
    abilities.check(body, request.model, rules.day, version=rules.version)
    if request.prompt_tokens > request.model.window:
        invalid(f"prompt is too long: {request.prompt_tokens} tokens > {request.model.window} maximum")
    return request


def count_request(body: JsonObject, rules: Rules) -> MessageRequest:
    """The valid request of `POST /v1/messages/count_tokens`."""
    fields.check_count(body, version=rules.version, lenient=rules.lenient)
    return _read(body, rules.day)


def find_model(name: str, day: date) -> Model:
    """The model called `name`, or 404 when it is unknown or retired."""
    model = catalogue().find(name)
    if model is None or model.is_retired(day):
        raise ApiError(status=404, message=f"model: {name}")
    return model


def _read(whole: JsonObject, day: date) -> MessageRequest:
    body = turns.since_compaction(whole)
    model = find_model(word(body, "model"), day)
    turns.check(body)
    limit = body.get("max_tokens")
    return MessageRequest(
        body=body,
        model=model,
        max_tokens=limit if isinstance(limit, int) and is_integer(limit) else 0,
        prompt=segments(body, model),
        messages=tuple(objects(body.get("messages"))),
        tools=tuple(objects(body.get("tools"))),
        stop_sequences=tuple(item for item in as_list(body.get("stop_sequences")) if isinstance(item, str)),
        fast=body.get("speed") == "fast" and model.fast_rates(day) is not None,
        us=body.get("inference_geo") == "us" and model.us_multiplier is not None,
    )
