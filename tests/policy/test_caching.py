"""Which answers may be given again: names that mean what was asked, and a shelf with an end."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from holdfast.errors import ConfigError
from holdfast.policy.caching import (
    Asker,
    CacheConfig,
    Scope,
    Shelf,
    Stored,
    cosine,
    fingerprint,
    is_personal,
    may_be_asked,
    may_be_kept,
    question,
)
from holdfast.wire.messages import read_request

SECRET = b"s" * 32
CONFIG = CacheConfig(enabled=True)
ALICE = Asker(key="web", user="alice")
BODY: Mapping[str, Any] = {
    "model": "m",
    "max_tokens": 100,
    "temperature": 0.5,
    "system": "Be kind.",
    "messages": [{"role": "user", "content": "Hello"}],
}
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6, allow_nan=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(words.filter(lambda name: name not in ("stream", "metadata")), values, max_size=5)
names = st.none() | st.sampled_from(["a", "b", 'a","b', "a\0b", ""])
askers = st.builds(
    Asker,
    key=names.filter(lambda name: name is not None),
    user=names,
    run=names,
    credential=names,
    query=st.sampled_from(["", "beta=true"]),
    headers=st.sampled_from([(), (("anthropic-beta", "x"),), (("anthropic-version", "2023-06-01"),)]),
)


def name(document: Mapping[str, Any] = BODY, asker: Asker = ALICE, config: CacheConfig = CONFIG) -> str:
    return fingerprint(SECRET, config, asker, document)


def same(one: object, other: object) -> bool:
    """Whether two values of JSON mean the same, told apart the slow way."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        mine, yours = cast("dict[str, object]", one), cast("dict[str, object]", other)
        return mine.keys() == yours.keys() and all(same(mine[key], yours[key]) for key in mine)
    if isinstance(one, list) and isinstance(other, list):
        left, right = cast("list[object]", one), cast("list[object]", other)
        return len(left) == len(right) and all(map(same, left, right))
    return one == other


