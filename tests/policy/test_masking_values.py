"""What masking does to values."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.policy.masking import MaskingConfig, mask_value


@dataclass
class Account:
    user: str
    password: str
    attempts: int = 0


class Pair(NamedTuple):
    user: str
    api_key: str


class Mute:
    def __repr__(self) -> str:
        raise LookupError("no")


class Silent(Exception):
    def __str__(self) -> str:
        raise LookupError("no")


def test_secrets_vanish_at_any_depth() -> None:
    value = {"a": [{"b": ({"db_password": "x", "max_tokens": 4096},)}]}
    assert mask_value(value) == {"a": [{"b": ({"db_password": "[secret]", "max_tokens": 4096},)}]}


def test_counts_of_tokens_are_no_secrets() -> None:
    value = {"total_tokens": 123, "input_tokens": 5, "token_count": 7, "max_tokens": 9, "token": 11}
    assert mask_value(value) == value


def test_keys_are_masked_like_values_and_stay_apart() -> None:
    masked = mask_value({"a@example.com": 1, "b@example.com": 2, "c@example.com": 3, 5: 6, (1, "x"): 7})
    assert masked == {"[email]": 1, "[email]#2": 2, "[email]#3": 3, 5: 6, "(1, 'x')": 7}


def test_everything_under_a_secret_name_is_secret() -> None:
    value = {"credentials": {"user": "bob", "ids": ["x"], "n": 5}, "password": 1234, "secret": None}
    assert mask_value(value) == {
        "credentials": {"user": "[secret]", "ids": ["[secret]"], "n": 5},
        "password": "[secret]",
        "secret": None,
    }


def test_a_shy_name_hides_only_what_looks_like_a_secret() -> None:
    assert mask_value({"auth": "basic"}) == {"auth": "basic"}
    assert mask_value({"auth": "a1b2c3d4"}) == {"auth": "[secret]"}


def test_names_told_beside_their_values_count() -> None:
    assert mask_value({"name": "DB_PASSWORD", "value": "x"}) == {"name": "DB_PASSWORD", "value": "[secret]"}
    assert mask_value({"name": "colour", "value": "red"}) == {"name": "colour", "value": "red"}
    assert mask_value([("x-api-key", "a1b2c3"), [b"x-api-key", b"a1b2c3"]]) == [
        ("x-api-key", "[secret]"),
        [b"x-api-key", b"[secret]"],
    ]
    assert mask_value(["password", "username"]) == ["password", "username"]


def test_dataclasses_named_tuples_sets_and_other_mappings_are_walked() -> None:
    assert mask_value(Account("bob", "x")) == {"user": "bob", "password": "[secret]", "attempts": 0}
    assert mask_value(Pair("bob", "x")) == {"user": "bob", "api_key": "[secret]"}
    assert mask_value({"a@example.com", "b"}) == {"[email]", "b"}
    assert mask_value(OrderedDict([("pwd", "x")])) == {"pwd": "[secret]"}
    assert mask_value(frozenset({Pair("bob", "x")})) == [{"user": "bob", "api_key": "[secret]"}]


def test_bytes_exceptions_and_objects_become_masked_text() -> None:
    assert mask_value(b"a@example.com \xff") == b"[email] \\xff"
    assert mask_value(ValueError("password=hunter2!")) == "ValueError: password=[secret]"
    assert mask_value(Silent()) == "Silent: (cannot be shown)"
    assert mask_value(Mute()) == "(cannot be shown)"
    assert mask_value(Account) == repr(Account)


def test_a_cycle_in_a_value_ends() -> None:
    value: dict[str, object] = {"n": 1}
    value["self"] = [value]
    assert mask_value(value) == {"n": 1, "self": ["[cycle]"]}


def test_the_same_value_twice_is_no_cycle() -> None:
    shared = {"n": 1}
    assert mask_value([shared, shared]) == [shared, shared]


def test_depth_is_bounded() -> None:
    value: object = "end"
    for _ in range(5_000):
        value = [value]
    masked = mask_value(value)
    depth = 0
    while isinstance(masked, list):
        masked = cast("list[object]", masked)[0]
        depth += 1
    assert (depth, masked) == (32, "[deep]")


def test_size_is_bounded() -> None:
    assert len(cast("list[object]", mask_value(list(range(50_000))))) <= 10_000
    masked = cast("dict[object, object]", mask_value({str(n): n for n in range(50_000)}))
    assert len(masked) <= 10_001
    assert masked["[cut]"] == "[cut]"


def test_only_the_kinds_asked_for_are_masked() -> None:
    config = MaskingConfig(kinds=frozenset({"email"}))
    assert mask_value({"password": "x", "mail": "a@example.com"}, config) == {
        "password": "x",
        "mail": "[email]",
    }


def test_names_of_the_house_are_secret_whatever_their_case() -> None:
    assert mask_value({"Employee_No": 5}, MaskingConfig(names=frozenset({"employee_no"}))) == {
        "Employee_No": "[secret]"
    }


values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=10), st.binary(max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["password", "token", "auth", "name", "value", "a@b.co", "x"]), inner, max_size=4),
    ),
    max_leaves=15,
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(values)
def test_masking_a_value_twice_changes_nothing(value: object) -> None:
    once = mask_value(value)
    assert mask_value(once) == once
