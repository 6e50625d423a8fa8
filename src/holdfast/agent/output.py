"""Answers as values of a type."""

from dataclasses import dataclass
from typing import Any, cast

import msgspec

from holdfast.agent.reply import Reply
from holdfast.agent.signature import convert, schema_of
from holdfast.errors import OutputMismatch
from holdfast.language import Sentence


@dataclass(frozen=True, slots=True)
class OutputType:
    """The type that an answer is to be of: dataclass, TypedDict, msgspec Struct or pydantic model.

    Raises `ConfigError` for a type that no JSON Schema can tell.
    """

    kind: Any

    @property
    def extra(self) -> dict[str, object]:
        """What a request says of it (structured outputs page: `output_config.format`)."""
        schema = _closed(schema_of(self.kind, "output_type"))
        return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}

    def read(self, reply: Reply) -> object:
        """The value in an answer; raises `OutputMismatch` for one that was cut off or is of another type."""
        try:
            return convert(msgspec.json.decode(reply.text), self.kind)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            mismatch = _mismatch(reply, str(error))
            mismatch.request_id = reply.request_id
            mismatch.attempts = reply.attempts
            raise mismatch from error


def _closed(schema: object) -> object:
    """The same with no further members allowed anywhere, as the API asks."""
    if isinstance(schema, list):
        return [_closed(one) for one in cast("list[object]", schema)]
    if not isinstance(schema, dict):
        return schema
    document = {name: _closed(value) for name, value in cast("dict[str, object]", schema).items()}
    if document.get("type") == "object" and "properties" in document:
        document.setdefault("additionalProperties", False)
    return document


def _mismatch(reply: Reply, why: str) -> OutputMismatch:
    cut = reply.stop_reason == "max_tokens"
    cure = ("Raise max_tokens.", "max_tokens를 늘리세요.") if cut else ("Ask again.", "다시 요청하세요.")
    return OutputMismatch(
        Sentence(
            f"The answer is not of the type asked for: {why}. {cure[0]}",
            ko=f"답변이 요청한 타입과 맞지 않습니다: {why}. {cure[1]}",
        )
    )
