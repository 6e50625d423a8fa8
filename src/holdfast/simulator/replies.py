"""What the simulated model says: scripted, obeying a handle in the text, or canned."""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeAlias

from holdfast.simulator import phrases
from holdfast.simulator.actions import StopReasonName
from holdfast.simulator.dice import Rolls, identifier
from holdfast.simulator.obedience import described, orders
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.schema import Sampler, mentioned
from holdfast.simulator.thoughts import sign
from holdfast.simulator.values import JsonObject, as_object, content_blocks, encode, word

Mode = Literal["canned", "echo"]

_EXACTLY = re.compile(
    r"(?:say|reply with|answer with|answer) exactly\s*:\s*(.+)|정확히 (?:이렇게|다음과 같이|이대로) (?:말해|답해)[^:]*:\s*(.+)",
    re.IGNORECASE | re.DOTALL,
)
_USE_TOOL = re.compile(
    r"\b(?:use|call)\s+(?:the\s+)?tool\s+[`'\"]?([\w-]+(?:\.[\w-]+)*)|\b(?:use|call)\s+the\s+[`'\"]?([\w.-]+?)[`'\"]?\s+tool\b"
    r"|[`'\"]?([A-Za-z][A-Za-z0-9_.-]*)[`'\"]?\s*(?:도구|툴)(?:를|을)?\s*(?:사용|써|쓰|호출|이용)",
    re.IGNORECASE,
)


