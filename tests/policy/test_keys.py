"""Keys: made of bytes, told apart from typos, and known again by what is kept of them."""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.keys import (
    PREFIX,
    TOKEN_BYTES,
    KeyFault,
    KeyLimits,
    KeyRecord,
    KeyScope,
    Rotation,
    decoded,
    encoded,
    ends_at,
    hashed,
    is_whole,
    minted,
    shown,
    standing,
    verify,
)

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PEPPER = b"a pepper of sixteen"
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TOKENS = st.binary(min_size=TOKEN_BYTES, max_size=TOKEN_BYTES)


def key(number: int) -> str:
    return minted(number.to_bytes(TOKEN_BYTES))


def record(number: int = 1, **changes: Any) -> KeyRecord:
    made = KeyRecord(
        id=f"key_{number}",
        name=f"caller {number}",
        hash=hashed(key(number), PEPPER),
        prefix=shown(key(number)),
        created_at=NOW - timedelta(days=30),
    )
    return replace(made, **changes)


@given(TOKENS)
def test_every_32_bytes_make_a_whole_key_of_letters_that_need_no_quotes(token: bytes) -> None:
    made = minted(token)

    assert is_whole(made)
    assert made.startswith(PREFIX)
    assert len(made) == len(PREFIX) + 49
    assert set(made.removeprefix(PREFIX)) <= set(LETTERS)


@given(TOKENS, TOKENS)
def test_other_bytes_make_another_key(one: bytes, other: bytes) -> None:
    assert (minted(one) == minted(other)) == (one == other)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_fewer_or_more_bytes_is_never_made(length: int) -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        minted(bytes(length))


@given(TOKENS, st.integers(min_value=len(PREFIX), max_value=len(PREFIX) + 48), st.sampled_from(LETTERS))
def test_one_wrong_letter_is_always_noticed(token: bytes, place: int, letter: str) -> None:
    made = minted(token)
    typed = made[:place] + letter + made[place + 1 :]

    assert is_whole(typed) == (typed == made)


@given(TOKENS, st.integers(min_value=len(PREFIX), max_value=len(PREFIX) + 47))
def test_two_letters_in_the_wrong_order_are_always_noticed(token: bytes, place: int) -> None:
    made = minted(token)
    typed = made[:place] + made[place + 1] + made[place] + made[place + 2 :]

    assert is_whole(typed) == (typed == made)


@pytest.mark.parametrize(
    "typed", ["", PREFIX, key(1)[:-1], key(1) + "0", f" {key(1)}", f"{key(1)}\n", key(1).upper(), "키" * 57]
)
def test_what_is_cut_off_or_adorned_is_no_whole_key(typed: str) -> None:
    assert not is_whole(typed)


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        (key(1)[:-1], "mistyped"),
        (f"{PREFIX}é\udcff", "mistyped"),
        ("sk-ant-api03-abc", "unknown"),
        ("", "unknown"),
        (key(2), "unknown"),
    ],
)
def test_a_typo_is_told_apart_from_a_strange_key(typed: str, fault: KeyFault) -> None:
    assert verify(typed, [record(1)], PEPPER, NOW) == fault


def test_a_key_is_known_under_its_own_pepper_only() -> None:
    assert verify(key(1), [record(1)], PEPPER, NOW) == record(1)
    assert verify(key(1), [record(1)], b"another pepper!!", NOW) == "unknown"


def test_what_is_kept_gives_the_key_away_to_nobody() -> None:
    kept = encoded(record(1)).decode()

    assert key(1) not in kept
    assert key(1)[len(PREFIX) + 4 :] not in kept
    assert shown(key(1)) == key(1)[8:12]


@dataclass(frozen=True)
class Story:
    """When a key ends, in seconds from now, by each of the ways it can."""

    expires: int | None
    revoked: bool
    followed: tuple[int, ...]


STORIES = st.builds(
    Story,
    expires=st.none() | st.integers(-3, 3),
    revoked=st.booleans(),
    followed=st.lists(st.integers(-3, 3), max_size=3).map(tuple),
)


