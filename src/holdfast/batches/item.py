"""One line of a batch: a prompt, or a whole request of the Messages API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import msgspec

from holdfast.language import Sentence

LONGEST = 32 * 1024 * 1024
"""Bytes of a line: no request of the Messages API is larger."""

Name = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What a line gets that does not say it itself."""

    model: str
    system: str | None = None
    max_tokens: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A line that can be asked; `is_whole` when it was written as a whole request and is answered with a whole message."""

    number: int
    line: int
    id: Name
    body: bytes
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that cannot be asked, and why."""

    number: int
    line: int
    id: Name | None
    why: Sentence


def read_line(number: int, line: int, raw: bytes, defaults: Defaults) -> Item | Unreadable:
    """The line as it can be asked; one that cannot is told, and loses nobody else's place."""

    def no(why: Sentence, name: Name | None = None) -> Unreadable:
        return Unreadable(number=number, line=line, id=name, why=why)

    if len(raw) > LONGEST:
        return no(_TOO_LONG)
    try:
        found: object = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return no(_NO_JSON)
    if not isinstance(found, dict):
        return no(_NO_JSON)
    said = cast("dict[str, object]", found)
    name = _name(said)
    if name is None:
        return no(_NO_ID)
    request = _request(said, defaults)
    if isinstance(request, Sentence):
        return no(request, name)
    body = msgspec.json.encode(request)
    return Item(number=number, line=line, id=name, body=body, is_whole="params" in said)


def _name(said: Mapping[str, object]) -> Name | None:
    name = said.get("id", said.get("custom_id"))
    return name if isinstance(name, str | int) and not isinstance(name, bool) else None


def _request(said: Mapping[str, object], defaults: Defaults) -> dict[str, object] | Sentence:
    """The body of the Messages request, or what is wrong with the line."""
    usual: dict[str, object] = {"model": defaults.model, "max_tokens": defaults.max_tokens}
    if defaults.system is not None:
        usual["system"] = defaults.system
    match said:
        case {"params": dict()}:
            given = cast("dict[str, object]", said["params"])
            return _STREAM if given.get("stream") is True else {**usual, **given}
        case {"prompt": str(prompt)}:
            own = {key: said[key] for key in ("model", "max_tokens", "system") if key in said}
            return {**usual, **own, "messages": [{"role": "user", "content": prompt}]}
        case _:
            return _NO_REQUEST


_NO_JSON = Sentence(
    'this is no JSON object; write {"id": "1", "prompt": "..."}',
    ko='JSON 객체가 아닙니다. {"id": "1", "prompt": "..."}처럼 적어 주세요',
)
_NO_ID = Sentence(
    'there is no "id" (a text or a whole number); give each line one of its own',
    ko='"id"(글자나 정수)가 없습니다. 줄마다 서로 다른 id를 적어 주세요',
)
_NO_REQUEST = Sentence(
    'there is neither a "prompt" (a text) nor "params" (a request of the Messages API); write one of them',
    ko='"prompt"(글)도 "params"(Messages API 요청)도 없습니다. 둘 중 하나를 적어 주세요',
)
_STREAM = Sentence(
    '"stream" makes no sense in a batch; leave it out', ko='배치에서는 "stream"을 쓸 수 없습니다. 빼 주세요'
)
_TOO_LONG = Sentence(
    f"this is longer than {LONGEST // 1024 // 1024} MiB, more than the Messages API takes; split it",
    ko=f"{LONGEST // 1024 // 1024}MiB보다 길어 Messages API가 받지 않습니다. 나눠 주세요",
)
