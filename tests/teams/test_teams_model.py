"""Teams of any shape against a naive model of them: who is heard, what fails, and that nobody is left at work."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from holdfast.teams import Member, Parallel, Pipeline, TeamResult
from holdfast.teams.team import Fail, Team

Said = list[tuple[str, str]]
"""Who has said what."""


@dataclass(frozen=True)
class Leaf:
    """A function that says what it was told and its own name, or fails."""

    works: bool


@dataclass(frozen=True)
class Branch:
    """A team."""

    side_by_side: bool
    fail: Fail
    members: "Sequence[Leaf | Branch]"


branches = st.recursive(
    st.builds(Leaf, st.booleans()),
    lambda inside: st.builds(
        Branch, st.booleans(), st.sampled_from(["stop", "continue"]), st.lists(inside, min_size=1, max_size=3)
    ),
    max_leaves=8,
)
teams = st.builds(
    Branch, st.booleans(), st.sampled_from(["stop", "continue"]), st.lists(branches, min_size=1, max_size=3)
)


def spoken(said: Said) -> str:
    return said[0][1] if len(said) == 1 else "\n\n".join(f"## {name}\n\n{text}" for name, text in said)


def modelled(tree: Leaf | Branch, name: str, heard: Said) -> Said | None:
    """What it says to the others; `None` when it fails."""
    if isinstance(tree, Leaf):
        return [(name, f"{spoken(heard)}.")] if tree.works else None
    answers: list[Said | None] = []
    for number, member in enumerate(tree.members):
        answer = modelled(member, f"m{number}", heard)
        if answer is None and tree.fail == "stop":
            return None
        answers.append(answer)
        if answer is not None and not tree.side_by_side:
            heard = answer
    said = [answer for answer in answers if answer is not None]
    if not said:
        return None
    return [one for answer in said for one in answer] if tree.side_by_side else said[-1]


def built(tree: Branch) -> Team:
    """The team itself; members are named by their number."""
    members = {f"m{number}": _member(member, f"m{number}") for number, member in enumerate(tree.members)}
    if tree.side_by_side:
        return Parallel(members, fail=tree.fail, at_once=2)
    line = Pipeline([*members.values()], fail=tree.fail)
    line.steps = tuple(zip(members, (step for _, step in line.steps), strict=True))
    return line


def _member(tree: Leaf | Branch, name: str) -> Member:
    if isinstance(tree, Branch):
        return built(tree)

    async def speak(text: str) -> str:
        await asyncio.sleep(0)
        if not tree.works:
            raise ValueError(name)
        return f"{text}."

    return speak


async def work(team: Team) -> TeamResult:
    result = await team.run("x")
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return result


def leaves(tree: Leaf | Branch) -> list[Leaf]:
    if isinstance(tree, Leaf):
        return [tree]
    return [leaf for member in tree.members for leaf in leaves(member)]


@given(teams)
def test_a_team_of_any_shape_says_what_its_members_do(tree: Branch) -> None:
    result = asyncio.run(work(built(tree)))
    wanted = modelled(tree, "", [("", "x")])

    assert result.text == ("" if wanted is None else spoken(wanted))
    assert (result.error is None) == (wanted is not None)
    if all(leaf.works for leaf in leaves(tree)):
        assert (result.outcome, result.failures) == ("done", ())
    else:
        assert result.outcome != "done"
        assert result.failures
