"""Scripted answers, and which conversation gets the next one; searches, and what is quoted after them."""

from collections.abc import Iterable
from random import Random
from threading import Lock

from holdfast.simulator import phrases
from holdfast.simulator.blocks import Block, SearchResult, Text, ToolUse, WebSearch, found_at
from holdfast.simulator.dice import identifier
from holdfast.simulator.draft import Draft, Turn
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.thoughts import sealed, thought
from holdfast.simulator.values import JsonObject, as_object, content_blocks, objects, word

QUOTED = 80
"""Characters of a document that an answer quotes."""


def scripted(turn: Turn, request: MessageRequest, secret: str, roll: Random) -> Draft:
    """The answer that a turn wants."""
    blocks: list[Block] = []
    if turn.thinking and request.thinks:
        seal = sealed if turn.redacted else thought
        blocks.append(seal(request, turn.thinking, secret))
    if turn.search:
        call = identifier("srvtoolu", roll)
        blocks.append(WebSearch(id=call, query=turn.search))
        if turn.pause:
            return Draft(blocks=tuple(blocks), stop_reason="pause_turn")
        blocks += after_search(call, turn.search, turn.text)
    elif turn.text:
        blocks.append(Text(text=turn.text))
    blocks += [
        ToolUse(id=identifier("toolu", roll), name=name, input=dict(given)) for name, given in turn.tools
    ]
    return Draft(blocks=tuple(blocks), stop_reason="refusal" if turn.refuse else turn.stop_reason)


def after_search(call: str, query: str, said: str) -> list[Block]:
    """What a search found, and an answer that quotes it."""
    return [
        SearchResult(id=call, query=query),
        Text(text=said or phrases.from_search(query), citations=(found_at(query),)),
    ]


def paused_search(request: MessageRequest) -> tuple[str, str] | None:
    """The id and the query of a search that the caller sends back to be gone on with."""
    last = request.messages[-1]
    blocks = content_blocks(last.get("content"))
    if last.get("role") != "assistant" or not blocks or blocks[-1].get("type") != "server_tool_use":
        return None
    return word(blocks[-1], "id"), word(as_object(blocks[-1].get("input")), "query")


def quoted(request: MessageRequest) -> tuple[JsonObject, ...]:
    """Citations of the documents of the newest turn that want to be cited."""
    newest = content_blocks(request.messages[-1].get("content"))
    documents = [block for block in newest if block.get("type") == "document"]
    return tuple(
        _citation(number, document)
        for number, document in enumerate(documents)
        if as_object(document.get("citations")).get("enabled") is True
    )


def _citation(number: int, document: JsonObject) -> JsonObject:
    source = as_object(document.get("source"))
    text = word(source, "data") if source.get("type") == "text" else ""
    parts = objects(source.get("content"))
    cited = (text or (word(parts[0], "text") if parts else ""))[:QUOTED]
    place: JsonObject = {"type": "char_location", "start_char_index": 0, "end_char_index": len(cited)}
    if source.get("type") == "content":
        place = {"type": "content_block_location", "start_block_index": 0, "end_block_index": 1}
    elif source.get("type") != "text":
        place = {"type": "page_location", "start_page_number": 1, "end_page_number": 2}
    title = document.get("title") if isinstance(document.get("title"), str) else None
    return {**place, "cited_text": cited, "document_index": number, "document_title": title, "file_id": None}


class Script:
    """Answers still to be given, in order; some only to conversations that begin with certain words."""

    def __init__(self) -> None:
        self._turns: list[tuple[str, Turn]] = []
        self._lock = Lock()

    def add(self, turns: Iterable[Turn | str], to: str = "") -> None:
        """Append answers; a string is a turn of text. `to` stands in the first question of who gets them."""
        whole = [turn if isinstance(turn, Turn) else Turn(text=turn) for turn in turns]
        with self._lock:
            self._turns.extend((to, turn) for turn in whole)

    def next(self, request: MessageRequest) -> Turn | None:
        """Take the next answer for the conversation of a request."""
        if not self._turns:
            return None
        asked = [message for message in request.messages if message.get("role") == "user"]
        first = (
            " ".join(word(block, "text") for block in content_blocks(asked[0].get("content")))
            if asked
            else ""
        )
        with self._lock:
            for number, (to, turn) in enumerate(self._turns):
                if to in first:
                    del self._turns[number]
                    return turn
        return None

    def clear(self) -> None:
        """Forget the rest."""
        with self._lock:
            self._turns.clear()
