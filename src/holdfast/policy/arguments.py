"""What a tool is called with, by the part that each value plays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from holdfast.policy.intention import words_of

Role = Literal["target", "command", "amount", "content", "plain", "quoted"]
"""Where it acts, what it runs, how much, what it carries, anything else, and what it looks for to replace it."""

MOST_ARGUMENTS = 200
"""Values of one call that are told apart; all further ones are read as one text."""


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


_TARGET = _listed(
    """
    account accounts addr address bcc beneficiary branch bucket cc channel contact destination dir
    directory domain email endpoint file filename folder from group host hostname iban id ids
    invitee key location member name number path paths payee phone recipient recipients repo
    repository server site source table target to uri url urls user username webhook
    """
)
_COMMAND = _listed(
    """
    cmd code command commands expression program query script shell sql
    """
)
_AMOUNT = _listed(
    """
    amount price sum total
    """
)
_CONTENT = _listed(
    """
    body caption comment content contents data description details html json markdown memo message
    msg note notes payload post prompt reason reply subject summary text title
    """
)
_HEADINGS = _listed(
    """
    subject title caption
    """
)
_QUOTED = _listed(
    """
    old_string old_str old_text oldText old_source
    """
)
_RUNNING = _listed(
    """
    bash eval exec execute run shell terminal
    """
)
_LONGEST_PLAIN = 200


@dataclass(frozen=True, slots=True)
class Argument:
    """One value of a call, as a text."""

    name: str
    role: Role
    text: str


def arguments(tool: str, given: object) -> tuple[Argument, ...]:
    """Every value in the input of a call, at any depth, and the names of its members where they are no schema's."""
    found: list[Argument] = []
    further: list[str] = []
    runs = not _RUNNING.isdisjoint(words_of(tool))
    for name, text in _leaves(given):
        if len(found) < MOST_ARGUMENTS:
            found.append(Argument(name, _role(name, text, runs=runs), text))
        else:
            further.append(text)
    return (*found, Argument("", "plain", "\n".join(further))) if further else tuple(found)


def _leaves(given: object) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, object]] = [("", given)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*cast("dict[str, object]", value).items()][::-1]
        elif isinstance(value, list):
            waiting += [(name, item) for item in cast("list[object]", value)][::-1]
        elif isinstance(value, str):
            yield name, value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield name, _number(value)


def _number(value: int | float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _role(name: str, text: str, *, runs: bool) -> Role:
    if name in _QUOTED or name in _HEADINGS:
        return "quoted"
    words = words_of(name)
    last = words[-1] if words else ""
    if last in _COMMAND or (runs and last not in _CONTENT | _TARGET):
        return "command"
    if last in _CONTENT:
        return "content"
    if last in _AMOUNT:
        return "amount"
    is_target = not _TARGET.isdisjoint(words)
    if len(text) > _LONGEST_PLAIN and not is_target:
        return "content"
    return "target" if is_target else "plain"
