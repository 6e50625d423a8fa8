"""Answers looked through on their way out, so that they carry nothing out that they must not."""

import asyncio
import threading
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Self

from holdfast.call import Body, Call, Response, Unanswered
from holdfast.errors import OutputBlocked
from holdfast.events import Observer, OutputFlagged, unobserved
from holdfast.pipeline import Send
from holdfast.policy.egress import Trust, trust_in
from holdfast.policy.inspection import Inspection, Surroundings
from holdfast.policy.leak import quotable
from holdfast.policy.leak_index import Prompt, Prompts
from holdfast.policy.output import OutputConfig, blocked
from holdfast.upstream.bodies import WholeBody
from holdfast.upstream.commit import EVENT_STREAM
from holdfast.wire.answer import JudgedStream, judged_body
from holdfast.wire.errors import envelope, error_event, error_headers, from_holdfast
from holdfast.wire.headers import get
from holdfast.wire.said import Said, read_said

FLAGGED = "x-holdfast-flagged"
"""The kinds of what was found in an answer that came in one piece; a stream has sent its headers by then."""
AT_ONCE = 10_000
"""Characters of a new system prompt made ready in the event loop, in about 10 ms; longer ones go to a thread."""
MOST_PROMPT_UNITS = 500_000
"""Letters of all system prompts that are kept ready; about 60 MB."""


def looked_through(send: Send, config: OutputConfig, observe: Observer = unobserved) -> Send:
    """`send` itself if nothing is looked for in answers, so that it costs nothing."""
    return OutputGuard(send=send, config=config, observe=observe) if config.is_on else send


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputGuard:
    """Sends a call, and looks through its answer.

    To stand outside of the fallback, so that answers said again are looked through, too. It fails closed: an
    answer that cannot be judged does not go on.
    """

    send: Send
    config: OutputConfig
    observe: Observer = unobserved
    _prompts: Prompts = field(default_factory=lambda: Prompts(MOST_PROMPT_UNITS), init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    async def __call__(self, call: Call) -> Response | Unanswered:
        """What `send` answers, or what may be said of it; raises what it raises."""
        found = await self.send(call)
        if isinstance(found, Unanswered) or found.status != 200:
            return found
        watch = _Watch(call, Inspection(self.config, await self._surroundings(call)), self.observe)
        if (get(found.headers, "content-type") or "").startswith(EVENT_STREAM):
            return replace(found, body=InspectedBody(found, watch))
        return await _whole(found, watch)

    async def _surroundings(self, call: Call) -> Surroundings:
        said = cache(lambda: read_said(call.body))
        system = call.request.system_text
        return Surroundings(
            prompt=await self._indexed(system) if self.config.leak != "off" else None,
            quoted=cache(lambda: _quotable(said())),
            typed=cache(lambda: "\n".join(said().user)),
            trust=cache(lambda: self._trust(system, said())),
        )

    async def _indexed(self, system: str) -> Prompt | None:
        with self._lock:
            prompt = self._prompts.find(system)
        if prompt is None:
            is_long = len(system) > AT_ONCE
            prompt = await asyncio.to_thread(Prompt.of, system) if is_long else Prompt.of(system)
            with self._lock:
                self._prompts.keep(system, prompt)
        return prompt if prompt.is_tellable else None

    def _trust(self, system: str, said: Said) -> Trust:
        return trust_in((system, *said.user), said.others, self.config.allowed_hosts)


class InspectedBody:
    """A stream under inspection; closing it closes the stream. What stops it is its last event."""

    def __init__(self, response: Response, watch: "_Watch") -> None:
        self._body: Body = response.body
        self._meter = response.meter
        self._watch = watch
        self._stream: JudgedStream | None = JudgedStream(watch.inspection)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while self._stream is not None:
            if chunk := await self._next(self._stream):
                return chunk
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._stream = None
        self._watch.end()
        await self._body.aclose()

    async def _next(self, stream: JudgedStream) -> bytes:
        try:
            released = stream.feed(await self._body.__anext__())
        except StopAsyncIteration:
            self._stream = None
            released = stream.end()
            self._watch.end()
        self._watch.tell()
        error = self._watch.error
        if error is None:
            return released
        self._stream = None
        self._watch.end()
        self._meter.error = from_holdfast(error)
        await self._body.aclose()
        return released + error_event(error.error_type, str(error), error.error_code)


class _Watch:
    """The inspection of the answer to one call, and who is told of it."""

    def __init__(self, call: Call, inspection: Inspection, observe: Observer) -> None:
        self.inspection = inspection
        self._call = call
        self._observe = observe
        self._told = 0
        self._ended = False

    @property
    def error(self) -> OutputBlocked | None:
        """What the answer ends with, if it must not go on."""
        finding = self.inspection.stopped_by
        return None if finding is None else blocked(finding.kind, finding.code)

    def tell(self) -> None:
        """Announce what has been found since."""
        findings = self.inspection.findings
        for finding in findings[self._told :]:
            is_last = finding == self.inspection.stopped_by
            mode = "stop" if is_last else self.inspection.config.mode(finding.kind)
            self._observe(
                OutputFlagged(
                    request_id=self._call.request_id, kind=finding.kind, code=finding.code, action=mode
                )
            )
        self._told = len(findings)

    def end(self) -> None:
        """Write down what was examined, once."""
        if not self._ended:
            self._ended = True
            self._call.tally.notes.append(self.inspection.coverage())


async def _whole(found: Response, watch: _Watch) -> Response:
    try:
        whole = b"".join([chunk async for chunk in found.body])
    finally:
        await found.body.aclose()
    body = judged_body(whole, watch.inspection)
    watch.tell()
    watch.end()
    if (error := watch.error) is not None:
        found.meter.error = from_holdfast(error)
        refusal = envelope(error, None)
        return replace(
            found,
            status=error.status,
            headers=error_headers(error),
            body=WholeBody(refusal),
            length=len(refusal),
        )
    kinds = ",".join(sorted({finding.kind for finding in watch.inspection.findings}))
    headers = (*found.headers, (FLAGGED, kinds)) if kinds else found.headers
    return replace(found, headers=headers, body=WholeBody(body), length=len(body))


def _quotable(said: Said) -> str:
    return quotable("\n".join((*said.user, *said.others)))
