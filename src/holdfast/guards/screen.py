"""The station that reads what is new in a call and refuses what should not pass."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import ClassVar
from weakref import WeakValueDictionary

from holdfast.call import Call
from holdfast.events import InputFlagged, Observer, WouldHaveBlocked, unobserved
from holdfast.parts.cascade import Cascade
from holdfast.parts.detection import Detection, GuardInput
from holdfast.parts.reading import Reader, Reading
from holdfast.parts.sightings import Sightings
from holdfast.parts.validator import InputValidator
from holdfast.parts.verdicts import Verdicts
from holdfast.pipeline import Proceed
from holdfast.policy.client_words import without_client_words
from holdfast.policy.coverage import Coverage, Skipped, coverage, of_newest, of_nothing
from holdfast.policy.detector.calibration import suspicion
from holdfast.policy.monitoring import Decision, decide, decided
from holdfast.policy.portion import ends, shares
from holdfast.policy.rejection import rejected, too_long, too_much, unexamined, unheard
from holdfast.policy.screening import ScreenConfig
from holdfast.policy.second_opinion import is_uncertain
from holdfast.wire.messages import TextBlock
from holdfast.wire.unread import Unread, unread

NAME, SECOND = "screen", "second_opinion"

AT_ONCE = 10_000
"""Characters screened in the event loop, in about 25 ms; more go to a thread, so that other calls get their turn."""

THREADS = 2
"""Of their own, so that long texts never keep the ledger waiting for one."""

UNHEARD, UNEXAMINED = "second-opinion", "unexamined"
"""What stands for a rule where a text is refused because nobody has examined it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A block as far as it was read, what was seen there, what another detector said where one was asked, and what follows."""

    block: TextBlock
    reading: Reading
    decision: Decision
    opinion: Detection | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenGuard:
    """Screens the newest turn only: older turns were screened when they were new, and history is never edited.

    It fails closed: what it cannot do ends the call. Every call gets a record of what was examined.

    Attributes:
        config: how strict it is.
        validator: its rules and the detector for every text.
        verdicts: what was seen in texts before; whoever reads by the same weights may share it.
        second: asks another detector about texts in doubt; `None` asks nobody and costs nothing.
        only_flags_tools: whether texts of tools pass however bad they look, since the fence and the tool gate
            see to it that no harm comes from them.
        sightings: what each rule has seen.
    """

    name: ClassVar[str] = NAME
    config: ScreenConfig
    validator: InputValidator = field(default_factory=InputValidator)
    verdicts: Verdicts[Reading] = field(default_factory=lambda: Verdicts[Reading]())
    second: Cascade | None = None
    only_flags_tools: bool = False
    sightings: Sightings = field(default_factory=Sightings)
    observe: Observer = unobserved
    _reader: Reader = field(init=False, repr=False)
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(THREADS, "holdfast-screen"), init=False, repr=False
    )
    _turns: WeakValueDictionary[tuple[int, str], asyncio.Lock] = field(
        default_factory=WeakValueDictionary[tuple[int, str], asyncio.Lock], init=False, repr=False
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "_reader", Reader(validator=self.validator, verdicts=self.verdicts))

    async def __call__(self, call: Call) -> Proceed:
        hidden = unread(call.body)
        if not self.config.enabled:
            note = of_nothing(call.request, hidden, guard=NAME, reason="screen_off")
            call.tally.notes.append(replace(note, fails="open"))
            return Proceed(call)
        blocks = [block for block in call.request.newest if block.channel in self.config.channels]
        self._check_lengths(call, blocks, hidden)
        seen = await self._reconsidered(call, await self._read(call, self._portions(blocks)))
        self._note(call, hidden, seen)
        for one in seen:
            self._follow(call, one)
        self._judge_unexamined(call, hidden, _cut(call, seen))
        return Proceed(call)

    def _check_lengths(self, call: Call, blocks: Sequence[TextBlock], hidden: Sequence[Unread]) -> None:
        longest = self.config.max_length
        for block in blocks:
            if longest is not None and len(block.text) > longest:
                missed = {one.path: "refused_before" for one in blocks} | {block.path: "too_long"}
                call.tally.notes.append(
                    of_newest(
                        call.request,
                        hidden,
                        guard=NAME,
                        version=self._version,
                        channels=self.config.channels,
                        missed=missed,
                    )
                )
                raise too_long(block, longest)

    def _portions(self, blocks: Sequence[TextBlock]) -> Sequence[TextBlock]:
        """The blocks as far as they are read: what was read before costs nothing and is read whole."""
        most = self.config.max_examined
        if sum(len(block.text) for block in blocks) <= most:
            return blocks
        known = [self._reader.knows(block.text, block.channel) for block in blocks]
        lengths = [0 if knows else len(block.text) for block, knows in zip(blocks, known, strict=True)]
        return [
            block if knows else replace(block, text=ends(block.text, share))
            for block, knows, share in zip(blocks, known, shares(lengths, most), strict=True)
        ]

    async def _read(self, call: Call, blocks: Sequence[TextBlock]) -> Sequence[_Seen]:
        new = sum(len(block.text) for block in blocks if not self._reader.knows(block.text, block.channel))
        if new <= AT_ONCE:
            return self._seen(blocks)
        left = threading.Event()
        async with self._turn(call.principal.key):
            try:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._seen, blocks, left.is_set)
            finally:
                # Nobody waits any more, perhaps because the client has left: the thread is for others now.
                left.set()

    def _turn(self, key: str) -> asyncio.Lock:
        """Held while long texts of a key are read, so that nobody has all threads to himself."""
        # A lock belongs to its event loop, and a library may be used in several.
        place = (id(asyncio.get_running_loop()), key)
        lock = self._turns.get(place)
        if lock is None:
            lock = self._turns[place] = asyncio.Lock()
        return lock

    def _seen(
        self, blocks: Sequence[TextBlock], abandoned: Callable[[], bool] = lambda: False
    ) -> Sequence[_Seen]:
        """What is seen in each block, up to the first that is refused whatever others say of it."""
        found: list[_Seen] = []
        for block in blocks:
            text = without_client_words(block.text)
            reading = self._reader.read(text, block.channel, abandoned=abandoned)
            found.append(_Seen(block=block, reading=reading, decision=self._decide(block, reading)))
            if found[-1].decision.action == "block" and not self._is_doubtful(found[-1]):
                break
        return found

    async def _reconsidered(self, call: Call, seen: Sequence[_Seen]) -> Sequence[_Seen]:
        doubtful = [one for one in seen if self._is_doubtful(one)]
        if self.second is None or not doubtful:
            return seen
        items = [
            GuardInput(text=one.block.text, channel=one.block.channel, tenant=call.principal.key)
            for one in doubtful
        ]
        answers = await self.second.reconsider(items, [one.reading.first for one in doubtful])
        heard = {id(one): answer for one, answer in zip(doubtful, answers, strict=True)}
        return [self._judged_anew(one, heard.get(id(one))) for one in seen]

    def _judged_anew(self, seen: _Seen, opinion: Detection | None) -> _Seen:
        if opinion is None:
            return seen
        return replace(seen, opinion=opinion, decision=self._decide(seen.block, seen.reading, opinion))

    def _is_doubtful(self, seen: _Seen) -> bool:
        """Whether another detector is to be asked: not where the rules alone are sure."""
        if self.second is None or not is_uncertain(seen.reading.first.fpr, self.second.band):
            return False
        return decide(seen.reading.findings, self.config).action != "block"

    def _decide(self, block: TextBlock, reading: Reading, opinion: Detection | None = None) -> Decision:
        may_block = not (self.only_flags_tools and block.channel == "tool")
        if opinion is not None and not opinion.examined:
            return decided(UNHEARD, self.config, may_block=may_block)
        score = reading.first.score if opinion is None else suspicion(opinion.fpr)
        return decide(reading.findings, self.config, detected=score, may_block=may_block)

    def _follow(self, call: Call, seen: _Seen) -> None:
        self._announce(call, seen.decision)
        if seen.decision.action != "block":
            return
        if seen.opinion is not None and not seen.opinion.examined:
            raise unheard(seen.block, seen.opinion.reason or SECOND)
        raise rejected(
            seen.block,
            [one for one in seen.reading.findings if not self.config.only_watches(one.rule)],
        )

    def _judge_unexamined(self, call: Call, hidden: Sequence[Unread], cut: Sequence[TextBlock]) -> None:
        if self.config.unexamined == "allow" or not (hidden or cut):
            return
        decision = decided(UNEXAMINED, self.config)
        self._announce(call, decision)
        if decision.action == "block":
            raise unexamined(hidden[0]) if hidden else too_much(cut[0], self.config.max_examined)

    def _announce(self, call: Call, decision: Decision) -> None:
        self.sightings.count(decision)
        if decision.would_block:
            self.observe(
                WouldHaveBlocked(request_id=call.request_id, rules=decision.would_block, score=decision.score)
            )
        elif decision.action == "flag":
            self.observe(InputFlagged(request_id=call.request_id, rules=decision.rules, score=decision.score))

    @property
    def _version(self) -> str:
        return self.validator.version or "own"

    def _note(self, call: Call, hidden: Sequence[Unread], seen: Sequence[_Seen]) -> None:
        read, cut = {one.block.path for one in seen}, _cut(call, seen)
        wanted = [block.path for block in call.request.newest if block.channel in self.config.channels]
        note = of_newest(
            call.request,
            hidden,
            guard=NAME,
            version=self._version,
            channels=self.config.channels,
            missed={path: "refused_before" for path in wanted if path not in read}
            | {block.path: "too_much" for block in cut},
        )
        note = replace(note, characters=note.characters + sum(len(block.text) for block in cut))
        decisions = [one.decision for one in seen if one.decision.action != "allow"]
        rules = {rule for one in decisions for rule in (*one.rules, *one.would_block)}
        call.tally.notes.append(replace(note, findings=tuple(sorted(rules))))
        asked = [one for one in seen if one.opinion is not None]
        if self.second is not None and asked:
            call.tally.notes.append(
                replace(_heard(asked, self.second.dear.version or "own"), fails=self.second.fail)
            )


def _cut(call: Call, seen: Sequence[_Seen]) -> Sequence[TextBlock]:
    """The blocks of which only the ends were read."""
    whole = {block.path: block.text for block in call.request.newest}
    return [one.block for one in seen if one.block.text != whole[one.block.path]]


def _heard(asked: Sequence[_Seen], version: str) -> Coverage:
    """The record of the second opinion: the texts that it was asked about."""
    answered = [one for one in asked if one.opinion is not None and one.opinion.reason is None]
    return coverage(
        "input",
        SECOND,
        version,
        examined=((one.block.path, len(one.block.text)) for one in answered),
        skipped=(
            Skipped(path=one.block.path, reason=one.opinion.reason)
            for one in asked
            if one.opinion is not None and one.opinion.reason is not None
        ),
    )
