"""The recorder: masks the bodies of calls and keeps them, in a thread of its own, so that no call waits for it."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta

from holdfast.call import Call, Capture
from holdfast.clock import Clock
from holdfast.errors import StoreUnavailable
from holdfast.identity import harmless
from holdfast.policy.masking import MaskingConfig, mask
from holdfast.policy.recorded_body import kept_body
from holdfast.policy.recording import RecorderConfig
from holdfast.ports import Bodies, RecordedCall
from holdfast.wire.headers import get
from holdfast.wire.recorded import answer, document

WAITING = 64 * 1024 * 1024
"""Bytes of bodies that may wait to be masked; what comes beyond them is not recorded, and counted."""
CLOSING = 5.0
"""Seconds that what waits may take when everything ends."""
HEADERS = ("anthropic-version", "anthropic-beta")


class Recorder:
    """Takes bodies from any thread; what it could not keep is counted in `lost`, and harms no call."""

    def __init__(
        self, bodies: Bodies, config: RecorderConfig, masking: MaskingConfig, *, clock: Clock
    ) -> None:
        self.bodies = bodies
        self.lost = 0
        self._config = config
        self._masking = masking
        self._clock = clock
        self._turn = threading.Condition()
        self._waiting = 0
        self._closed = False
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="holdfast-recorder")

    def take(self, call: Call, capture: Capture) -> None:
        """Keep the bodies of a call that is over; returns at once, and never raises."""
        size = len(call.body) + len(capture.answer)
        with self._turn:
            if self._closed or self._waiting + size > WAITING:
                self.lost += 1
                return
            self._waiting += size
        with suppress(RuntimeError):  # the interpreter is ending: there is no thread to be had any more
            self._pool.submit(self._keep, call, capture).add_done_callback(
                lambda done: self._done(done, size)
            )

    def flush(self, timeout: float) -> bool:
        """Wait until what was taken is kept or lost; `False` if that takes longer than `timeout` seconds."""
        with self._turn:
            return self._turn.wait_for(lambda: self._waiting == 0, timeout)

    async def prune(self) -> None:
        """Forget what is old enough."""
        with suppress(StoreUnavailable):  # it can still be forgotten in an hour
            await self.bodies.prune(self._clock.now() - timedelta(days=self._config.keep_days))

    def close(self) -> None:
        """Keep what waits, for a while, and take no more."""
        with self._turn:
            self._closed = True
        self.flush(CLOSING)
        self._pool.shutdown(wait=False, cancel_futures=True)
        asyncio.run(self.bodies.aclose())

    def _keep(self, call: Call, capture: Capture) -> None:
        entry = recorded_call(call, capture, self._masking)
        asyncio.run(self.bodies.keep(entry, self._config.max_bytes))

    def _done(self, done: "Future[None]", size: int) -> None:
        with self._turn:
            self._waiting -= size
            self.lost += done.cancelled() or done.exception() is not None
            self._turn.notify_all()


def recorded_call(call: Call, capture: Capture, masking: MaskingConfig) -> RecordedCall:
    """What is kept of a call: everything masked, and nothing longer than its recording allows."""
    limit, who = capture.recording.max_bytes, call.principal
    request = kept_body(document(call.body), masking, limit)
    said = kept_body(answer(bytes(capture.answer)) if capture.answer else None, masking, limit)
    sent = {name: get(call.headers, name) for name in HEADERS}
    return RecordedCall(
        request_id=call.request_id,
        at=call.arrived,
        recording=capture.recording.name,
        key=who.key,
        user=who.user,
        run=who.run,
        headers={name: harmless(mask(value, masking))[:1_000] for name, value in sent.items() if value},
        request=request.body,
        answer=said.body,
        is_cut=request.is_cut or said.is_cut or capture.is_cut,
    )
