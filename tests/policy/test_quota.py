import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.counters import Slot, rate_of
from holdfast.policy.quota import Need, QuotaConfig, corrections, owner, wanted, word

CONFIG = QuotaConfig(requests=20, per=60.0, input_tokens=1_000, output_tokens=500, concurrency=3)


def test_a_call_asks_for_everything_that_is_limited() -> None:
    need = Need(input_tokens=100, output_tokens=50)
    asked = wanted([("q", CONFIG, "user=alice")], need, id="a", lease=60.0)
    assert [(take.key, take.cost) for take in asked.takes] == [
        ("q/requests/user=alice", 1),
        ("q/input_tokens/user=alice", 100),
        ("q/output_tokens/user=alice", 50),
    ]
    assert asked.slots == (Slot(key="q/concurrency/user=alice", limit=3),)
    assert (asked.id, asked.lease) == ("a", 60.0)


def test_what_is_not_limited_is_not_asked_for() -> None:
    asked = wanted([("q", QuotaConfig(), "")], Need(input_tokens=5), id="a", lease=60.0)
    assert (asked.takes, asked.slots) == ((), ())


def test_every_quota_is_asked_in_one_go() -> None:
    quotas = [("a", QuotaConfig(requests=1), "x"), ("b", QuotaConfig(requests=2, burst=1), "y")]
    asked = wanted(quotas, Need(), id="a", lease=60.0)
    assert [take.key for take in asked.takes] == ["a/requests/x", "b/requests/y"]
    assert [take.rate for take in asked.takes] == [rate_of(1, 60.0, 1), rate_of(2, 60.0, 1)]


@pytest.mark.parametrize(
    ("estimate", "certain", "cost"), [(100, 0, 100), (5_000, 0, 1_000), (5_000, 2_000, 2_000), (10, 20, 20)]
)
def test_an_estimate_is_cut_to_what_fits_but_not_what_is_certain(
    estimate: int, certain: int, cost: int
) -> None:
    need = Need(input_tokens=estimate, certain_input=certain, output_tokens=estimate, certain_output=certain)
    rate = rate_of(1_000, 60.0, 1_000)
    assert need.cost("input_tokens", rate) == need.cost("output_tokens", rate) == cost
    assert need.cost("requests", rate) == need.cost("concurrency", rate) == 1


def test_corrections_are_what_was_used_less_what_was_taken() -> None:
    need = Need(input_tokens=100, output_tokens=50)
    asked = wanted([("q", CONFIG, "x")], need, id="a", lease=60.0)
    found = corrections(asked, input_tokens=120, output_tokens=10)
    assert [(take.dimension, take.cost) for take in found] == [("input_tokens", 20), ("output_tokens", -40)]
    assert corrections(asked, input_tokens=100, output_tokens=50) == ()


def test_a_limit_is_known_by_its_kind() -> None:
    assert CONFIG.limit("requests") == 20
    assert CONFIG.limit("input_tokens") == 1_000
    assert CONFIG.limit("output_tokens") == 500
    assert CONFIG.limit("concurrency") == 3
    assert CONFIG.rate("concurrency") is None


@pytest.mark.parametrize(
    ("scope", "subject"),
    [
        ("organisation", ""),
        ("key", "key=k1"),
        ("user", "user=alice"),
        ("user+model", "user=alice/model=haiku"),
        ("model+user", "model=haiku/user=alice"),
        ("run", "key=k1"),
    ],
)
def test_whom_a_limit_holds_for_follows_from_its_scope(scope: str, subject: str) -> None:
    config = QuotaConfig(requests=1, scope=scope)
    assert config.subject({"key": "k1", "user": "alice", "model": "haiku", "run": None}) == subject


def test_a_call_without_any_name_still_counts_for_somebody() -> None:
    assert QuotaConfig(requests=1).subject({}) == "key="
    assert QuotaConfig(requests=1, scope="key").subject({}) == "key="


@given(st.text(), st.text(), st.text(), st.text())
def test_no_two_callers_share_a_bucket_whatever_they_call_themselves(a: str, b: str, c: str, d: str) -> None:
    config = QuotaConfig(requests=1, scope="user+run")
    one = config.subject({"user": a, "run": b})
    other = config.subject({"user": c, "run": d})
    assert (one == other) is ((a, b) == (c, d))


def test_a_long_name_is_a_fingerprint_that_nobody_can_be_called_by() -> None:
    long = word("x" * 1_000)
    assert len(long) < 100
    assert long != word("y" * 1_000)
    assert word(long) != long


@given(st.text(min_size=1), st.text())
def test_a_key_says_whose_limit_it_is(name: str, subject: str) -> None:
    asked = wanted([(name, QuotaConfig(concurrency=1, requests=1), word(subject))], Need(), id="a", lease=1.0)
    found = [owner(key) for key in (asked.takes[0].key, asked.slots[0].key)]
    assert [(quota, kind) for quota, kind, _ in found] == [(name, "requests"), (name, "concurrency")]


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("requests", {"requests": 0}),
        ("input_tokens", {"input_tokens": -1}),
        ("output_tokens", {"output_tokens": 10**13}),
        ("concurrency", {"concurrency": 0}),
        ("burst", {"requests": 1, "burst": 0}),
        ("burst", {"burst": 5}),
        ("burst", {"requests": 1, "per": 86_400.0, "burst": 1_000}),
        ("per", {"per": 0.0}),
        ("per", {"per": 1e-4}),
        ("per", {"per": 1e9}),
        ("per", {"per": float("nan")}),
        ("scope", {"scope": "everybody"}),
        ("scope", {"scope": ""}),
        ("scope", {"scope": "user+user"}),
        ("scope", {"scope": "organisation+user"}),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_by_its_name(setting: str, values: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=setting) as caught:
        QuotaConfig(**values)  # type: ignore[arg-type]
    assert setting in caught.value.say("ko")
