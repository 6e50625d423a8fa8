"""Calls of tools held back on their way out, until it is clear that the user wants them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Self

from holdfast.call import Body, Call, Response, Unanswered
from holdfast.clock import Clock
from holdfast.events import Observer, ToolHeld, unobserved
from holdfast.language import Language
from holdfast.pipeline import Send
from holdfast.policy.approval import Approvals, approvals_in, code_of
from holdfast.policy.taint import Doubt, Taint, TaintConfig, Wish, doubt, may_matter, taint_of
from holdfast.policy.withholding import denied, reason, unconfirmed
from holdfast.upstream.bodies import WholeBody
from holdfast.upstream.commit import EVENT_STREAM
from holdfast.wire.calls import Asked, GatedStream, Ruled, gated_body
from holdfast.wire.fence import unfenced
from holdfast.wire.headers import get
from holdfast.wire.notice import language_of
from holdfast.wire.provenance import Provenance, read_provenance

HELD = "x-holdfast-held-tools"
"""The tools whose calls were taken out of an answer that came in one piece; a stream has sent its headers by then."""
APPROVE = "x-holdfast-approve"
"""The codes of calls that a person has approved, by commas: of what is held, each says its own."""
AT_ONCE = 10_000
"""Bytes of a request that are looked through in the event loop; longer ones go to a thread."""

MOST = 1_000_000
"""Characters of one conversation that are looked through for attacks, unless the settings say otherwise."""

Flags = Callable[[str], bool]


def gated(
    send: Send,
    config: TaintConfig,
    clock: Clock,
    flags: Flags,
    observe: Observer = unobserved,
    most: int = MOST,
) -> Send:
    """`send` itself if no call of a tool is looked at, so that it costs nothing."""
    if config.while_tainted == "off":
        return send
    return ToolGate(send=send, config=config, clock=clock, flags=flags, observe=observe, most=most)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolGate:
    """Sends a call, and judges the calls of tools in its answer.

    To stand outside of the fallback and inside of the notices. It fails closed: an answer that cannot be read
    is not one that calls a tool to any client, and a stream that breaks off loses the calls that were not judged.
    `flags` says of a text whether it surely is an attack; it is asked for the same text again and again, of one
    conversation for `most` characters. What comes behind them counts as an attack: nobody knows that it is none.
    """

    send: Send
    config: TaintConfig
    clock: Clock
    flags: Flags
    observe: Observer = unobserved
    most: int = MOST

    async def __call__(self, call: Call) -> Response | Unanswered:
        """What `send` answers, without the calls of tools that must not be made; raises what it raises."""
        found = await self.send(call)
        if isinstance(found, Unanswered) or found.status != 200 or not call.request.tool_names:
            return found
        judge = _Judge(self, call)
        if (get(found.headers, "content-type") or "").startswith(EVENT_STREAM):
            return replace(found, body=GatedBody(found.body, judge))
        return await _whole(found, judge)


class GatedBody:
    """A stream without the calls that must not be made; closing it closes the stream."""

    def __init__(self, body: Body, judge: "_Judge") -> None:
        self._body = body
        self._judge = judge
        self._stream: GatedStream | None = GatedStream(judge.rule, holds=judge.holds)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._stream is not None:
            if chunk := await self._next(self._stream):
                return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._stream = None
        await self._body.aclose()

    async def _next(self, stream: GatedStream) -> bytes:
        try:
            chunk = await self._body.__anext__()
        except StopAsyncIteration:
            self._stream = None
            return stream.end()
        if stream.is_waiting and self._judge.is_heavy and b"message_" in chunk:
            return await asyncio.to_thread(stream.feed, chunk)
        return stream.feed(chunk)


def _config_for(call: Call, config: TaintConfig) -> TaintConfig:
    """The same settings, where the door knows better what its own tools do."""
    own = call.own_tools
    if own is None:
        return config
    return replace(
        config,
        consequential=(*config.consequential, *own.acting),
        harmless=(*config.harmless, *own.reading),
    )


async def _whole(found: Response, judge: "_Judge") -> Response:
    try:
        whole = b"".join([chunk async for chunk in found.body])
    finally:
        await found.body.aclose()
    heavy = judge.is_heavy
    body = await asyncio.to_thread(gated_body, whole, judge.rule) if heavy else gated_body(whole, judge.rule)
    names = ",".join(dict.fromkeys(judge.held))
    headers = (*found.headers, (HELD, names)) if names else found.headers
    return replace(found, headers=headers, body=WholeBody(body), length=len(body))


class _Judge:
    """Judges the calls of tools in the answer to one call."""

    def __init__(self, gate: ToolGate, call: Call) -> None:
        self._gate = gate
        self._config = _config_for(call, gate.config)
        self._call = call
        self._source = cache(lambda: read_provenance(call.body))
        self.held: list[str] = []

    @property
    def holds(self) -> bool:
        """Whether calls wait until they have been judged."""
        own = self._call.own_tools
        return self._gate.config.holds_back and (own is None or own.waits)

    @property
    def is_heavy(self) -> bool:
        """Whether so much was said that it is not looked through while other calls wait."""
        return len(self._call.body) > AT_ONCE

    def rule(self, asked: Sequence[Asked], heard: Sequence[str]) -> Ruled:
        """Which of the calls must not be made."""
        gate = self._gate
        if not any(may_matter(one.tool, one.source, self._config) for one in asked):
            return Ruled()
        source = self._source()
        taint = taint_of(source, gate.config, self._bounded(), heard)
        doubts = {at: found for at, one in enumerate(asked) if (found := self._doubt(one, taint)) is not None}
        approvals = self._approvals(source)
        approved = {at for at in doubts if approvals.cover(asked[at].tool, asked[at].source)}
        for at in doubts.keys() - approved:
            self._tell(asked[at], doubts[at])
        if not self.holds or self._call.own_tools is not None or doubts.keys() <= approved:
            return Ruled()
        held = sorted(doubts.keys() - approved)
        self.held += [asked[at].tool for at in held]
        language = language_of(source.user[-1] if source.user else "")
        text = "\n".join(self._said(asked[at], doubts[at], approvals, language) for at in held)
        return Ruled(frozenset(held), text)

    def _bounded(self) -> Flags:
        """Asks of each text in turn whether it is an attack, for as long as there were not too many characters."""
        left = self._gate.most

        def flags(text: str) -> bool:
            nonlocal left
            inside = unfenced(text)
            # A text that is too long by itself is read at both ends, as long as nothing was read before.
            is_near = left > 0 and (len(inside) <= left or left == self._gate.most)
            left -= min(len(inside), left)
            return not is_near or self._gate.flags(inside)

        return flags

    def _doubt(self, one: Asked, taint: Taint) -> Doubt | None:
        return doubt(Wish(one.tool, one.input), taint, self._config)

    def _approvals(self, source: Provenance) -> Approvals:
        config = self._gate.config
        shown = get(self._call.headers, APPROVE) if config.while_tainted == "confirm" else None
        return approvals_in(
            shown,
            conversation=(self._call.principal.key, source.opening),
            now=self._gate.clock.now().timestamp(),
            lasts=config.approval_seconds,
        )

    def _tell(self, one: Asked, found: Doubt) -> None:
        if self._call.own_tools is not None:
            self._call.own_tools.doubted(one.id, reason(found))
        self._gate.observe(
            ToolHeld(
                request_id=self._call.request_id,
                tool=one.tool,
                code=found.code,
                argument=found.what,
                action=self._gate.config.while_tainted,
            )
        )

    def _said(self, one: Asked, found: Doubt, approvals: Approvals, language: Language) -> str:
        if self._gate.config.while_tainted == "deny":
            return denied(one.tool, one.source, found).say(language)
        code = code_of(one.tool, one.source, approvals)
        return unconfirmed(one.tool, one.source, found, code).say(language)
