"""The shape of the code: small files, small functions, one sentence on each door."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.conftest import Module, nothing

MODULE, CLASS, FUNCTION = 400, 250, 50
TEST_MODULE = 700  # one behaviour after the other: a list may be longer than a thing
VAGUE_FILES = re.compile(r"(^|/|_)(utils?|helpers?|common|misc|managers?)(_|\.py|/)")
VAGUE_CLASSES = re.compile(r"(Utils?|Helper|Manager|Exception)$")


def lines(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def oversized(module: Module) -> Iterator[str]:
    most = TEST_MODULE if module.name.startswith("tests/") else MODULE
    if (length := len(module.text.splitlines())) > most:
        yield f"{module}: {length} lines, at most {most}"
    for node in ast.walk(module.tree):
        match node:
            case ast.ClassDef() if lines(node) > CLASS:
                yield f"{module}:{node.lineno} class {node.name}: {lines(node)} lines, at most {CLASS}"
            case ast.FunctionDef() | ast.AsyncFunctionDef() if lines(node) > FUNCTION:
                yield f"{module}:{node.lineno} {node.name}(): {lines(node)} lines, at most {FUNCTION}"
            case _:
                pass


def first_paragraph(module: Module) -> str:
    return " ".join((ast.get_docstring(module.tree) or "").split("\n\n")[0].split())


def is_one_sentence(text: str) -> bool:
    plain = re.sub(r"`[^`]*`|e\.g\.|i\.e\.", "", text)
    return text.endswith(".") and len(re.findall(r"[.!?](?=\s|$)", plain)) == 1


ANSWERS_FOR_ALL = {  # the frames that have to outlive whatever a part does, each with its reason
    (
        "src/holdfast/agent/toolbox.py",
        "_run",
    ): "a tool is foreign code: its failure is a result for the model to handle",
    ("src/holdfast/gateway/app.py", "_answer"): "a bug costs one answer, not the process; it is announced",
    ("src/holdfast/pipeline.py", "unwind"): "a settle that fails must not keep the others from settling",
    (
        "src/holdfast/policy/masking_values.py",
        "_read",
    ): "the repr of an object to be logged may raise anything",
    (
        "src/holdfast/teams/stage.py",
        "_called",
    ): "a member that is a function is foreign code: its failure is told, and the others may go on",
    (
        "src/holdfast/telemetry/sink.py",
        "_works",
    ): "a stream is foreign code: the line is lost, the process lives on",
}


def swallows_everything(handler: ast.ExceptHandler) -> bool:
    caught = (
        []
        if handler.type is None
        else [node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)]
    )
    is_broad = handler.type is None or bool({"Exception", "BaseException"} & set(caught))
    passes_on = any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    return is_broad and not passes_on


def is_loose_dataclass(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Name(id="dataclass"):
            return True
        case ast.Call(func=ast.Name(id="dataclass"), keywords=keywords):
            said = {
                word.arg
                for word in keywords
                if isinstance(word.value, ast.Constant) and word.value.value is True
            }
            return not {"frozen", "slots"} <= said
        case _:
            return False


def is_untranslated(call: ast.Call) -> bool:
    """A `Sentence(...)` whose Korean is written out in Latin letters alone."""
    if not (isinstance(call.func, ast.Name) and call.func.id == "Sentence"):
        return False
    text = "".join(piece for word in call.keywords if word.arg == "ko" for piece in pieces(word.value))
    return re.search("[A-Za-z]", text) is not None and re.search("[가-힣]", text) is None


def pieces(value: ast.expr) -> list[str]:
    """What is written out in a string, without what is filled in."""
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def test_nothing_is_longer_than_the_house_allows(everything: list[Module]) -> None:
    nothing(finding for module in everything for finding in oversized(module))


def test_a_function_of_51_lines_is_found() -> None:
    text = "def long():\n" + "    pass\n" * FUNCTION
    module = Module(name="planted.py", text=text, tree=ast.parse(text))
    assert list(oversized(module)) == ["planted.py:1 long(): 51 lines, at most 50"]


def test_every_module_says_in_one_sentence_what_it_is(sources: list[Module]) -> None:
    nothing(module.name for module in sources if not is_one_sentence(first_paragraph(module)))


@pytest.mark.parametrize("text", ["", "Two. Sentences.", "no full stop"])
def test_a_docstring_that_is_not_one_sentence_is_found(text: str) -> None:
    assert not is_one_sentence(text)


def test_no_name_is_a_drawer_for_anything(everything: list[Module]) -> None:
    files = [module.name for module in everything if VAGUE_FILES.search(module.name)]
    classes = [
        f"{module}:{node.lineno} {node.name}"
        for module in everything
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef) and VAGUE_CLASSES.search(node.name)
    ]
    nothing(files + classes)


def test_no_handler_swallows_every_exception(sources: list[Module]) -> None:
    nothing(
        f"{module}:{node.lineno} in {function.name}()"
        for module in sources
        for function in ast.walk(module.tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        and (module.name, function.name) not in ANSWERS_FOR_ALL
        for node in ast.walk(function)
        if isinstance(node, ast.ExceptHandler) and swallows_everything(node)
    )


def test_values_of_policy_and_wire_are_frozen_and_slotted(sources: list[Module]) -> None:
    nothing(
        f"{module}:{node.lineno} {node.name}"
        for module in sources
        if module.name.startswith(("src/holdfast/policy/", "src/holdfast/wire/"))
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        and not node.name.startswith("_")
        and any(is_loose_dataclass(mark) for mark in node.decorator_list)
    )


def test_every_korean_sentence_is_written_in_korean(sources: list[Module]) -> None:
    nothing(
        f"{module}:{node.lineno}"
        for module in sources
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and is_untranslated(node)
    )


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ('Sentence("Stop.", ko="Stop.")', True),
        ('Sentence(f"{n} s", ko=f"{n} s")', True),
        ('Sentence("Stop.", ko="멈춤.")', False),
        ('Sentence(f"${usd}", ko=f"${usd:f}")', False),
        ("Sentence(text, ko=text)", False),
    ],
)
def test_korean_in_latin_letters_alone_is_found(call: str, *, expected: bool) -> None:
    (found,) = (node for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Call))
    assert is_untranslated(found) is expected
