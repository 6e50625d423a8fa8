"""One answer under inspection: read once, in windows that overlap, and decided upon as soon as it can be."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from holdfast.policy.coverage import Coverage, Skipped, coverage
from holdfast.policy.egress import Trust, find_egress
from holdfast.policy.leak import Leak, LeakDetector
from holdfast.policy.leak_encoded import decoded_spans
from holdfast.policy.leak_index import Prompt
from holdfast.policy.masking import PERSONAL_KINDS, SECRET_KINDS, MaskingConfig, find
from holdfast.policy.masking import Kind as Masked
from holdfast.policy.output import VERSION, Finding, Kind, OutputConfig
from holdfast.wire.answer import Edit, Form

NAME = "output"
STEP = 1_024
"""Characters between two looks where nothing waits for them."""
CONTEXT = 96
"""Characters before a window that are looked at again: the name of a value, the beginning of a link."""
MOST_BLOCKS = 1_000
"""Blocks of one answer that are told apart."""
MOST_FINDINGS = 256
"""Findings of one answer that are told apart; of further ones, only what is done about them goes on."""

_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)
_GOES_ON: dict[Kind, re.Pattern[str]] = {
    "secret": re.compile(r"[A-Za-z0-9_\-./+=~%]*"),
    "personal": re.compile(r"[A-Za-z0-9_\-.@]*"),
    "egress": re.compile(r"[^\s<>\"'`)\]}]*\)?"),
}
_PEM_GOES_ON = re.compile(r"[A-Za-z0-9+/=\r\n\\]*+(?:-{1,5}(?:E(?:N(?:D[A-Z ]{0,40}-{0,5})?)?)?)?")
_CUT_END = re.compile(r"-{1,5}(?:E(?:N(?:D[A-Z ]{0,40}-{0,5})?)?)?\Z")
_HALF_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\(?:u[0-9A-Fa-f]{0,3})?\Z")


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an answer is judged by; the callables are asked only when something has been found.

    Attributes:
        prompt: the system prompt; `None` if there is none that could be told from any other.
        quoted: what the caller has put into the conversation, made by `leak.quotable`.
        typed: the words of the user himself.
        trust: who has named which host.
    """

    prompt: Prompt | None = None
    quoted: Callable[[], str] = _nothing
    typed: Callable[[], str] = _nothing
    trust: Callable[[], Trust] = Trust


