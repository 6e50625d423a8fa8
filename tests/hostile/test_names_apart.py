"""Names that callers choose end up in keys of tables: whatever they are, no two tenants ever share one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.call import Principal
from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import ConfigError
from holdfast.identity import LONGEST, kept, named, owned
from holdfast.orders import approval_name
from holdfast.policy.budget import BudgetConfig, limit_of
from holdfast.policy.pins import pin_name
from holdfast.policy.quota import Name, Need, QuotaConfig, wanted
from holdfast.policy.routing import UpstreamConfig, circuit_name
from holdfast.policy.stops import Stop, StopScope
from holdfast.settings import Settings
from holdfast.stores.quota_redis import RedisQuotas
from holdfast.stores.redis_link import RedisLink
from holdfast.upstream.fallback import key_of
from holdfast.upstream.probes import Probes
from holdfast.wire.messages import read_request
from tests.upstream.scripted import a_call

AT = datetime(2026, 11, 22, tzinfo=UTC)
BORDERS = "/:|=%+\0\n ~.{}#?&,;\"'\\\u0338\u0301\u200b\u00e9키\U0001f511"
names = st.text(st.sampled_from("ab1" + BORDERS), min_size=1, max_size=8) | st.text(min_size=1, max_size=90)
pairs = st.tuples(names, names)
SPLITS = [(("a", "b/c"), ("a/b", "c")), (("a%2Fb", "c"), ("a/b", "c")), (("a", "b|c"), ("a|b", "c")),
          (("a", "b:c"), ("a:b", "c")), (("a\0", "b"), ("a", "\0b")), (("a ", "b"), ("a", "b")),
          (("e\u0301", "b"), ("\u00e9", "b")), (("a\u200b", "b"), ("a", "b")),
          (("a" * 80, "b" * 200), ("a" * 80, "b" * 199))]  # fmt: skip


def budget_key(one: str, other: str) -> object:
    config = BudgetConfig(usd=Decimal(1), scope="user")
    limit = limit_of(one, config, payer={"user": other}, model="m", at=AT)
    assert limit is not None
    return limit.window, limit.counted


def tag_key(one: str, other: str) -> object:
    config = BudgetConfig(usd=Decimal(1), scope="tag:team")
    limit = limit_of(one, config, payer={"tag:team": other}, model="m", at=AT)
    assert limit is not None
    return limit.window


def approval_key(one: str, other: str) -> object:
    config = BudgetConfig(usd=Decimal(1), scope="user")
    limit = limit_of(one, config, payer={"user": other}, model="m", at=AT)
    assert limit is not None
    return approval_name(limit.budget, limit.window)


def quota_key(one: str, other: str) -> object:
    config = QuotaConfig(requests=1, input_tokens=1, concurrency=1, scope="key+user")
    who: Mapping[Name, str | None] = {"key": one, "user": other}
    return redis_keys([("q", config, config.subject(who))])


def quota_name_key(one: str, other: str) -> object:
    config = QuotaConfig(requests=1, concurrency=1, scope="user")
    return redis_keys([(one, config, config.subject({"user": other}))])


def redis_keys(quotas: list[tuple[str, QuotaConfig, str]]) -> object:
    ask = wanted(quotas, Need(), id="r", lease=1.0)
    store = RedisQuotas(RedisLink("redis://127.0.0.1:1", clock=SYSTEM_CLOCK))
    return tuple(store._keys(ask.takes, ask.slots))  # pyright: ignore[reportPrivateUsage]


def pin_key(one: str, other: str) -> object:
    return pin_name(one, other)


def fallback_key(one: str, other: str) -> object:
    body = b'{"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}'
    principal = Principal(door="gateway", key=one, user=other)
    return key_of(replace(a_call(), principal=principal, body=body, request=read_request(body)))


@pytest.mark.parametrize(
    "key",
    [budget_key, tag_key, approval_key, quota_key, quota_name_key, pin_key, fallback_key],
    ids=lambda key: key.__name__,
)
@given(one=pairs, other=pairs)
def test_no_two_pairs_of_names_have_one_key(
    key: Callable[[str, str], object], one: tuple[str, str], other: tuple[str, str]
) -> None:
    for left, right in ((one, other), *SPLITS):
        assert (key(*left) == key(*right)) == (left == right), (left, right)


def run_of(key: str, said: str) -> str | None:
    """What the ledger calls a run that a caller with this key has named."""
    run = named(said)
    return None if run is None else kept(Principal(door="gateway", key=key, run=owned(key, run))).run


@given(one=pairs, other=pairs)
@example(one=("a", "b/c"), other=("a/b", "c"))
@example(one=("a%2Fb", "c"), other=("a/b", "c"))
@example(one=("\u00e9", "r"), other=("e\u0301", "r"))
@example(one=("web\u200b", "r"), other=("web", "r"))
@example(one=("키" * 80, "r"), other=("키" * 79 + "\u200b", "r"))
@example(one=("\U0001f511/" * 40, "r"), other=("\U0001f511/" * 39 + "\U0001f511%", "r"))
@example(one=("a" * 80, "b" * 200), other=("a" * 80, "b" * 199 + "c"))
@example(one=("a" * 80, "b" * 200), other=("a" * 79 + "b", "b" * 200))
def test_a_run_of_one_key_is_no_run_of_another(one: tuple[str, str], other: tuple[str, str]) -> None:
    (key, said), (other_key, other_said) = one, other
    first, second = run_of(key, said), run_of(other_key, other_said)
    if first is None or second is None:
        return
    assert len(first) <= LONGEST
    assert (first == second) == ((key, named(said)) == (other_key, named(other_said)))


@pytest.mark.parametrize(
    ("key", "run", "shown"),
    [
        ("web", "7f2c", "web/7f2c"),
        ("검색팀 1", "r/2", "검색팀 1/r/2"),
        ("a/b", "c", "a%2Fb/c"),
        ("a%2Fb", "c", "a%252Fb/c"),
    ],
)
def test_a_run_reads_as_its_key_and_its_name(key: str, run: str, shown: str) -> None:
    assert owned(key, run) == shown


@given(names, names)
def test_nobody_becomes_another_by_saying_nothing(user: str, key: str) -> None:
    config = QuotaConfig(requests=1, scope="user")
    assert config.subject({"user": user, "key": key}) != config.subject({"user": None, "key": user})
    budget = BudgetConfig(usd=Decimal(1), scope="user")
    limits = [limit_of("b", budget, payer=payer, model="m", at=AT) for payer in ({"user": user}, {})]
    assert limits[0] != limits[1]


scopes: list[StopScope] = ["run", "key", "user", "model"]


@given(st.sampled_from(scopes), names, st.sampled_from(scopes), names)
def test_no_two_stops_have_one_name(one: StopScope, value: str, other: StopScope, else_: str) -> None:
    left, right = Stop(scope=one, value=value, at=AT), Stop(scope=other, value=else_, at=AT)
    assert (left.name == right.name) == ((one, value) == (other, else_))


async def test_a_quota_cannot_be_taken_for_the_probes_of_a_circuit() -> None:
    """A quota `probe` for calls at once, and an upstream called `concurrency`: a place for one is none of the other."""
    config = QuotaConfig(concurrency=1, scope="user")
    (slot,) = wanted([("probe", config, config.subject({"user": "m"}))], Need(), id="r", lease=1.0).slots
    asked: list[str] = []

    class Asked:
        degraded = False

        async def acquire(self, ask: Any) -> Any:
            asked.extend(one.key for one in ask.slots)

    probes = Probes(Asked(), limit=1, longest=1.0, clock=SYSTEM_CLOCK)  # type: ignore[arg-type]
    await probes.take(circuit_name("concurrency", "user=m"))
    assert asked
    assert slot.key not in asked


@pytest.mark.parametrize("name", ["a/b", "/", "a/"])
def test_no_upstream_may_be_called_so_that_its_circuits_could_be_those_of_another(name: str) -> None:
    with pytest.raises(ConfigError, match="may not hold `/`"):
        Settings(upstreams={name: UpstreamConfig(url="http://127.0.0.1:9")})


@given(
    st.text(BORDERS.replace("/", ""), min_size=1, max_size=5), names, st.text(min_size=1, max_size=5), names
)
def test_no_two_targets_share_a_circuit(one: str, model: str, other: str, another: str) -> None:
    other = other.replace("/", "-")
    assert (circuit_name(one, model) == circuit_name(other, another)) == ((one, model) == (other, another))
