"""Every regular expression of the package on texts made to run it into the ground: time grows with the text."""

import ast
import importlib
import math
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from time import thread_time
from typing import Any, cast

import pytest

import holdfast

Pattern = re.Pattern[Any]
SOURCES = Path(holdfast.__file__).parent
SEARCHING = frozenset({"search", "finditer", "findall", "sub", "subn", "split"})
SHORT, LONG = 1_000, 16_000
SUSPICIOUS = 0.003
"""Seconds of processor time for 2,048 characters: a linear expression takes a tenth, a quadratic one ten times that."""
STEEPEST = 1.6
"""Power of the length with which time may grow; 1 is linear, 2 quadratic."""
ENOUGH = 2.0
LETTERS = "aA1 -_.@/=:;,\"'<>[({\\\n가\u200b+%&!?*\t"
PAIRS = (
    "a ",
    "a.",
    "a-",
    "1.",
    "1 ",
    " a",
    ".a",
    "a=",
    "a:",
    'a"',
    "-1",
    "a@",
    "<a",
    "a/",
    "[a",
    "\\a",
    "\\\\",
    "a\n",
)

OURS_ALONE = ("holdfast.simulator", "holdfast.training", "holdfast.testing")
"""No stranger writes to these."""
DELIBERATE = {  # never shown to a stranger's text, or to a long one
    "holdfast.policy.alert_rules._COMPARED": "reads the rules of the operator, once",
    "holdfast.policy.expressions._TOKEN": "reads the rules of the operator, once",
    "holdfast.policy.alert_rules._FOR": "reads the rules of the operator, once",
    "holdfast.policy.withholding._TWO_SCRIPTS": "is shown 1,000 characters",
    "holdfast.policy.leak._LAST_WORD": "is shown the last 64 characters of a text",
    "holdfast.policy.masking_findings._AFTER_NAME": "is shown 64 characters",
    "holdfast.policy.masking_findings._LAST_QUOTE": "is shown 256 characters",
    "holdfast.policy.masking_names._PLACEHOLDER": "is shown 256 characters",
}


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if not found.name.endswith("__main__") and not found.name.startswith(OURS_ALONE):
            yield found.name


def patterns_in(value: object, depth: int = 0) -> Iterator[Pattern]:
    """The expressions in a value of a module, however it keeps them."""
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 5:
        for member in members_of(value):
            yield from patterns_in(member, depth + 1)


