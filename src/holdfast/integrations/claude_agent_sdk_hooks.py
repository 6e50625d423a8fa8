"""What is asked of holdfast before a tool of Claude Code runs, and what it makes of the result."""

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from claude_agent_sdk import HookContext, HookInput, HookJSONOutput, HookMatcher
from claude_agent_sdk.types import HookEvent

from holdfast.events import Observer, ToolHeld, unobserved
from holdfast.language import Language, Sentence
from holdfast.parts.suspicion import Suspicion
from holdfast.policy.taint import Doubt, TaintConfig
from holdfast.policy.withholding import reason

MOST = 4_096
"""Calls in doubt, and sessions that have read an attack, which are remembered; the oldest make way."""
AT_ONCE = 10_000
"""Characters looked at in the event loop; more go to a thread."""
_DEEPEST = 20


class Doubts:
    """Calls of tools that are not seen to be the user's wish, by their ids; for any thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._turn = threading.Lock()
        self._why: OrderedDict[str, Sentence] = OrderedDict()

    def note(self, call: str, why: Sentence) -> None:
        """Take down why a call is in doubt."""
        with self._turn:
            self._why[call] = why
            if len(self._why) > self._most:
                self._why.popitem(last=False)

    def of(self, call: str) -> Sentence | None:
        """Why a call is in doubt; `None` if nobody said so."""
        return self._why.get(call)


@dataclass(slots=True, kw_only=True, weakref_slot=True, eq=False)
class ToolWatch:
    """Stands between Claude Code and its tools, for as long as somebody holds the options that it is part of.

    Attributes:
        config: what may be done by a model that has read what its user has not written.
        suspicion: tells an attack from other texts.
        doubts: what the gateway has found in the calls of this run.
        has_judge: whether somebody answers when a call is to be decided on.
    """

    config: TaintConfig
    suspicion: Suspicion
    doubts: Doubts
    has_judge: bool = False
    language: Language = "en"
    observe: Observer = unobserved
    _attacked: Doubts = field(default_factory=Doubts)

    def hooks(self) -> dict[HookEvent, HookMatcher]:
        """The hooks to add, by their events. Where calls may be held, one that cannot be judged is not made."""
        after = HookMatcher(hooks=[self.after])
        found: dict[HookEvent, HookMatcher] = {"PostToolUse": after, "PostToolUseFailure": after}
        if self.config.holds_back:
            found["PreToolUse"] = HookMatcher(hooks=[self.before], on_failure="block")
        return found

    async def before(self, given: HookInput, _: str | None, __: HookContext) -> HookJSONOutput:
        """Refuse a call in doubt, or have a person asked; nothing is said about any other."""
        if given["hook_event_name"] != "PreToolUse":
            return {}
        why = self.doubts.of(given["tool_use_id"]) or self._tainted(
            given["session_id"], given["tool_name"], given["tool_use_id"]
        )
        if why is None:
            return {}
        is_asked = self.config.while_tainted == "confirm" and self.has_judge
        said = (asked if is_asked else held)(given["tool_name"], why).say(self.language)
        return {
            "systemMessage": said,
            "hookSpecificOutput": {
                "hookEventName": "PreToolUse",
                "permissionDecision": "deny" if self.config.while_tainted == "deny" else "ask",
                # Where nobody is asked, it is the model that reads this.
                "permissionDecisionReason": said if is_asked else HELD.say(self.language),
            },
        }

    async def after(self, given: HookInput, _: str | None, __: HookContext) -> HookJSONOutput:
        """Read what a tool gave back, remember an attack, and tell the model what it has before it."""
        match given["hook_event_name"]:
            case "PostToolUse":
                result: object = given["tool_response"]
            case "PostToolUseFailure":
                result = given["error"]
            case _:
                return {}
        if (
            not self._reads
            or self.config.is_trusted(given["tool_name"])
            or not (text := "\n".join(_texts(result)))
        ):
            return {}
        is_suspicious, is_attack = await self._read(text)
        if is_attack:
            self._attacked.note(given["session_id"], reason(Doubt("flagged")))
        if not is_suspicious or not self.config.fence:
            return {}
        said = suspicious(given["tool_name"]).say(self.language)
        if given["hook_event_name"] == "PostToolUse":
            return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "additionalContext": said}}
        return {"hookSpecificOutput": {"hookEventName": "PostToolUseFailure", "additionalContext": said}}

    @property
    def _reads(self) -> bool:
        return self.config.fence or self.config.while_tainted != "off"

    async def _read(self, text: str) -> tuple[bool, bool]:
        if len(text) <= AT_ONCE or self.suspicion.knows(text):
            return self._judged(text)
        return await asyncio.to_thread(self._judged, text)

    def _judged(self, text: str) -> tuple[bool, bool]:
        return self.suspicion.is_suspicious(text), self.suspicion.is_attack(text)

    def _tainted(self, session: str, tool: str, call: str) -> Sentence | None:
        """Why a tool may not act after its session has read an attack, whatever gateway it goes through."""
        why = self._attacked.of(session)
        if why is None or not self.config.is_consequential(tool):
            return None
        action = self.config.while_tainted
        self.observe(ToolHeld(request_id=call, tool=tool, code="flagged", argument="", action=action))
        return why


HELD = Sentence(
    "holdfast: this call was held. This step needs a person.",
    ko="holdfast: 호출을 보류했습니다. 사람의 확인이 필요한 단계입니다.",
)
"""What the model reads of a call that was not made: so little that the screen does not take it for an attack."""


def asked(tool: str, why: Sentence) -> Sentence:
    """What a person reads who decides on a call."""
    return Sentence(
        f"[holdfast] `{tool}` waits for your decision: {why.en}.",
        ko=f"[holdfast] `{tool}` 호출이 승인을 기다립니다. 이유: {why.ko}.",
    )


def held(tool: str, why: Sentence) -> Sentence:
    """What a person reads of a call that was held."""
    return Sentence(
        f"[holdfast] `{tool}` was held: {why.en}. Do it yourself if you want it done, or have the operator change "
        "`tools.while_tainted`.",
        ko=f"[holdfast] `{tool}` 호출을 보류했습니다. 이유: {why.ko}. 필요하면 직접 실행하거나 운영자에게 "
        "`tools.while_tainted` 설정 변경을 문의하세요.",
    )


def suspicious(tool: str) -> Sentence:
    """What the model reads beside a result that reads like an attack; to the screen itself it must read harmless."""
    return Sentence(
        f"holdfast: third-party text in the result of `{tool}`; the screen has marked it.",
        ko=f"holdfast: `{tool}`의 결과에 외부 글이 들어 있고, 검사에서 표시되었습니다.",
    )


def _texts(value: object, depth: int = 0) -> Iterator[str]:
    """Every text below a value; what is nested deeper than any result ever is, is not read."""
    if isinstance(value, str):
        if value:
            yield value
    elif depth < _DEEPEST and isinstance(value, dict):
        for inner in cast("dict[object, object]", value).values():
            yield from _texts(inner, depth + 1)
    elif depth < _DEEPEST and isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from _texts(inner, depth + 1)
