"""A view of a Messages request: what a guard needs to know, read from the body and never written back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

import msgspec

from holdfast.errors import MalformedRequest
from holdfast.language import Sentence
from holdfast.wire.demand import Demand, read_demand
from holdfast.wire.members import Document, objects, word

Channel = Literal["user", "tool"]
MOST_BRACKETS = 2_000_000
"""Lists and objects of one body, brackets in its texts counted too: more are no conversation but a way to fill memory."""
DEEPEST = 64
"""Lists and objects inside each other: no conversation needs more, and readers that recurse give up at some depth."""
_BLOCK = 65_536
_LISTS_ONLY = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(letter for letter in range(256) if letter not in b"[]{}")


@dataclass(frozen=True, slots=True)
class TextBlock:
    """One text of the newest turn, who it comes from, and where it stands in the body."""

    text: str
    channel: Channel
    """`user`: typed by the caller. `tool`: from a tool, a document or a search result."""
    path: str
    """Member names and positions joined by dots, as the API writes them: `messages.2.content.0.text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesRequest:
    """What a body asks for; members that are missing or of no known shape are empty here and pass unread."""

    model: str = ""
    max_tokens: int | None = None
    stream: bool = False
    user_id: str | None = None
    newest: tuple[TextBlock, ...] = ()
    """The texts since the last assistant turn; an assistant turn at the very end (prefill) is looked past."""
    system_text: str = ""
    """The system prompt, then messages of the role `system`, a line each."""
    tool_names: tuple[str, ...] = ()
    has_thinking: bool = False
    """An assistant turn holds thinking: model and account must not change any more."""
    thread: bool = False
    """The body continues or creates a thread, so it may not show the whole conversation."""
    cache_control: bool = False
    """The name occurs anywhere in the body; a tool's own parameter of that name counts too."""
    image_count: int = 0
    message_count: int = 0
    characters: int = 0
    """Of the body as plain JSON, without the data of images."""
    text_bytes: int = 0
    """The same in UTF-8 bytes, which follows the tokens of Korean more closely."""
    demand: Demand = field(default_factory=Demand)
    """What is billed beside text and answer."""


def read_request(body: bytes) -> MessagesRequest:
    """Read what a guard needs; the upstream stays the judge of everything else.

    Raises:
        MalformedRequest: no JSON object, a name given twice in one object, nested too deep, or a member that
            holdfast relies on is of the wrong type.
    """
    document, plain = _read(body)
    messages = _messages(document)
    images = tuple(_image_sizes(messages)) if b'"image"' in plain else ()
    length = len(plain) if plain.isascii() else len(plain.decode())
    return MessagesRequest(
        model=_model(document),
        max_tokens=_max_tokens(document),
        stream=_stream(document),
        user_id=word(document.get("metadata"), "user_id"),
        newest=tuple(_newest(messages)),
        system_text="\n".join(_system_texts(document, messages)),
        tool_names=tuple(_tool_names(document)),
        has_thinking=b'thinking"' in plain and any(_thinks(message) for message in messages),
        thread=document.get("thread") is not None,
        cache_control=b'"cache_control"' in plain,
        image_count=len(images),
        message_count=len(messages),
        characters=length - sum(images),
        text_bytes=len(plain) - sum(images),
        demand=read_demand(document, plain),
    )


def _read(body: bytes) -> tuple[Document, bytes]:
    """The body as an object, and that object as JSON without a needless space or escape."""
    if len(body) > MOST_BRACKETS and body.count(b"[") + body.count(b"{") > MOST_BRACKETS:
        raise MalformedRequest(_TOO_MANY_VALUES)
    try:
        document: object = msgspec.json.decode(body)
        plain = msgspec.json.encode(document)
    except UnicodeDecodeError as error:
        raise MalformedRequest(_NOT_UTF8) from error
    except RecursionError as error:
        raise MalformedRequest(_TOO_DEEP) from error
    except ValueError as error:
        raise MalformedRequest(_not_json(error)) from error
    if not isinstance(document, dict):
        raise MalformedRequest(_NOT_AN_OBJECT)
    # Readers differ on which of two members of one name counts, so a guard could be shown another
    # conversation than the model. The decoder kept one: then the quotes of the other are missing.
    if plain != body and _quotes(plain) != _quotes(body):
        raise MalformedRequest(_NAMED_TWICE)
    if _is_deep(plain):
        raise MalformedRequest(_TOO_DEEP)
    return cast("Document", document), plain


def _quotes(json: bytes) -> int:
    """How many quotes begin or end a string, those inside strings not counted."""
    return _without_escapes(json).count(b'"')


def _without_escapes(json: bytes) -> bytes:
    return json.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in json else json


def _is_deep(json: bytes) -> bool:
    """Whether JSON is nested more than `DEEPEST` deep; each round takes the innermost lists away."""
    if json.count(b"[") + json.count(b"{") <= DEEPEST:
        return False
    brackets = b"".join(_brackets(_without_escapes(json)))
    for _ in range(DEEPEST):
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)


def _brackets(json: bytes) -> Iterator[bytes]:
    """The brackets outside of strings; by the block, since a body may hold millions of strings."""
    inside = 0
    for start in range(0, len(json), _BLOCK):
        pieces = json[start : start + _BLOCK].split(b'"')
        yield b"".join(pieces[inside::2]).translate(_LISTS_ONLY, _NO_BRACKETS)
        inside = (inside + len(pieces) - 1) % 2


def _model(document: Document) -> str:
    model = document.get("model", "")
    if not isinstance(model, str):
        raise MalformedRequest(_wrong("model", "string", "문자열이어야"))
    return model


def _messages(document: Document) -> Sequence[Document]:
    messages: object = document.get("messages", [])
    if not isinstance(messages, list):
        raise MalformedRequest(_wrong("messages", "list", "리스트여야"))
    # What is no object keeps its place, so that paths stay true.
    return [
        cast("Document", message) if isinstance(message, dict) else {}
        for message in cast("list[object]", messages)
    ]


def _stream(document: Document) -> bool:
    stream = document.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise MalformedRequest(_wrong("stream", "boolean", "불리언 값이어야"))
    return stream is True


def _max_tokens(document: Document) -> int | None:
    """The ceiling of the answer; 100.0 is 100 to the API too, and no budget reckons with less than none."""
    value = document.get("max_tokens")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise MalformedRequest(_wrong("max_tokens", "integer of 0 or more", "0 이상의 정수여야"))


def _system_texts(document: Document, messages: Sequence[Document]) -> Iterator[str]:
    contents = [document.get("system")]
    contents += [message.get("content") for message in messages if message.get("role") == "system"]
    for block in _texts([(content, "system", "user") for content in contents]):
        yield block.text


def _newest(messages: Sequence[Document]) -> Iterator[TextBlock]:
    end = len(messages)
    while end and _is_assistant(messages[end - 1]):
        end -= 1
    start = end
    while start and not _is_assistant(messages[start - 1]):
        start -= 1
    # An unknown role is read like a user's: nothing gets past a guard by being called something else.
    return _texts(
        [
            (messages[position].get("content"), f"messages.{position}.content", "user")
            for position in range(start, end)
            if messages[position].get("role") != "system"
        ]
    )


def _is_assistant(message: Document) -> bool:
    return message.get("role") == "assistant"


_Found = tuple[object, str, Channel]
# The API's own blocks go 8 steps down; without an end, the paths of one body could outgrow the memory.
_DEEPEST_PATH = 24
# Of one turn; a body of the largest size made of nothing else would hold up every other call for seconds.
_MOST_BLOCKS = 50_000
_TEXTUAL = ("title", "context", "text", "stdout", "stderr", "content")


def _texts(contents: Sequence[_Found]) -> Iterator[TextBlock]:
    """Every text in the contents of messages, at any depth, in the order in which the model reads it."""
    waiting = [*reversed(contents)]
    found = len(waiting)
    while waiting:
        if found > _MOST_BLOCKS:
            raise MalformedRequest(_TOO_MANY)
        value, place, channel = waiting.pop()
        if place.count(".") > _DEEPEST_PATH:
            raise MalformedRequest(_TOO_DEEP)
        if isinstance(value, str):
            if value:
                yield TextBlock(value, channel, place)
        elif isinstance(value, list):
            found += len(cast("list[object]", value))
            blocks = cast("list[object]", value)[:_MOST_BLOCKS]
            inside: list[_Found] = [(block, f"{place}.{n}", channel) for n, block in enumerate(blocks)]
            waiting += reversed(inside)
        elif isinstance(value, dict):
            waiting += reversed([*_parts(cast("Document", value), place, channel)])


def _parts(block: Document, path: str, channel: Channel) -> Iterator[_Found]:
    """The members of a block that the model reads; only plain text blocks can be a person's own words."""
    inner: Channel = channel if block.get("type", "text") == "text" else "tool"
    source: object = block.get("source")
    if isinstance(source, dict):
        yield from _source_parts(cast("Document", source), f"{path}.source")
    elif source is not None:
        yield source, f"{path}.source", inner
    for name in _TEXTUAL:
        if name in block:
            yield block[name], f"{path}.{name}", inner


def _source_parts(source: Document, path: str) -> Iterator[_Found]:
    if source.get("type") != "base64":
        yield source.get("data"), f"{path}.data", "tool"
    yield source.get("content"), f"{path}.content", "tool"


def _tool_names(document: Document) -> Iterator[str]:
    for tool in objects(document.get("tools")):
        name = word(tool, "name")
        if name is not None:
            yield name


def _thinks(message: Document) -> bool:
    return _is_assistant(message) and any(
        block.get("type") in ("thinking", "redacted_thinking") for block in objects(message.get("content"))
    )


def _image_sizes(messages: Sequence[Document]) -> Iterator[int]:
    """For each image, the length of its data in the body; 0 where the body only points to it."""
    waiting: list[object] = [message.get("content") for message in messages]
    while waiting:
        for block in objects(waiting.pop()):
            source: object = block.get("source")
            if block.get("type") == "image":
                yield len(word(source, "data") or "")
            elif isinstance(source, dict):
                waiting.append(cast("Document", source).get("content"))
            waiting.append(block.get("content"))


def _wrong(name: str, kind: str, must_be_ko: str) -> Sentence:
    return Sentence(
        f"{name}: Input should be a valid {kind}. Correct this member of the request and send it again.",
        ko=f"{name}: 올바른 {must_be_ko} 합니다. 요청의 이 항목을 고쳐 다시 보내 주세요.",
    )


def _not_json(error: ValueError) -> Sentence:
    return Sentence(
        f"The request body is not valid JSON: {error}. Send one JSON object as the Messages API expects it.",
        ko=f"요청 본문이 올바른 JSON이 아닙니다({error}). Messages API 형식의 JSON 객체 하나를 보내 주세요.",
    )


_TOO_MANY_VALUES = Sentence(
    f"The request body holds more than {MOST_BRACKETS:,} lists and objects; send fewer, larger blocks.",
    ko=f"요청 본문에 목록과 객체가 {MOST_BRACKETS:,}개보다 많습니다. 더 적고 큰 블록으로 나누어 보내세요.",
)
_NOT_UTF8 = Sentence(
    "The request body is not valid UTF-8, the only encoding of JSON. Encode it as UTF-8 and send it again.",
    ko="요청 본문이 올바른 UTF-8이 아닙니다. JSON은 UTF-8만 허용하므로 UTF-8로 인코딩해 다시 보내 주세요.",
)
_TOO_DEEP = Sentence(
    "The request body is nested too deep to be read safely. Flatten the nested lists and objects in it.",
    ko="요청 본문의 중첩이 너무 깊어 안전하게 읽을 수 없습니다. 중첩된 배열과 객체를 줄여 주세요.",
)
_TOO_MANY = Sentence(
    f"One turn holds more than {_MOST_BLOCKS:,} content blocks. Join them into fewer and send it again.",
    ko=f"한 턴의 콘텐츠 블록이 {_MOST_BLOCKS:,}개를 넘습니다. 블록을 합쳐서 다시 보내 주세요.",
)
_NOT_AN_OBJECT = Sentence(
    "The request body: Input should be an object. Send one JSON object as the Messages API expects it.",
    ko="요청 본문은 JSON 객체여야 합니다. Messages API 형식의 JSON 객체 하나를 보내 주세요.",
)
_NAMED_TWICE = Sentence(
    "The request body gives one name twice in the same object, and readers differ on which counts. "
    "Give each name once.",
    ko="요청 본문의 한 객체에 같은 이름이 두 번 있어 해석이 갈릴 수 있습니다. 이름마다 한 번만 적어 주세요.",
)