def members_of(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        yield from cast("Mapping[object, object]", value).items()
    elif isinstance(value, tuple | list | set | frozenset):
        yield from cast("tuple[object, ...]", value)
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (getattr(value, spec.name, None) for spec in fields(value))


def every_pattern() -> Mapping[Pattern, str]:
    """All expressions of the package, and where each is kept."""
    found: dict[Pattern, str] = {}
    for name in modules():
        members: dict[str, object] = dict(vars(importlib.import_module(name)))
        for member, value in members.items():
            if isinstance(value, type) and value.__module__ == name:
                value = tuple(vars(value).values())
            for pattern in patterns_in(value):
                found.setdefault(pattern, f"{name}.{member}")
    return found


def places_searched_with() -> frozenset[str]:
    """Expressions that look for a match anywhere; the others are held against the beginning."""
    return frozenset(
        f"{module_name(name)}.{node.value.id}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in SEARCHING and isinstance(node.value, ast.Name)
    )


def module_name(path: str) -> str:
    return "holdfast." + path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def is_searched(place: str, searched: frozenset[str]) -> bool:
    """What is public, or kept in a table, may be used anywhere and in any way."""
    return place in searched or not place.rpartition(".")[2].startswith("_")


def pumps(pattern: Pattern) -> Iterator[str]:
    """What is repeated: letters of every class, and the words of the expression with what may follow them."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    words = list(dict.fromkeys(re.findall(r"(?<!\\)[A-Za-z가-힣]{3,}", source)))[:3]
    yield from (*LETTERS, *PAIRS, *words)
    yield from (f"{word}{letter}" for word in words for letter in " =")


def seconds(pattern: Pattern, pump: str, length: int, *, anywhere: bool) -> float:
    """Processor time on `length` characters that begin like a match and end unlike one."""
    repeated = (pump * (length // len(pump) + 1))[:length] + "\0"
    text: Any = repeated.encode() if isinstance(pattern.pattern, bytes) else repeated
    started = thread_time()
    if anywhere:
        pattern.subn("" if isinstance(pattern.pattern, str) else b"", text)
    else:
        pattern.fullmatch(text)
        pattern.match(text)
    return thread_time() - started


def least(take: Callable[[], float], *, at_most: float, times: int) -> float:
    """The least of so many measurements, or the first that is no more than that: a busy machine only ever adds."""
    taken = take()
    for _ in range(times - 1):
        if taken <= at_most or taken > ENOUGH:
            break
        taken = min(taken, take())
    return taken


def growth(pattern: Pattern, pump: str, *, anywhere: bool) -> float:
    """The power of the length with which time grows; of both lengths the least of three times counts."""

    def at(length: int) -> float:
        def take() -> float:
            return seconds(pattern, pump, length, anywhere=anywhere)

        return least(take, at_most=0.0, times=3)

    short = at(SHORT)
    if short > ENOUGH:
        return math.inf
    long = at(LONG)
    if long > ENOUGH * 4:
        return math.inf
    return math.log(long / max(short, 1e-6)) / math.log(LONG / SHORT)


def runs_away(pattern: Pattern, *, anywhere: bool) -> str | None:
    """A text on which an expression takes more than linear time, if one of ours does."""
    for pump in pumps(pattern):
        for length in (20, 64, 256, 2_048):
            take = partial(seconds, pattern, pump, length, anywhere=anywhere)
            if least(take, at_most=SUSPICIOUS, times=5) > SUSPICIOUS:
                if length < 2_048 or growth(pattern, pump, anywhere=anywhere) > STEEPEST:
                    return repr(pump)
                break
    return None


@pytest.mark.requirement("hostile:expressions")
def test_no_expression_takes_more_time_than_its_text_is_long() -> None:
    searched = places_searched_with()
    found = every_pattern()
    assert len(found) > 150
    slow = {
        place: pump
        for pattern, place in found.items()
        if place not in DELIBERATE
        and (pump := runs_away(pattern, anywhere=is_searched(place, searched))) is not None
    }
    assert slow == {}


@pytest.mark.parametrize("source", [r"(\w+\s?)*$", r"(a+)+$", r"(a|a)*c", r"\s+$"])
def test_an_expression_that_runs_away_is_found(source: str) -> None:
    assert runs_away(re.compile(source), anywhere=True) is not None


def test_a_machine_that_was_busy_for_a_moment_raises_no_alarm() -> None:
    taken = iter((0.5, 0.02, 0.001))
    assert least(lambda: next(taken), at_most=SUSPICIOUS, times=5) == 0.001
    assert least(lambda: 0.5, at_most=SUSPICIOUS, times=5) == 0.5


def test_an_expression_that_does_not_is_not() -> None:
    for source in (r"a{1,20}b", r"(?<![a-z])[a-z]{1,30}=", r"[0-9]"):
        assert runs_away(re.compile(source), anywhere=True) is None
    assert runs_away(re.compile(r"a+b"), anywhere=False) is None


CALLS = {  # what turns data into code or into objects of any kind
    *(
        "eval",
        "exec",
        "compile",
        "__import__",
        "marshal.loads",
        "marshal.load",
        "pickle.loads",
        "pickle.load",
    ),
    *("yaml.load", "yaml.unsafe_load", "shelve.open", "os.system", "os.popen", "dill.loads", "numpy.load"),
}
MODULES = frozenset({"pickle", "cPickle", "marshal", "shelve", "dill", "yaml", "jsonpickle", "ctypes"})
COMPILING = {  # each builds the source of an expression where it runs, from more than its own words
    "policy/expressions.py": "puts a ceiling on every repeat of an operator's rule, and refuses the rest",
    "policy/inspection.py": "canaries, escaped letter by letter",
    "policy/masking_quotes.py": "quotes of a fixed set",
    "policy/masking_tokens.py": "prefixes, escaped",
    "policy/route.py": "words of an operator's rule, escaped",
    "policy/taint.py": "words, escaped",
}


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(SOURCES.rglob("*.py")):
        yield path.relative_to(SOURCES).as_posix(), ast.parse(path.read_text("utf-8"))


@pytest.mark.requirement("hostile:no-code")
def test_nothing_turns_data_into_code() -> None:
    found = [
        f"{name}:{node.lineno} {called(node)}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and (called(node) in CALLS or any(word.arg == "shell" for word in node.keywords))
    ]
    found += [
        f"{name}:{node.lineno} import"
        for name, tree in trees()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Import) and MODULES & {alias.name for alias in node.names})
        or (isinstance(node, ast.ImportFrom) and node.module in MODULES)
    ]
    assert found == []


def test_no_expression_is_compiled_from_what_somebody_else_wrote() -> None:
    found = [
        f"{name}:{node.lineno} {ast.unparse(node)}"
        for name, tree in trees()
        if name not in COMPILING
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and called(node) == "re.compile"
        and not isinstance(node.args[0], ast.Constant)
    ]
    assert found == []
