"""How long it takes to refuse a key tells nothing about the keys there are: shown by the source, and by the clock."""

import ast
import random
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from time import thread_time_ns

import pytest

import holdfast
from holdfast.policy.keys import KeyRecord, hashed, minted, verify

SOURCES = Path(holdfast.__file__).parent
SECRETS = frozenset(
    {"hash", "_token", "digest", "token", "secret", "_secret", "signature", "_signature", "pepper"}
)
"""What members and names are called that hold something to be kept secret, or a digest of it."""
COMPARING = {  # places that compare keys and tokens
    "admin/access.py",
    "operations/key_ring.py",
    "policy/keys.py",
    "stores/answers_redis.py",
}
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PEPPER = b"p" * 32
ROUNDS, KEYS = 400, 50


def comparing() -> dict[str, ast.Module]:
    """Every module that compares in constant time; the simulator has nothing to hide."""
    sources = {
        path.relative_to(SOURCES).as_posix(): path.read_text("utf-8") for path in SOURCES.rglob("*.py")
    }
    return {
        name: ast.parse(source)
        for name, source in sources.items()
        if "compare_digest" in source and not name.startswith("simulator/")
    }


def secret_name(node: ast.expr) -> str | None:
    """The name of what an expression yields, if that is a secret."""
    match node:
        case ast.Attribute(attr=name) | ast.Name(id=name) if name in SECRETS:
            return name
        case ast.Call(func=ast.Attribute(value=value, attr="encode" | "hexdigest" | "digest")):
            return secret_name(value)
        case _:
            return None


def plain_comparisons(tree: ast.Module) -> Iterator[str]:
    """Comparisons for equality with a secret on either side, other than with nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = (node.left, *node.comparators)
            if any(secret_name(side) for side in sides) and not any(
                isinstance(side, ast.Constant) and side.value in (None, "", b"") for side in sides
            ):
                yield f"{node.lineno} {ast.unparse(node)}"


@pytest.mark.requirement("keys:constant-time")
def test_who_compares_secrets_does_it_in_constant_time_and_never_besides() -> None:
    found = comparing()
    assert found.keys() >= COMPARING
    assert {name: [*plain_comparisons(tree)] for name, tree in found.items()} == {name: [] for name in found}


@pytest.mark.parametrize(
    "source",
    ["record.hash == digest", "self._token != given", "digest.encode() == x", "a.digest() == secret"],
)
def test_a_plain_comparison_of_a_secret_is_found(source: str) -> None:
    assert [*plain_comparisons(ast.parse(source))]


def key_record(number: int, key: str) -> KeyRecord:
    return KeyRecord(
        id=f"key_{number}", name=f"k{number}", hash=hashed(key, PEPPER), prefix="", created_at=NOW
    )


def key_of(number: int) -> str:
    return minted(number.to_bytes(32, "big"))


def nearly(digest: str, place: int) -> str:
    """A digest that is wrong in one letter."""
    letter = "0" if digest[place] != "0" else "1"
    return digest[:place] + letter + digest[place + 1 :]


def test_a_digest_that_is_wrong_at_its_end_takes_as_long_as_one_that_is_wrong_at_its_beginning() -> None:
    """Measured in turns, in random order: the difference of the medians stays within what chance makes of it."""
    presented, dice = key_of(1), random.Random(7)
    digest = hashed(presented, PEPPER)
    kinds = {
        place: [
            KeyRecord(
                id=f"key_{place}_{number}", name="k", hash=nearly(digest, place), prefix="", created_at=NOW
            )
            for number in range(KEYS)
        ]
        for place in (0, len(digest) - 1)
    }
    assert difference(presented, kinds, dice) < 0.05


def test_a_key_that_is_there_takes_as_long_first_as_last() -> None:
    """Nobody stops at the first that fits: the place of a key among the others does not show."""
    presented, dice = key_of(1), random.Random(7)
    others = [key_record(number, key_of(number)) for number in range(2, KEYS + 1)]
    mine = key_record(1, presented)
    assert difference(presented, {0: [mine, *others], 1: [*others, mine]}, dice) < 0.05


def difference(presented: str, kinds: dict[int, list[KeyRecord]], dice: random.Random) -> float:
    """By which part the slower kind takes longer, at the least of three series: a busy machine only ever adds."""
    return min(_difference(presented, kinds, dice) for _ in range(3))


def _difference(presented: str, kinds: dict[int, list[KeyRecord]], dice: random.Random) -> float:
    taken: dict[int, list[int]] = {kind: [] for kind in kinds}
    for _ in range(ROUNDS):
        for kind in dice.sample(sorted(kinds), len(kinds)):
            started = thread_time_ns()
            verify(presented, kinds[kind], PEPPER, NOW)
            taken[kind].append(thread_time_ns() - started)
    first, second = (statistics.median(times) for times in taken.values())
    return abs(first - second) / min(first, second)
