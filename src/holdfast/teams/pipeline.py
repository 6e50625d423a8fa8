"""Members that work one after the other, each on what the one before has said."""

from collections.abc import Sequence
from typing import ClassVar, Unpack

from holdfast.agent.envelope import Envelope
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence
from holdfast.teams.stage import Stage, is_final
from holdfast.teams.step import Member, Played, Step, named
from holdfast.teams.team import Team, TeamOptions, ended


class Pipeline(Team):
    """A line of members: agents, teams, functions from text to text, or `Step`s that say more about them.

    The keywords are those of `Terms`. With `fail="continue"`, the member behind one that has failed works on what
    that one was given. Raises `ConfigError` for a line of nobody and for templates that make no sense.

    Example:
        line = Pipeline([writer, Step(critic, template="{original} {input}"), writer], max_usd=1)
        result = await line.run("Explain circuit breakers.", user="alice")
    """

    kind: ClassVar[str] = "pipeline"

    def __init__(
        self,
        steps: Sequence[Member | Step],
        **terms: Unpack[TeamOptions],
    ) -> None:
        super().__init__(terms)
        self.steps = named(steps)
        if not self.steps:
            raise ConfigError(Sentence("A team needs members.", ko="팀에는 구성원이 있어야 합니다."))
        before: set[str] = set()
        for called, step in self.steps:
            step.known(before)
            before.add(called)

    async def _work(self, stage: Stage, heard: Sequence[Envelope]) -> Played:
        said: dict[str, Sequence[Envelope]] = {called: () for called, _ in self.steps}
        errors: list[HoldfastError] = []
        has_spoken = False
        for called, step in self.steps:
            result, envelopes = await stage.take(called, step, heard, said)
            if result.error is None:
                heard = said[called] = envelopes
                has_spoken = True
                continue
            errors.append(result.error)
            if self.terms.fail == "stop" or is_final(result.error):
                return Played(error=result.error)
        return ended(heard if has_spoken else (), errors)
