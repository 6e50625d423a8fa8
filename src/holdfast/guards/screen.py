"""The station that reads what is new in a call and refuses what should not pass."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import blake2b
from secrets import token_bytes
from threading import Lock

from holdfast.call import Call
from holdfast.errors import InputRejected
from holdfast.events import InputFlagged, Observer, unobserved
from holdfast.language import Sentence
from holdfast.parts.validator import DETECTED, InputValidator, Scan
from holdfast.pipeline import Proceed
from holdfast.policy.screening import Finding, ScreenConfig, Verdict, judge
from holdfast.wire.messages import TextBlock

AT_ONCE = 10_000
"""Characters screened in the event loop, in about 25 ms; more go to a thread, so that other calls get their turn."""

THREADS = 2
"""Of their own, so that long texts never keep the ledger waiting for one."""

MOST_KEPT = 4_096
"""Blocks whose scans are remembered, the newest: what was seen before costs a digest."""


@dataclass(frozen=True, slots=True)
class _Memory:
    """Scans by keyed digest of what was scanned and by what: nothing of a text can be read from it or guessed."""

    key: bytes = field(default_factory=lambda: token_bytes(32))
    scans: OrderedDict[bytes, Scan] = field(default_factory=OrderedDict[bytes, Scan])
    lock: Lock = field(default_factory=Lock)

    def digest(self, block: TextBlock, version: str | None) -> bytes:
        """Names the block and its judge; a judge without a version may change its mind, and is asked again."""
        if version is None:
            return b""
        said = f"{version}\0{block.channel}\0{block.text}".encode("utf-8", "surrogatepass")
        return blake2b(said, digest_size=16, key=self.key).digest()

    def keep(self, digest: bytes, scan: Scan) -> None:
        if not digest:
            return
        with self.lock:
            self.scans[digest] = scan
            self.scans.move_to_end(digest)
            if len(self.scans) > MOST_KEPT:
                self.scans.popitem(last=False)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A block, what was found in it, and what follows from that."""

    block: TextBlock
    findings: tuple[Finding, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenGuard:
    """Screens the newest turn only: older turns were screened when they were new, and history is never edited."""

    config: ScreenConfig
    validator: InputValidator = field(default_factory=InputValidator)
    observe: Observer = unobserved
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, "holdfast-screen"), init=False, repr=False
    )

    _memory: _Memory = field(default_factory=_Memory, init=False, repr=False)

    async def __call__(self, call: Call) -> Proceed:
        if self.config.enabled:
            blocks = [block for block in call.request.newest if block.channel in self.config.channels]
            for seen in await self._screen(blocks):
                self._judge(call, seen)
        return Proceed(call)

    async def _screen(self, blocks: Sequence[TextBlock]) -> Sequence[_Seen]:
        for block in blocks:
            _check_length(block, self.config.max_length)
        digests = [self._memory.digest(block, self.validator.version) for block in blocks]
        new = [
            block for block, digest in zip(blocks, digests, strict=True) if digest not in self._memory.scans
        ]
        if sum(len(block.text) for block in new) <= AT_ONCE:
            return self._scan(blocks, digests)
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._scan, blocks, digests)

    def _scan(self, blocks: Sequence[TextBlock], digests: Sequence[bytes]) -> Sequence[_Seen]:
        """What is seen in each block, up to the first that is refused."""
        found: list[_Seen] = []
        for block, digest in zip(blocks, digests, strict=True):
            scan = self._memory.scans.get(digest) or self.validator.scan(block.text, channel=block.channel)
            self._memory.keep(digest, scan)
            # The validator knows how sure it is; from where that matters is for the settings to say.
            verdict = judge((), self.config, detected=scan.verdict.score)
            found.append(_Seen(block, scan.findings, verdict))
            if verdict.action == "block":
                break
        return found

    def _judge(self, call: Call, seen: _Seen) -> None:
        if seen.verdict.action == "block":
            raise _rejected(seen.block, seen.findings)
        if seen.verdict.action == "flag":
            rules = tuple(finding.rule for finding in seen.findings)
            self.observe(InputFlagged(request_id=call.request_id, rules=rules, score=seen.verdict.score))


def _check_length(block: TextBlock, longest: int | None) -> None:
    if longest is not None and len(block.text) > longest:
        raise _too_long(block, longest)


def _rejected(block: TextBlock, findings: Sequence[Finding]) -> InputRejected:
    if not findings:
        return InputRejected(
            Sentence(
                f"Blocked at {block.path}: the text reads like an attempt to override the model's instructions. "
                "Rephrase it, or adjust the detector.",
                ko=f"{block.path}의 글이 모델의 지시를 바꾸려는 시도로 보여 차단되었습니다. 문장을 바꾸거나 탐지기를 조정하세요.",
            ),
            details={"path": block.path},
        )
    # A rule says more plainly than the detector what is wrong.
    finding = max(findings, key=lambda found: (found.rule != DETECTED, found.weight))
    why = finding.reason
    return InputRejected(
        Sentence(
            f"Blocked by rule {finding.rule} at {block.path}: {why.en} Rephrase the text, or change the rule.",
            ko=f"{block.path}에서 규칙 {finding.rule}에 따라 차단되었습니다: {why.ko} 문장을 바꾸거나 규칙을 조정하세요.",
        ),
        details={"rule": finding.rule, "path": block.path},
    )


def _too_long(block: TextBlock, longest: int) -> InputRejected:
    return InputRejected(
        Sentence(
            f"The text at {block.path} has {len(block.text):,} characters, more than the {longest:,} allowed "
            "by screen.max_length. Send a shorter text.",
            ko=f"{block.path}의 글이 {len(block.text):,}자로 screen.max_length가 허용하는 {longest:,}자보다 깁니다. "
            "더 짧은 글을 보내세요.",
        ),
        details={"path": block.path},
    )
