"""The station that keeps a run within its caps, and stops an agent that turns in circles."""

from dataclasses import dataclass, replace
from typing import ClassVar

from holdfast.call import Call
from holdfast.errors import NoProgress, Refused, StoreUnavailable
from holdfast.events import Observer, RunStopped, RunUncounted, RunWarned, unobserved
from holdfast.language import Sentence
from holdfast.pipeline import Proceed
from holdfast.policy.progress import Verdict, advice, judge
from holdfast.policy.runs import RunsConfig, check
from holdfast.ports import RunRecord, Runs
from holdfast.wire.history import read_history
from holdfast.wire.notice import language_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGuard:
    """Counts the call in its run, refuses what goes beyond a cap, and judges what the agent did last.

    A call without a run is judged all the same: its history is enough for that, and nothing is kept here.
    When the store does not count in time, that is announced and the caps let the call pass (semantics 3.7):
    they bound how much is done; hard limits of money are held to by the budgets.
    """

    name: ClassVar[str] = "run"
    runs: Runs
    config: RunsConfig
    observe: Observer = unobserved

    async def __call__(self, call: Call) -> Proceed:
        record = await self._entered(call)
        if record is not None:
            self._check(call, record)
        return Proceed(self._watched(call))

    async def _entered(self, call: Call) -> RunRecord | None:
        who = call.principal
        if who.run is None:
            return None
        try:
            return await self.runs.enter(who.run, who.agent, who.parent, call.arrived)
        except StoreUnavailable as error:
            self.observe(RunUncounted(request_id=call.request_id, run=who.run, error=str(error)))
            return None

    def _check(self, call: Call, record: RunRecord) -> None:
        refusal = check(record, self.config, agent=call.principal.agent, now=call.arrived)
        if refusal is not None:
            raise self._refused(call, refusal, str(refusal.details["cap"]))

    def _watched(self, call: Call) -> Call:
        """The call with the notice it deserves; raises `NoProgress` when it deserves no more than that."""
        soonest = self.config.progress.soonest
        # A turn with calls and its results are two messages: most conversations need not be read at all.
        if soonest is None or call.request.message_count < 2 * soonest:
            return call
        history = read_history(call.body)
        verdict = judge(history.turns, self.config.progress)
        if verdict is None:
            return call
        if verdict.level == "stop":
            raise self._refused(call, _no_progress(verdict), verdict.kind)
        self._warn(call, verdict)
        if verdict.level == "warn":
            return call
        return replace(call, notices=(*call.notices, advice(verdict).say(language_of(history.words))))

    def _warn(self, call: Call, verdict: Verdict) -> None:
        self.observe(
            RunWarned(
                request_id=call.request_id,
                run=call.principal.run,
                agent=call.principal.agent,
                level=verdict.level,
                kind=verdict.kind,
                count=verdict.count,
                evidence=verdict.evidence.en,
            )
        )

    def _refused(self, call: Call, refusal: Refused, cause: str) -> Refused:
        self.observe(
            RunStopped(
                request_id=call.request_id,
                run=call.principal.run,
                agent=call.principal.agent,
                cause=cause,
                evidence=str(refusal),
            )
        )
        return refusal


def _no_progress(verdict: Verdict) -> NoProgress:
    why = verdict.evidence
    return NoProgress(
        Sentence(
            f"Stopped, because the agent makes no progress: {why.en} Tell it what to do differently, or let "
            "the tool repeat by runs.progress.ignore.",
            ko=f"에이전트에 진전이 없어 멈추었습니다. {why.ko} 다르게 할 일을 알려 주거나, "
            "반복이 정상인 도구라면 runs.progress.ignore에 추가하세요.",
        ),
        details={"kind": verdict.kind, "count": verdict.count},
    )