class Inspection:
    """Judges one answer, whole or as it comes; see `holdfast.wire.answer.Judge`.

    `findings` are what was found so far, each once; `stopped_by` is the one that ended the answer.
    """

    def __init__(self, config: OutputConfig, surroundings: Surroundings | None = None) -> None:
        self.config = config
        self.findings: list[Finding] = []
        self.stopped_by: Finding | None = None
        self.unexamined: list[Skipped] = []
        self.edits: list[Edit] = []
        self.decided = 0
        self._surroundings = surroundings or Surroundings()
        self._waits = config.holds_back
        self._step = config.hold_back // 2 if self._waits else STEP
        self._end = self._scanned = self._further = 0
        self._window = self._path = ""
        self._form: Form = "text"
        self._lengths: dict[str, int] = {}
        self._leaks: dict[int, Finding] = {}
        self._open: re.Pattern[str] | None = None
        self._seen: set[tuple[str, str, int]] = set()
        self._detector = _detector(config, self._surroundings)
        self._masking = _masking(config)
        self._canaries = _spelled(config.canaries) if config.leak != "off" else None

    @property
    def is_stopped(self) -> bool:
        return self.stopped_by is not None

    def coverage(self) -> Coverage:
        """The record of what was read and what was not."""
        record = coverage(
            "output",
            NAME,
            VERSION,
            examined=self._lengths.items(),
            skipped=self.unexamined,
            findings=(f"{finding.kind}:{finding.code}" for finding in self.findings),
        )
        return replace(record, further=record.further + self._further)

    def open(self, path: str, form: Form) -> bool:
        if form == "thinking" and not self.config.thinking:
            self._note(path, "thinking")
            return False
        self._form = form
        if len(self._lengths) < MOST_BLOCKS:
            self._path = path
            self._lengths.setdefault(path, 0)
        else:
            self._further += 1
        return True

    def pass_over(self, path: str, reason: str) -> None:
        self._note(path, reason)
        self._act(
            Finding(kind="unexamined", code=reason, start=self.decided, end=self.decided), is_last=False
        )

    def _note(self, path: str, reason: str) -> None:
        if len(self.unexamined) < MOST_BLOCKS:
            self.unexamined.append(Skipped(path=path, reason=reason))
        else:
            self._further += 1

    def feed(self, text: str) -> None:
        self._window += text
        self._end += len(text)
        self._lengths[self._path] += len(text)
        if not self._waits:
            self.decided = self._end
        if self._end - self._scanned >= self._step:
            self._look(is_last=False)

    def close(self) -> None:
        self._look(is_last=True)
        if not self.is_stopped:
            self.decided = self._end
        self._window, self._open = "", None
        self._leaks.clear()

    def _look(self, *, is_last: bool) -> None:
        """Judge what has come since the last look, and let go what need not wait for more."""
        if self.is_stopped:
            return
        self._swallow()
        reserve = self.config.hold_back - (self._step if self._waits else 0)
        limit = self._end if is_last else max(self.decided if self._waits else 0, self._end - reserve)
        found = sorted(self._found(is_last=is_last), key=lambda finding: (finding.start, -finding.end))
        self._scanned = self._end
        for finding in found:
            if finding.start >= limit and not is_last:
                break
            self._act(finding, is_last=is_last)
            if self.is_stopped:
                return
        if self._waits:
            self.decided = max(self.decided, limit)
        kept = len(self._window) - (self._end - limit) - CONTEXT
        self._window = self._window[max(0, kept) :]

    def _found(self, *, is_last: bool) -> Iterator[Finding]:
        start = self._end - len(self._window)
        yield from self._leaked(start, is_last=is_last)
        for masked in find(self._window, self._masking) if self._masking.kinds else ():
            kind: Kind = "secret" if masked.kind in SECRET_KINDS else "personal"
            if self._window[masked.start : masked.end] not in self._surroundings.typed():
                found = Finding(
                    kind=kind, code=masked.kind, start=masked.start, end=masked.end, quote=masked.quote
                )
                yield replace(found, start=start + masked.start, end=start + masked.end)
        if self.config.egress != "off" and self._form != "json":
            for link in find_egress(self._window, self._surroundings.trust):
                yield Finding(kind="egress", code=link.code, start=start + link.start, end=start + link.end)

    def _leaked(self, start: int, *, is_last: bool) -> Iterator[Finding]:
        if self.config.leak == "off":
            return
        spans = [*decoded_spans(self._window)]
        if self._canaries is not None:
            yield from _betrayed(self._canaries, self._window, spans, start)
        if self._detector is not None:
            detector, fresh = self._detector, self._window[self._scanned - start :]
            leaks = detector.feed(fresh) + (detector.rest() if is_last else [])
            for first, last, plain in spans:
                leaks += detector.decoded(plain, start + first, start + last)
            for leak in leaks:
                self._join(_finding(leak))
        yield from [leak for leak in self._leaks.values() if leak.end > self.decided or not self._waits]

    def _join(self, leak: Finding) -> None:
        """Note a leak, as one with those that it touches: the same words may be found in two ways."""
        for start, other in [*self._leaks.items()]:
            if start <= leak.end and leak.start <= other.end:
                del self._leaks[start]
                leak = replace(other, start=min(start, leak.start), end=max(other.end, leak.end))
        self._leaks[leak.start] = leak

    def _act(self, finding: Finding, *, is_last: bool) -> None:
        if (mode := self.config.mode(finding.kind)) == "off":
            return
        key = (finding.kind, finding.code, 0 if finding.kind == "leak" else finding.start)
        if key not in self._seen and len(self._seen) < MOST_FINDINGS:
            self._seen.add(key)
            self.findings.append(finding)
        match mode:
            case "stop":
                self._stop(finding)
            case "redact" if self._form != "thinking":
                self._redact(finding, is_last=is_last)
            case _:
                pass

    def _stop(self, finding: Finding) -> None:
        self.stopped_by = finding
        self.decided = max(self.decided, finding.start)

    def _redact(self, finding: Finding, *, is_last: bool) -> None:
        done = self.edits[-1].end if self.edits else 0
        start, end = max(finding.start, self.decided, done), finding.end
        if end <= start:
            return
        if self._form == "json" and not self._fits_source(finding, start):
            self._stop(finding)
            return
        if start == done and finding.start < start:
            self.edits[-1] = replace(self.edits[-1], end=end)
        else:
            self.edits.append(Edit(start, end, finding.mark))
        if end == self._end and not is_last:
            self._open = _PEM_GOES_ON if finding.code == "private_key" else _GOES_ON.get(finding.kind)

    def _fits_source(self, finding: Finding, start: int) -> bool:
        """Whether JSON source stays JSON with the mark in place of what was found."""
        offset = self._end - len(self._window)
        text = self._window[start - offset : finding.end - offset]
        before = self._window[max(0, start - offset - 8) : start - offset]
        is_whole = not (_HALF_ESCAPE.search(before) or _HALF_ESCAPE.search(text))
        return finding.kind != "leak" and '"' not in text and is_whole

    def _swallow(self) -> None:
        """Take what has come since as a part of what was redacted last, as far as it is one."""
        if self._open is None:
            return
        last = self.edits[-1]
        offset = self._end - len(self._window)
        place = last.end - offset
        if cut := _CUT_END.search(self._window[:place], max(0, place - 60)):
            place = cut.start()
        found = self._open.match(self._window, place)
        end = max(last.end, offset + (found.end() if found else 0))
        self.edits[-1] = replace(last, end=end)
        if end < self._end:
            self._open = None