@given(STORIES)
def test_a_key_stands_as_its_story_says(story: Story) -> None:
    at = {seconds: NOW + timedelta(seconds=seconds) for seconds in range(-3, 4)}
    old = record(
        1,
        expires_at=None if story.expires is None else at[story.expires],
        revoked_at=NOW if story.revoked else None,
    )
    followers = [
        record(number, rotates=Rotation(id=old.id, until=at[seconds]))
        for number, seconds in enumerate(story.followed, start=2)
    ]
    ends = [seconds for seconds in (story.expires, *story.followed) if seconds is not None]
    expected: object = old
    if story.revoked:
        expected = "revoked"
    elif any(seconds <= 0 for seconds in ends):
        expected = "expired"

    assert verify(key(1), [*followers, old], PEPPER, NOW) == expected
    assert standing(old, followers, NOW) == expected
    assert ends_at(old, followers) == (at[min(ends)] if ends else None)


@given(
    st.lists(st.sampled_from(["messages", "admin:read", "admin:write"]), min_size=1, unique=True),
    st.none() | st.text(max_size=5),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2),
)
def test_a_record_comes_back_from_the_register_as_it_went(
    scopes: list[KeyScope], user: str | None, tags: dict[str, str]
) -> None:
    kept = record(
        1,
        scopes=tuple(scopes),
        user=user,
        tags=tags,
        models=("claude-opus-5-5",),
        expires_at=NOW,
        revoked_at=NOW,
        rotates=Rotation(id="key_0", until=NOW),
    )

    assert decoded(encoded(kept)) == kept


def test_a_key_without_models_may_ask_for_any_and_one_with_models_for_these() -> None:
    assert record().may_ask_for("claude-opus-5-5")
    assert record(models=("a", "b")).may_ask_for("b")
    assert not record(models=("a", "b")).may_ask_for("c")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"scopes": ()}, "scopes"),
        ({"scopes": ("everything",)}, "scopes"),
        ({"expires_at": NOW - timedelta(days=30)}, "expires_at"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        record(**changes)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        encoded(record()).replace(b'"id"', b'"ID"'),
        encoded(record()).replace(b"12:00:00Z", b"12:00:00"),
    ],
)
def test_a_document_that_is_no_key_says_what_to_do(body: bytes) -> None:
    with pytest.raises(ConfigError, match="holdfast keys revoke"):
        decoded(body)


def test_a_key_without_limits_brings_none_along() -> None:
    assert KeyLimits().quotas("ci") == {}
    assert KeyLimits().budgets("ci") == {}


def test_the_limits_of_a_key_are_a_quota_and_a_budget_of_its_name() -> None:
    limits = KeyLimits(rpm=10, tpm=1_001, usd_per_day=Decimal("2.50"))
    (quota,) = limits.quotas("ci").values()
    assert (quota.requests, quota.input_tokens, quota.output_tokens, quota.per) == (10, 1_001, 1_001, 60.0)
    assert quota.scope == "key"
    (budget,) = limits.budgets("ci").values()
    assert (budget.nano, budget.per, budget.scope, budget.hard) == (2_500_000_000, "day", "key", True)
    assert set(limits.quotas("ci")) == set(limits.budgets("ci")) == {"key ci"}


def test_workers_that_count_apart_have_a_part_of_a_rate_each() -> None:
    (quota,) = KeyLimits(rpm=10, tpm=3).quotas("ci", workers=4).values()
    assert (quota.requests, quota.input_tokens) == (3, 1)
    (quota,) = KeyLimits(tpm=3).quotas("ci", workers=4).values()
    assert quota.requests is None


@pytest.mark.parametrize(
    "wrong",
    [{"rpm": 0}, {"tpm": -1}, {"usd_per_day": Decimal(0)}, {"rpm": 10**15}, {"usd_per_day": Decimal("NaN")}],
)
def test_a_limit_that_nobody_could_count_is_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        KeyLimits(**wrong)


def test_a_record_from_before_there_were_limits_has_none() -> None:
    document = json.loads(encoded(replace(record(), limits=KeyLimits(rpm=1, usd_per_day=Decimal("0.1")))))
    assert decoded(json.dumps(document).encode()).limits == KeyLimits(rpm=1, usd_per_day=Decimal("0.1"))
    del document["limits"]
    assert decoded(json.dumps(document).encode()).limits == KeyLimits()
