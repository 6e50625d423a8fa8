"""One step of a team: who takes it, what he is told, and what came of it."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from itertools import groupby
from string import Formatter
from typing import Any, Protocol

from holdfast.agent.agent import ProductionAgent
from holdfast.agent.envelope import Envelope, joined
from holdfast.agent.exchange import Content
from holdfast.agent.reply import Reply
from holdfast.errors import ConfigError, HoldfastError
from holdfast.language import Sentence

INPUT, ORIGINAL = "input", "original"
_MATERIAL = "The material to work on is in the documents above."

Said = Mapping[str, Sequence[Envelope]]
"""What a template can name: `input`, `original`, and the steps before by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a team has said, one envelope for each that speaks for it; `error` is why it has not."""

    envelopes: tuple[Envelope, ...] = ()
    error: HoldfastError | None = None


class Playing(Protocol):
    """A team inside another: it works on the other's stage; `stage` is a `holdfast.teams.stage.Stage`."""

    @property
    def name(self) -> str | None: ...

    async def play(self, stage: Any, heard: Sequence[Envelope]) -> Played:
        """Work on what was heard; failures of members are told, not raised."""
        ...


Speaking = Callable[[str], str | Awaitable[str]]
Member = ProductionAgent | Playing | Speaking
"""Who can be in a team: an agent, another team, or a function from text to text."""


@dataclass(frozen=True, slots=True)
class Step:
    """A member and how it is told.

    Attributes:
        member: who works.
        name: what results, events and records call it; the member's own when left out.
        template: what it is told: `{input}` is what came before, `{original}` what the team was asked, `{NAME}` what
            the step of that name has said. The words in between are yours.
        trusted: whether what it says is as good as the user's own words to the others; else it is data to them.

    Raises `ConfigError` for a template that makes no sense.
    """

    member: Member
    _: KW_ONLY
    name: str | None = None
    template: str = "{input}"
    trusted: bool = False

    def __post_init__(self) -> None:
        _ = self.names

    @property
    def names(self) -> frozenset[str]:
        """What its template asks for."""
        return frozenset(name for _, name in _parts(self.template) if name is not None)

    def known(self, names: Collection[str]) -> "Step":
        """This step; raises `ConfigError` when its template asks for more than these."""
        for name in sorted(self.names - {*names, INPUT, ORIGINAL}):
            raise _unknown(self.template, name)
        return self

    def content(self, said: Said) -> Content:
        """What an agent is told: what others have written goes in envelopes of its own."""
        told: list[Envelope] = []
        for text, name in _parts(self.template):
            told += [Envelope(text=text), *(said[name] if name is not None else ())]
        if not any(one.is_data for one in told):
            return self.text(said)
        told = _run_together(told)
        if all(one.is_data for one in told):
            told.append(Envelope(text=_MATERIAL))
        return [one.block for one in told]

    def text(self, said: Said) -> str:
        """The same for a function: one text."""
        parts = _parts(self.template)
        return "".join(text + (joined(said[name]) if name is not None else "") for text, name in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What came of one step.

    Attributes:
        name: of the step; `path` has the teams around it before it.
        text: what the member has said, empty after a failure.
        error: why it has failed; `None` when it has not.
        reply: of an agent, its fallback, too.
        cost: exact dollars, sub-agents and attempts in vain included; `None` when a price is not known.
        seconds: how long it took.
        steps: of a team inside.
    """

    name: str
    path: tuple[str, ...]
    text: str = ""
    error: HoldfastError | None = None
    reply: Reply | None = None
    cost: Decimal | None
    seconds: float
    steps: tuple["StepResult", ...] = ()

    @property
    def is_clean(self) -> bool:
        """Whether nothing has failed in it, nor in any step inside."""
        return self.error is None and all(step.is_clean for step in self.steps)


def _run_together(envelopes: Sequence[Envelope]) -> list[Envelope]:
    """The same with what is nobody's data in one piece where it stands together, and without what says nothing."""
    told: list[Envelope] = []
    for is_data, group in groupby(envelopes, key=lambda one: one.is_data):
        if is_data:
            told += group
        elif (text := "".join(one.text for one in group)).strip():
            told.append(Envelope(text=text))
    return told


def named(members: Sequence[Member | Step]) -> tuple[tuple[str, Step], ...]:
    """Steps with a name each, in their order; of several with one name the later ones are numbered."""
    steps: dict[str, Step] = {}
    for number, one in enumerate(members, start=1):
        step = one if isinstance(one, Step) else Step(one)
        wanted = step.name or name_of(step.member) or f"step-{number}"
        name, count = wanted, 1
        while name in steps:
            count += 1
            name = f"{wanted}-{count}"
        steps[name] = step
    return tuple(steps.items())


def name_of(member: Member) -> str | None:
    """What a member calls itself."""
    if isinstance(member, ProductionAgent):
        return member.name
    own = getattr(member, "name", None) or getattr(member, "__name__", None)
    return own if isinstance(own, str) and own.isidentifier() else None


def _parts(template: str) -> list[tuple[str, str | None]]:
    try:
        parsed = list(Formatter().parse(template))
    except ValueError as error:
        raise _unreadable(template, str(error)) from error
    for _, name, form, conversion in parsed:
        if name is not None and (not name.replace("-", "_").isidentifier() or form or conversion):
            raise _unknown(template, name)
    return [(text, name) for text, name, _, _ in parsed]


def _unknown(template: str, name: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The template {template[:80]!r} asks for {{{name[:80]}}}: there are {{input}}, {{original}} and the names "
            "of steps before. Write {{ and }} for braces.",
            ko=f"템플릿 {template[:80]!r}의 {{{name[:80]}}}을(를) 알 수 없습니다. {{input}}, {{original}}, 앞 단계의 "
            "이름만 쓸 수 있습니다. 중괄호 글자는 {{, }}로 적으세요.",
        )
    )


def _unreadable(template: str, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The template {template[:80]!r} cannot be read ({why}). Write {{{{ and }}}} for braces.",
            ko=f"템플릿 {template[:80]!r}을(를) 읽을 수 없습니다({why}). 중괄호 글자는 {{{{, }}}}로 적으세요.",
        )
    )
