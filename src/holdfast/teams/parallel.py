"""Members that work on the same at the same time."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Unpack

from holdfast.agent.envelope import Envelope, joined
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.teams.stage import Stage, is_final, side_by_side
from holdfast.teams.step import Member, Played, Step, StepResult
from holdfast.teams.team import Team, TeamOptions, ended

Merge = Callable[[Mapping[str, str]], str]
AT_ONCE = 8
MERGE = "merge"


class Parallel(Team):
    """Members by name: agents, teams, functions from text to text, or `Step`s that say more about them.

    `merge` makes one text of what each has said, in their order here: a function of a mapping from names to texts,
    or a `Step` that hears them all as a further member does; left out, the texts stand below each other. `at_once`
    says how many may work at a time. The other keywords are those of `Terms`. Raises `ConfigError` for a team of
    nobody.

    Example:
        team = Parallel({"facts": checker, "style": editor}, merge=Step(writer), fail="continue")
    """

    kind: ClassVar[str] = "parallel"

    def __init__(
        self,
        members: Mapping[str, Member | Step],
        *,
        merge: Merge | Step | None = None,
        at_once: int = AT_ONCE,
        **terms: Unpack[TeamOptions],
    ) -> None:
        super().__init__(terms)
        self.members = {
            called: one if isinstance(one, Step) else Step(one) for called, one in members.items()
        }
        self.merge, self.at_once = merge, at_once
        if not self.members or at_once < 1:
            raise _nobody()
        for step in self.members.values():
            step.known(())
        if isinstance(merge, Step):
            merge.known(self.members)

    async def _work(self, stage: Stage, heard: Sequence[Envelope]) -> Played:
        said: dict[str, Sequence[Envelope]] = {}
        errors: list[HoldfastError] = []

        async def take(called: str, step: Step) -> StepResult:
            result, envelopes = await stage.take(called, step, heard)
            if result.error is None:
                said[called] = envelopes
            else:
                errors.append(result.error)
            return result

        jobs = [partial(take, called, step) for called, step in self.members.items()]
        await side_by_side(jobs, at_once=self.at_once, enough=self._ends)
        if errors and (self.terms.fail == "stop" or any(map(is_final, errors))):
            return Played(error=errors[0])
        return await self._merged(
            stage, {called: said[called] for called in self.members if called in said}, errors
        )

    def _ends(self, result: StepResult) -> bool:
        return result.error is not None and (self.terms.fail == "stop" or is_final(result.error))

    async def _merged(
        self, stage: Stage, said: Mapping[str, Sequence[Envelope]], errors: Sequence[HoldfastError]
    ) -> Played:
        envelopes = [one for spoken in said.values() for one in spoken]
        if not envelopes or self.merge is None:
            return ended(envelopes, errors)
        told: dict[str, Sequence[Envelope]] = {**dict.fromkeys(self.members, ()), **said}
        result, merged = await stage.take(MERGE, _step(self.merge, said), envelopes, told)
        return Played(envelopes=merged, error=result.error)


def _step(merge: Merge | Step, said: Mapping[str, Sequence[Envelope]]) -> Step:
    if isinstance(merge, Step):
        return merge
    texts = {called: joined(spoken) for called, spoken in said.items()}
    return Step(lambda _: merge(texts))


def _nobody() -> ConfigError:
    return ConfigError(
        Sentence(
            "A team needs members, and `at_once` must be at least 1.",
            ko="팀에는 구성원이 있어야 하고, `at_once`는 1 이상이어야 합니다.",
        )
    )