def shuffled(value: object) -> object:
    """The same with every object turned round, and whole numbers written as floats."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {key: shuffled(members[key]) for key in reversed(members)}
    if isinstance(value, list):
        return [shuffled(one) for one in cast("list[object]", value)]
    return float(value) if type(value) is int and abs(value) < 2**50 else value


@given(documents)
def test_order_and_writing_make_no_difference(document: dict[str, Any]) -> None:
    turned = json.loads(json.dumps(shuffled(document), indent=3))
    assert name(turned) == name(document)


@given(documents, documents)
def test_two_bodies_have_one_name_if_and_only_if_they_mean_the_same(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert (name(one) == name(other)) is same(one, other)


@given(st.sampled_from([*BODY, "top_p"]), values)
def test_a_change_of_any_member_changes_the_name(member: str, value: Any) -> None:
    assume(not same(value, BODY.get(member, ())))
    assert name({**BODY, member: value}) != name()


@given(askers, askers, st.sampled_from(["user", "key", "run"]))
def test_no_two_tenants_ever_share_a_name(one: Asker, other: Asker, scope: Scope) -> None:
    config = CacheConfig(scope=scope)
    if name(asker=one, config=config) == name(asker=other, config=config):
        assert (one.key, one.credential) == (other.key, other.credential)
        assert (one.query, one.headers) == (other.query, other.headers)
        assert scope != "user" or one.user == other.user
        assert scope != "run" or one.run == other.run


def test_only_the_secret_makes_names() -> None:
    assert fingerprint(b"t" * 32, CONFIG, ALICE, BODY) != name()
    assert fingerprint(SECRET, CONFIG, ALICE, BODY, "other rules") != name()


def test_the_same_scope_shares() -> None:
    bob = replace(ALICE, user="bob", run="r")
    assert name(asker=bob) != name()
    assert name(asker=bob, config=CacheConfig(scope="key")) == name(config=CacheConfig(scope="key"))
    assert name(config=CacheConfig(scope="key")) != name(config=CacheConfig(scope="run"))


def test_a_stream_and_who_asks_are_no_part_of_the_question() -> None:
    asked = {**BODY, "stream": True, "metadata": {"user_id": "alice"}}
    assert name(asked) == name()
    assert name({**BODY, "metadata": {"user_id": "a", "more": 1}}) == name({**BODY, "metadata": {"more": 1}})
    assert name({**BODY, "metadata": {"more": 1}}) != name()
    assert name({**BODY, "metadata": "odd"}) != name()


def test_headers_count_by_what_they_mean() -> None:
    betas = (("anthropic-beta", "b, a"), ("x-stainless-os", "Linux"), ("anthropic-version", "2023-06-01"))
    again = (("anthropic-version", "2023-06-01"), ("anthropic-beta", "a"), ("anthropic-beta", "b,,a"))
    assert name(asker=replace(ALICE, headers=betas)) == name(asker=replace(ALICE, headers=again))
    assert name(asker=replace(ALICE, headers=betas)) != name()


KEPT_OR_NOT: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({}, {}, True),
    ({"container": "c_1"}, {"tainted": True}, False),
    ({"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, {}, False),
    ({"tools": [{"type": "web_search_20260209", "name": "web_search"}]}, {"tainted": True}, True),
    ({"mcp_servers": [{"url": "https://example.com"}]}, {}, False),
    ({"tools": [{"name": "own", "input_schema": {}}]}, {}, True),
    ({}, {"only_deterministic": True}, False),
    ({"temperature": 0}, {"only_deterministic": True}, True),
    ({"temperature": 0.0}, {"only_deterministic": True}, True),
]


@pytest.mark.parametrize(("more", "config", "may"), KEPT_OR_NOT)
def test_what_looks_things_up_or_goes_on_elsewhere_is_not_kept(
    more: dict[str, Any], config: dict[str, Any], may: bool
) -> None:
    document = {**BODY, **more}
    request = read_request(json.dumps(document).encode())
    assert may_be_asked(CacheConfig(**config), request, document) is may


@pytest.mark.parametrize(
    ("reason", "may"),
    [
        ("end_turn", True),
        ("stop_sequence", True),
        ("tool_use", False),
        ("max_tokens", False),
        ("refusal", False),
        ("pause_turn", False),
        ("model_context_window_exceeded", False),
        (None, False),
    ],
)
def test_only_what_came_to_its_end_is_kept(reason: str | None, may: bool) -> None:
    assert may_be_kept(CONFIG, reason) is may
    assert may_be_kept(CacheConfig(tool_calls=True), reason) is (may or reason == "tool_use")


def test_what_names_a_user_is_not_shared_among_users() -> None:
    assert is_personal(CacheConfig(scope="key"), ALICE)
    assert not is_personal(CacheConfig(scope="key"), Asker(key="web"))
    assert not is_personal(CacheConfig(scope="key", personalised=True), ALICE)
    assert not is_personal(CONFIG, ALICE)


QUESTIONS: list[tuple[Any, str | None]] = [
    ([{"role": "user", "content": "Hi"}], "Hi"),
    (
        [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
        "a\nb",
    ),
    ([{"role": "user", "content": [{"type": "image"}]}], None),
    ([{"role": "user", "content": []}], None),
    ([{"role": "user", "content": 7}], None),
    ([{"role": "assistant", "content": "Hi"}], None),
    ([], None),
    ("Hi", None),
]


@pytest.mark.parametrize(("messages", "text"), QUESTIONS)
def test_a_question_is_what_the_user_typed_last(messages: Any, text: str | None) -> None:
    found = question({"messages": messages})
    assert (None if found is None else found[0]) == text


def test_questions_after_the_same_words_differ_in_nothing_else() -> None:
    def rest(last: str, first: str = "A") -> object:
        found = question(
            {"m": 1, "messages": [{"role": "x", "content": first}, {"role": "user", "content": last}]}
        )
        assert found is not None
        return found[1]

    assert rest("one") == rest("two")
    assert rest("one") != rest("one", "B")


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [((1, 0), (2, 0), 1.0), ((1, 0), (0, 1), 0.0), ((1, 0), (-1, 0), -1.0), ((), (), 0.0)],
)
def test_what_points_the_same_way_means_the_same(
    one: tuple[float, ...], other: tuple[float, ...], alike: float
) -> None:
    assert cosine(one, other) == pytest.approx(alike)


@pytest.mark.parametrize(
    "wrong",
    [{"ttl": 0}, {"max_entries": 0}, {"max_bytes": 0}, {"max_answer": 0}, {"wait": -1}, {"wait": 601}],
)
def test_a_bound_that_makes_no_sense_is_refused_in_both_languages(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        CacheConfig(**wrong)
    assert next(iter(wrong)) in caught.value.say("en")
    assert caught.value.say("ko") != caught.value.say("en")


def answer(size: int = 1, at: float = 0.0, seconds: float = 10.0) -> Stored:
    return Stored(message=b"x" * size, at=at, seconds=seconds)


def test_an_answer_is_as_old_as_it_is() -> None:
    assert answer(at=5.0).age(7.5) == 2.5
    assert answer(at=5.0).age(1.0) == 0.0
    assert answer().is_fresh(9.9)
    assert not answer().is_fresh(10.0)


def test_one_that_is_larger_than_the_shelf_is_not_kept() -> None:
    shelf = Shelf(max_entries=9, max_bytes=10)
    shelf.keep("a", answer(9))
    shelf.keep("b", answer(10))
    assert (shelf.find("a", now=0.0), shelf.find("b", now=0.0)) == (answer(9), None)
    shelf.forget("nobody")
    assert (len(shelf), shelf.size) == (1, 10)


class ShelfMachine(RuleBasedStateMachine):
    """A shelf beside a list of what was used last."""

    def __init__(self) -> None:
        super().__init__()
        self.shelf = Shelf(max_entries=3, max_bytes=30)
        self.model: OrderedDict[str, Stored] = OrderedDict()
        self.now = 0.0

    @rule(name=st.sampled_from("abcde"), size=st.integers(1, 32), seconds=st.sampled_from([1.0, 5.0, 50.0]))
    def keep(self, name: str, size: int, seconds: float) -> None:
        kept = answer(size, self.now, seconds)
        self.shelf.keep(name, kept)
        self.model.pop(name, None)
        if size + 1 <= 30:
            self.model[name] = kept
        while len(self.model) > 3 or sum(len(one.message) + 1 for one in self.model.values()) > 30:
            self.model.popitem(last=False)

    @rule(name=st.sampled_from("abcde"))
    def find(self, name: str) -> None:
        known = self.model.get(name)
        if known is not None and self.now >= known.at + known.seconds:
            del self.model[name]
            known = None
        if known is not None:
            self.model.move_to_end(name)
        assert self.shelf.find(name, now=self.now) == known

    @rule(seconds=st.floats(0.1, 10.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def it_is_as_large_as_what_it_holds(self) -> None:
        assert len(self.shelf) == len(self.model)
        assert self.shelf.size == sum(len(one.message) + 1 for one in self.model.values()) <= 30


TestShelf = ShelfMachine.TestCase
