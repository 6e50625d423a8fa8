"""Every row of requirements.toml has a test, and every test that claims a row names one that exists."""

import ast
import tomllib
from pathlib import Path

from tests.house.conftest import Proofs, marks


def test_no_test_proves_a_requirement_that_nobody_wrote_down(proofs: Proofs) -> None:
    assert {id: names for id, names in proofs.carried.items() if id not in proofs.rows} == {}


def test_the_whole_suite_proves_every_requirement(proofs: Proofs, *, is_whole_run: bool) -> None:
    assert not is_whole_run or proofs.missing == []


def test_every_row_has_an_id_of_its_own_a_sentence_and_a_source(root: Path) -> None:
    rows = tomllib.loads((root / "tests" / "requirements.toml").read_text(encoding="utf-8"))["requirement"]
    assert len({row["id"] for row in rows}) == len(rows)
    assert [row for row in rows if not (row["sentence"].endswith(".") and row["source"])] == []


def test_a_mark_is_found_on_a_function_a_class_a_module_and_a_parameter() -> None:
    text = """
pytestmark = pytest.mark.requirement("a")
@pytest.mark.requirement("b")
def test_it(): ...
@pytest.mark.requirement("c")
class TestIt: ...
case = pytest.param(1, marks=pytest.mark.requirement("d"))
"""
    assert sorted(marks(ast.parse(text))) == ["a", "b", "c", "d"]
