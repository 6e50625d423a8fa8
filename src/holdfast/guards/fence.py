"""The station that puts results of tools which read like attacks into fences before the model sees them."""

import asyncio
import threading
from dataclasses import dataclass, replace
from typing import ClassVar

from holdfast.call import Call
from holdfast.events import Observer, ResultFenced, unobserved
from holdfast.parts.suspicion import Suspicion
from holdfast.pipeline import Proceed
from holdfast.policy.coverage import Skipped, coverage
from holdfast.policy.taint import TaintConfig, is_untrusted
from holdfast.wire.fence import with_fences
from holdfast.wire.messages import read_request
from holdfast.wire.place import Path
from holdfast.wire.provenance import Told, read_provenance

NAME, VERSION = "fence", "2"
AT_ONCE = 10_000
"""Characters looked at in the event loop, in about 25 ms; more go to a thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceGuard:
    """Fences every suspicious result of the conversation, in every turn in the same way.

    The fence and the suspicion depend on the text alone, so that what was fenced as the newest result still is
    when it is history: the model is never shown another past than the one it has thought about. Nothing else is
    changed, and nothing is taken out.

    Of one conversation `screen.max_examined` characters are read, from its beginning on: what comes behind them
    is fenced unread, and the record of the call says so.
    """

    name: ClassVar[str] = NAME
    config: TaintConfig
    suspicion: Suspicion
    observe: Observer = unobserved

    async def __call__(self, call: Call) -> Proceed:
        # A result answers a call, which answers a question.
        if not self.config.fence or call.request.message_count < 3:
            return Proceed(call)
        source = read_provenance(call.body)
        results = [told for told in source.told if told.may_be_fenced and is_untrusted(told, self.config)]
        if not results:
            return Proceed(call)
        reach = self.suspicion.in_reach([told.text for told in results])
        near = [told for told, is_near in zip(results, reach, strict=True) if is_near]
        unread = {told.path for told, is_near in zip(results, reach, strict=True) if not is_near}
        suspicious = {*await self._suspicious(near), *unread}
        paths = [told.path for told in results if told.path in suspicious]
        self._note(call, near, paths, unread)
        if not paths:
            return Proceed(call)
        body = with_fences(call.body, paths, unread)
        return Proceed(replace(call, body=body, request=read_request(body)))

    async def _suspicious(self, results: list[Told]) -> list[Path]:
        unknown = sum(len(told.text) for told in results if not self.suspicion.knows(told.text))
        if unknown <= AT_ONCE:
            return self._found(results)
        left = threading.Event()
        try:
            return await asyncio.to_thread(self._found, results, left)
        finally:
            # Nobody waits any more, perhaps because the client has left.
            left.set()

    def _found(self, results: list[Told], left: threading.Event | None = None) -> list[Path]:
        awaited = (told for told in results if left is None or not left.is_set())
        return [told.path for told in awaited if self.suspicion.is_suspicious(told.text)]

    def _note(self, call: Call, read: list[Told], paths: list[Path], unread: set[Path]) -> None:
        """Write down what was looked at, and announce what is new."""
        newest = {block.path for block in call.request.newest}
        fresh = sum(_dotted(path) in newest for path in paths)
        if fresh:
            self.observe(ResultFenced(request_id=call.request_id, count=fresh))
        call.tally.notes.append(
            coverage(
                "input",
                NAME,
                VERSION,
                examined=((_dotted(told.path), len(told.text)) for told in read),
                skipped=(Skipped(path=_dotted(path), reason="too_much") for path in paths if path in unread),
                findings=("fenced",) if paths else (),
            )
        )


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))