_SEARCH = re.compile(
    r"search the web|\bweb[_ ]search\b|웹(?:에서|을|을 좀)?\s*(?:검색|찾아)|인터넷(?:에서|을)?\s*(?:검색|찾아)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A block of text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinking:
    """A block of thinking with the signature that binds it."""

    thinking: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A call of one of the caller's tools."""

    id: str
    name: str
    input: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSearch:
    """A search that the API itself makes."""

    id: str
    query: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What a search found; written by the API, so it is no output."""

    id: str
    query: str


Block: TypeAlias = Text | Thinking | ToolUse | WebSearch | SearchResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One scripted answer: text, or calls of tools, or both; `refuse` makes it a refusal."""

    text: str = ""
    tools: tuple[tuple[str, Mapping[str, object]], ...] = ()
    """Calls to make, each a tool's name and its input."""
    refuse: bool = False
    stop_reason: StopReasonName | None = None
    """Why the answer ends; `None` is the reason that it really has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the model answers when nothing in the request decides it."""

    mode: Mode = "canned"
    obedient: bool = False
    """Also do what the results of tools say, as a model does that falls for an injection."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the model would say had it all the room it wants."""

    blocks: tuple[Block, ...] = field(default=())
    stop_reason: str | None = None
    """Why it ends; `None` is the reason that it will really have."""


def compose(request: MessageRequest, manner: Manner, turn: Turn | None, rolls: Rolls) -> Draft:
    """The answer to `request`; `turn` is the next scripted one."""
    if turn is not None:
        return _scripted(turn, rolls.roll)
    heard = _Heard.of(request)
    spoken = _answer(request, heard, manner, rolls)
    if request.thinks:
        thinking = phrases.thought(heard.text)
        spoken = [Thinking(thinking=thinking, signature=sign(request, thinking, manner.seed)), *spoken]
    return Draft(blocks=tuple(spoken))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """The newest turn of the caller."""

    text: str
    results: tuple[str, ...]

    @classmethod
    def of(cls, request: MessageRequest) -> "_Heard":
        users = [message for message in request.messages if message.get("role") == "user"]
        newest = content_blocks(users[-1].get("content")) if users else []
        results = tuple(_result_text(block) for block in newest if block.get("type") == "tool_result")
        text = _text_of(newest)
        if not text and results:
            text = next((said for message in reversed(users[:-1]) if (said := _said(message))), "")
            return cls(text=text, results=results)
        return cls(text=text, results=results)


def _said(message: JsonObject) -> str:
    return _text_of(content_blocks(message.get("content")))


def _text_of(blocks: list[JsonObject]) -> str:
    texts = [
        phrases.without_reminders(word(block, "text")) for block in blocks if block.get("type") == "text"
    ]
    return "\n".join(text for text in texts if text)


def _result_text(block: JsonObject) -> str:
    inner = content_blocks(block.get("content"))
    return "\n".join(word(part, "text") or f"[{word(part, 'type')}]" for part in inner) or "(empty)"


def _answer(request: MessageRequest, heard: _Heard, manner: Manner, rolls: Rolls) -> list[Block]:
    if calls := _calls(request, heard, manner, rolls):
        return list(calls)
    if _searches(request, heard):
        found = phrases.from_search(heard.text)
        search = identifier("srvtoolu", rolls.roll)
        query = phrases.subject_of(heard.text)
        return [WebSearch(id=search, query=query), SearchResult(id=search, query=query), Text(text=found)]
    if request.schema is not None:
        subject = phrases.subject_of(heard.text)
        value = Sampler(request.schema, rolls.words, subject, _titles(request)).draw()
        return [Text(text=encode(value).decode())]
    return [Text(text=_speech(heard, manner, rolls.words))]


def _titles(request: MessageRequest) -> tuple[str, ...]:
    """The titles of the documents in the newest turn."""
    newest = content_blocks(request.messages[-1].get("content"))
    documents = [block for block in newest if block.get("type") == "document"]
    return tuple(title for block in documents if (title := word(block, "title")))


def _searches(request: MessageRequest, heard: _Heard) -> bool:
    """Whether web search is offered and the caller asks for it."""
    offered = any(word(tool, "type").startswith("web_search_") for tool in request.tools)
    return offered and request.tool_choice.get("type") != "none" and _SEARCH.search(heard.text) is not None


def _speech(heard: _Heard, manner: Manner, roll: Random) -> str:
    if heard.results:
        return phrases.from_result(heard.text, list(heard.results))
    if exact := _EXACTLY.search(heard.text):
        return (exact[1] or exact[2]).strip()
    return heard.text if manner.mode == "echo" and heard.text else phrases.answer(heard.text, roll)


def _calls(request: MessageRequest, heard: _Heard, manner: Manner, rolls: Rolls) -> list[ToolUse]:
    offered = {word(tool, "name"): tool for tool in request.tools if "input_schema" in tool}
    if manner.obedient and (obeyed := _obeyed(request, heard, list(offered.values()), rolls)):
        return obeyed
    names = _wanted(request, heard, manner, list(offered))
    if request.tool_choice.get("disable_parallel_tool_use") is True:
        names = names[:1]
    return [_call(offered[name], heard, rolls) for name in names]


def _obeyed(request: MessageRequest, heard: _Heard, offered: list[JsonObject], rolls: Rolls) -> list[ToolUse]:
    """The calls that what was read wants made: results of tools or, before there are any, descriptions of tools."""
    if request.tool_choice.get("type") == "none":
        return []
    wanted = orders(heard.results, offered) if heard.results else described(offered)
    return [
        ToolUse(id=identifier("toolu", rolls.roll), name=order.tool, input=order.given) for order in wanted
    ]


def _wanted(request: MessageRequest, heard: _Heard, manner: Manner, offered: list[str]) -> list[str]:
    """The tools to call, in the order in which they were asked for."""
    kind = request.tool_choice.get("type")
    if kind == "none" or not offered:
        return []
    if kind == "tool":
        return [name for name in (word(request.tool_choice, "name"),) if name in offered]
    named = _named(heard, manner, offered)
    return named or (offered[:1] if kind == "any" else [])


def _named(heard: _Heard, manner: Manner, offered: list[str]) -> list[str]:
    instructions = list(heard.results if manner.obedient else ()) if heard.results else [heard.text]
    found = ["".join(groups) for groups in _USE_TOOL.findall("\n".join(instructions))]
    known = {name.casefold(): name for name in offered}
    return list(dict.fromkeys(known[name.casefold()] for name in found if name.casefold() in known))


def _call(tool: JsonObject, heard: _Heard, rolls: Rolls) -> ToolUse:
    schema = as_object(tool.get("input_schema"))
    drawn = as_object(Sampler(schema, rolls.words, phrases.subject_of(heard.text)).draw())
    given = {**drawn, **mentioned(schema, heard.text)}
    return ToolUse(id=identifier("toolu", rolls.roll), name=word(tool, "name"), input=given)


def _scripted(turn: Turn, roll: Random) -> Draft:
    blocks: list[Block] = [Text(text=turn.text)] if turn.text else []
    blocks += [
        ToolUse(id=identifier("toolu", roll), name=name, input=dict(given)) for name, given in turn.tools
    ]
    return Draft(blocks=tuple(blocks), stop_reason="refusal" if turn.refuse else turn.stop_reason)


class Script:
    """Answers still to be given, in order."""

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque()

    def add(self, turns: Iterable[Turn | str]) -> None:
        """Append answers; a string is a turn of text."""
        self._turns.extend(turn if isinstance(turn, Turn) else Turn(text=turn) for turn in turns)

    def next(self) -> Turn | None:
        """Take the next answer."""
        return self._turns.popleft() if self._turns else None

    def clear(self) -> None:
        """Forget the rest."""
        self._turns.clear()
