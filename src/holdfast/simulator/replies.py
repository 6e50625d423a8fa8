"""What the simulated model says: scripted, obeying a handle in the text, or canned."""

import re
from dataclasses import dataclass
from random import Random
from typing import Literal

from holdfast.simulator import phrases
from holdfast.simulator.blocks import Block, Text, ToolUse, WebSearch
from holdfast.simulator.compacting import compacted, words
from holdfast.simulator.dice import Rolls, identifier
from holdfast.simulator.draft import Draft, Turn
from holdfast.simulator.obedience import described, orders
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.schema import Sampler, mentioned
from holdfast.simulator.script import after_search, paused_search, quoted, scripted
from holdfast.simulator.thoughts import sealed, summary, thought
from holdfast.simulator.values import JsonObject, as_object, content_blocks, encode, word

__all__ = ["Manner", "Mode", "Turn", "compose"]

Mode = Literal["canned", "echo", "template"]

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


REFUSAL = "MAGIC_STRING_TRIGGER_REFUSAL"
REDACTED = "MAGIC_STRING_TRIGGER_REDACTED_THINKING"
"""A question that holds these words is refused, or thought about in secret, as the API does for tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the model answers when nothing in the request decides it."""

    mode: Mode = "canned"
    obedient: bool = False
    """Also do what the results of tools say, as a model does that falls for an injection."""
    secret: str = "0"
    """What thoughts are signed with: the seed, and the account where there are several."""
    template: str = ""
    """What is said in the mode `template`; `{text}` and `{subject}` stand for the question."""


def compose(request: MessageRequest, manner: Manner, turn: Turn | None, rolls: Rolls) -> Draft:
    """The answer to `request`; `turn` is the next scripted one."""
    how = compacted(request)
    if how is None:
        return _said_to(request, manner, turn, rolls, is_compacted=False)
    first = summary(words(request), manner.secret)
    if how.manner != "go on":
        return Draft(blocks=(first,), stop_reason="compaction", compacted=how.manner)
    rest = _said_to(request, manner, turn, rolls, is_compacted=True)
    return Draft(blocks=(first, *rest.blocks), stop_reason=rest.stop_reason, compacted=how.manner)


def _said_to(
    request: MessageRequest, manner: Manner, turn: Turn | None, rolls: Rolls, *, is_compacted: bool
) -> Draft:
    if (paused := paused_search(request)) is not None:
        return Draft(blocks=tuple(after_search(*paused, turn.text if turn is not None else "")))
    if turn is not None:
        return scripted(turn, request, manner.secret, rolls.roll)
    heard = _Heard.of(request)
    if REFUSAL in heard.text:
        return Draft(stop_reason="refusal")
    spoken = _answer(request, heard, manner, rolls)
    if request.thinks:
        text = phrases.thought(heard.text)
        seals = REDACTED in heard.text and not is_compacted
        first = sealed(request, text, manner.secret) if seals else None
        spoken = [first or thought(request, text, manner.secret, compacted=is_compacted), *spoken]
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
        search = identifier("srvtoolu", rolls.roll)
        query = phrases.subject_of(heard.text)
        said = phrases.from_search(heard.text)
        return [WebSearch(id=search, query=query), *after_search(search, query, said)]
    if request.schema is not None:
        subject = phrases.subject_of(heard.text)
        value = Sampler(request.schema, rolls.words, subject, _titles(request)).draw()
        return [Text(text=encode(value).decode())]
    return [Text(text=_speech(heard, manner, rolls.words), citations=quoted(request))]


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
    if manner.mode == "template" and manner.template:
        return manner.template.replace("{subject}", phrases.subject_of(heard.text)).replace(
            "{text}", heard.text
        )
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
