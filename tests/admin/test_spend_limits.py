"""Budgets in the words of Anthropic's Admin API, as its own official client asks for them."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import anthropic
import pytest

from holdfast.admin.spend_limits import cents_of
from holdfast.policy.budget import BudgetConfig
from holdfast.settings import Settings
from holdfast.simulator.server import RunningSimulator
from tests.admin.operating import TOKEN, Operator, in_memory
from tests.doors.running import serving

PATH = "/v1/organizations/spend_limits"
EVERYBODY = {"type": "organization"}


@pytest.fixture
def client(operator: Operator) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=TOKEN, base_url=operator.gateway.url, max_retries=0) as made:
        yield made


def test_the_official_client_sets_reads_lists_and_deletes_limits(
    operator: Operator, client: anthropic.Anthropic
) -> None:
    limits = client.beta.organization.spend_limits
    made = limits.set(scope={"type": "user", "user_id": "alice"}, amount="75000", period="monthly")
    assert (made.type, made.amount, made.currency, made.period, made.is_enabled) == (
        "spend_limit",
        "75000",
        "USD",
        "monthly",
        True,
    )
    assert made.id.startswith("spl_")
    assert made.scope.type == "user"
    assert limits.retrieve(made.id) == made
    changed = limits.set(scope={"type": "user", "user_id": "alice"}, amount="100", period="monthly")
    assert (changed.id, changed.amount) == (made.id, "100")
    limits.set(scope={"type": "organization"}, amount="50000", period="daily")
    limits.set(scope={"type": "workspace", "workspace_id": "web"}, amount="1", period="daily")
    listed = list(limits.list(limit=1))
    assert {one.scope.type for one in listed} == {"user", "organization", "workspace"}
    assert [one.id for one in limits.list(scope_type=["workspace"])] == [
        one.id for one in limits.list(workspace_id="web")
    ]
    assert limits.delete(made.id).type == "spend_limit_deleted"
    with pytest.raises(anthropic.NotFoundError):
        limits.retrieve(made.id)
    assert len(operator.get("/api/v1/budgets")["data"]) == 2


def test_a_limit_binds_the_next_call(operator: Operator, client: anthropic.Anthropic) -> None:
    limits = client.beta.organization.spend_limits
    limits.set(scope={"type": "user", "user_id": "alice"}, amount="0", period="daily")
    assert operator.call(x_holdfast_user="alice").status == 429
    assert operator.call(x_holdfast_user="bob").status == 200
    unlimited = limits.set(scope={"type": "user", "user_id": "alice"}, amount=None, period="daily")
    assert unlimited.amount is None
    assert operator.call(x_holdfast_user="alice").status == 200


def test_the_effective_limit_is_the_one_that_a_user_meets_first(
    operator: Operator, client: anthropic.Anthropic
) -> None:
    operator.put("/api/v1/budgets/each", {"usd": "5", "scope": "user", "per": "month"})
    operator.put("/api/v1/budgets/all", {"usd": "900", "per": "day"})
    limits = client.beta.organization.spend_limits
    limits.set(scope={"type": "user", "user_id": "bob"}, amount="100", period="monthly")
    limits.set(scope={"type": "user", "user_id": "carol"}, amount="90000", period="monthly")
    operator.answered(x_holdfast_user="alice")
    rows = {
        (one.actor.user_id, one.period): one
        for one in limits.effective.list(limit=1)
        if one.actor.type == "user_actor"
    }
    assert {key: (one.amount, one.source.type) for key, one in rows.items()} == {
        ("alice", "daily"): ("90000", "organization"),
        ("alice", "monthly"): ("500", "seat_tier"),
        ("bob", "daily"): ("90000", "organization"),
        ("bob", "monthly"): ("100", "user"),
        ("carol", "daily"): ("90000", "organization"),
        ("carol", "monthly"): ("500", "seat_tier"),
    }
    assert Decimal(rows["alice", "monthly"].period_to_date_spend) > 0
    assert rows["bob", "monthly"].period_to_date_spend == "0"
    assert limits.retrieve(rows["alice", "monthly"].spend_limit_id).scope.type == "seat_tier"
    chosen = operator.get(f"{PATH}/effective?user_ids[]=bob&period[]=monthly")
    assert [one["actor"]["user_id"] for one in chosen["data"]] == ["bob"]


@in_memory
def test_budgets_without_a_shape_as_a_limit_are_left_out(operator: Operator) -> None:
    budgets: dict[str, dict[str, object]] = {
        "hourly": {"per": "hour"},
        "rolling": {"per": "7d"},
        "by model": {"scope": "model"},
        "one model": {"where": {"model": "claude-opus-5-5"}},
        "one user's model": {"scope": "user", "where": {"user": "a", "model": "claude-opus-5-5"}},
        "every key": {"scope": "key"},
    }
    for name, budget in budgets.items():
        operator.put(f"/api/v1/budgets/{name.replace(' ', '%20')}", {"usd": "1", **budget})
    assert operator.get(PATH) == {
        "data": [],
        "has_more": False,
        "next_page": None,
        "first_id": None,
        "last_id": None,
    }


@in_memory
def test_a_limit_of_the_settings_is_covered_while_one_is_set(
    simulator: RunningSimulator, settings: Settings
) -> None:
    budget = BudgetConfig(usd=Decimal("12.345"), per="month")
    with serving(simulator, replace(settings, budgets={"all": budget})) as running:
        operator = Operator(gateway=running)
        (limit,) = operator.get(PATH)["data"]
        assert (limit["amount"], limit["created_at"]) == ("1234", "1970-01-01T00:00:00Z")
        assert operator.refused("DELETE", f"{PATH}/{limit['id']}")[0] == 400
        changed = operator.post(PATH, {"scope": EVERYBODY, "amount": "500"})
        assert (changed["id"], changed["amount"]) == (limit["id"], "500")
        assert changed["created_at"] > "2026"
        operator.delete(f"{PATH}/{limit['id']}")
        assert operator.get(PATH)["data"] == [limit]


@in_memory
def test_limits_that_make_no_sense_are_refused(operator: Operator) -> None:
    for body in (
        {},
        {"scope": EVERYBODY},
        {"scope": EVERYBODY, "amount": 500},
        {"scope": EVERYBODY, "amount": "-5"},
        {"scope": EVERYBODY, "amount": "5.5"},
        {"scope": EVERYBODY, "amount": "NaN"},
        {"scope": EVERYBODY, "amount": "٣"},
        {"scope": EVERYBODY, "amount": "9" * 31},
        {"scope": EVERYBODY, "amount": "9" * 20},
        {"scope": EVERYBODY, "amount": "5", "period": "weekly"},
        {"scope": EVERYBODY, "amount": "5", "period": "hourly"},
        {"scope": EVERYBODY, "amount": "5", "currency": "EUR"},
        {"scope": {"type": "user"}, "amount": "5"},
        {"scope": {"type": "user", "user_id": ""}, "amount": "5"},
        {"scope": {"type": "seat_tier", "seat_tier": "default"}, "amount": "5"},
        {"scope": "organization", "amount": "5"},
    ):
        assert operator.refused("POST", PATH, body)[0] == 400, body
    assert operator.get(PATH)["data"] == []


@in_memory
def test_two_budgets_of_one_shape_are_not_guessed_between(operator: Operator) -> None:
    for name in ("a", "b"):
        operator.put(f"/api/v1/budgets/{name}", {"usd": "1"})
    status, message = operator.refused("POST", PATH, {"scope": EVERYBODY, "amount": "5"})
    assert (status, "(a, b)" in message) == (400, True)


@in_memory
def test_the_older_way_of_paging_works_too(operator: Operator) -> None:
    for user in ("a", "b", "c"):
        operator.post(PATH, {"scope": {"type": "user", "user_id": user}, "amount": "5", "beta": True})
    ids = [one["id"] for one in operator.get(f"{PATH}?beta=true")["data"]]
    assert ids == sorted(ids)
    after = operator.get(f"{PATH}?after_id={ids[0]}&limit=1")
    assert ([one["id"] for one in after["data"]], after["has_more"], after["last_id"]) == (
        [ids[1]],
        True,
        ids[1],
    )
    before = operator.get(f"{PATH}?before_id={ids[2]}&limit=1")
    assert [one["id"] for one in before["data"]] == [ids[1]]


@pytest.mark.parametrize(
    ("usd", "cents"),
    [("0.000000001", "0"), ("0.005", "1"), ("0.01", "1"), ("12.345", "1234"), ("50", "5000")],
)
def test_only_a_limit_that_blocks_everything_is_shown_as_nothing(usd: str, cents: str) -> None:
    assert cents_of(Decimal(usd)) == cents