def _detector(config: OutputConfig, surroundings: Surroundings) -> LeakDetector | None:
    prompt = surroundings.prompt
    return None if config.leak == "off" or prompt is None else LeakDetector(prompt, surroundings.quoted)


def _masking(config: OutputConfig) -> MaskingConfig:
    modes = ((SECRET_KINDS, config.secrets), (PERSONAL_KINDS, config.personal))
    return MaskingConfig(kinds=frozenset[Masked]().union(*(kinds for kinds, mode in modes if mode != "off")))


def _finding(leak: Leak) -> Finding:
    return Finding(kind="leak", code=f"prompt_{leak.part}", start=leak.start, end=leak.end)


def _spelled(canaries: tuple[str, ...]) -> re.Pattern[str] | None:
    """Canaries in any case, with signs and spaces between their letters, backwards and in rot13."""
    plain = [[char for char in canary if char.isalnum()] for canary in canaries]
    turned = [[char.translate(_ROT13) for char in canary] for canary in plain]
    spellings = (*plain, *(canary[::-1] for canary in plain), *turned)
    pattern = "|".join(r"[\W_]{0,3}".join(map(re.escape, spelling)) for spelling in spellings)
    return re.compile(pattern, re.IGNORECASE) if canaries else None


def _betrayed(
    canaries: re.Pattern[str], window: str, spans: list[tuple[int, int, str]], start: int
) -> Iterator[Finding]:
    """The canaries in a text and in what its encoded stretches say."""
    places = [found.span() for found in canaries.finditer(window)]
    places += [(first, last) for first, last, plain in spans if canaries.search(plain)]
    for first, last in places:
        yield Finding(kind="leak", code="canary", start=start + first, end=start + last)
