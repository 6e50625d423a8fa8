import csv
import io
import json
from decimal import Decimal

from tests.admin.operating import Operator, in_memory, named

PATH = "/api/v1/spend"


def test_spending_is_summed_by_what_is_asked_for(operator: Operator) -> None:
    operator.answered(x_holdfast_user="alice")
    operator.answered(x_holdfast_user="bob")
    operator.answered(x_holdfast_user="bob")
    told = operator.get(f"{PATH}?by=model,day&since=today&tz=UTC")
    (group,) = told["groups"]
    assert (group["model"], group["attempts"], told["by"]) == ("claude-sonnet-5-5", 3, ["model", "day"])
    by_user = operator.get(f"{PATH}?by=user")
    assert {one["user"]: one["attempts"] for one in by_user["groups"]} == {"alice": 1, "bob": 2}
    assert sum(Decimal(one["cost"]) for one in by_user["groups"]) == Decimal(by_user["total"]["cost"])
    assert operator.get(f"{PATH}?by=&user=bob")["total"]["attempts"] == 2
    assert operator.get(f"{PATH}?since=all&until=2020-01-01")["groups"] == []


@in_memory
def test_questions_about_spending_that_make_no_sense_are_refused(operator: Operator) -> None:
    for query in (
        "by=planet",
        "since=soon",
        "since=2026-13-01",
        "tz=Mars",
        "since=today&until=yesterday",
        "till=today",
        "since=" + "9" * 600,
    ):
        assert operator.refused("GET", f"{PATH}?{query}")[0] == 400, query
    assert operator.refused("GET", f"{PATH}/forecast?tz=Mars")[0] == 400
    assert operator.refused("GET", f"{PATH}/export?format=xlsx")[0] == 400


def test_the_forecast_tells_what_is_spent_and_when_budgets_end(operator: Operator) -> None:
    operator.put("/api/v1/budgets/all", {"usd": "100"})
    operator.answered()
    told = operator.get(f"{PATH}/forecast?tz=Asia/Seoul")
    assert (told["timezone"], told["basis_days"], told["total"]) == ("Asia/Seoul", 0, None)
    assert Decimal(told["spent"]) > 0
    assert [one["budget"] for one in told["budgets"]] == ["all"]


def test_every_attempt_can_be_had_as_a_file(operator: Operator) -> None:
    korean = "예산".encode().decode("latin-1")
    ids = [operator.answered(x_holdfast_user="=cmd|' /C calc'!A0"), operator.answered(x_holdfast_user=korean)]
    heard = operator.ask("GET", f"{PATH}/export")
    assert heard.headers["content-type"].startswith("text/csv")
    assert heard.headers["content-disposition"] == 'attachment; filename="attempts.csv"'
    rows = list(csv.DictReader(io.StringIO(heard.body.decode())))
    assert {row["request_id"] for row in rows} == set(ids)
    assert {row["user"] for row in rows} == {"'=cmd|' /C calc'!A0", "예산"}
    heard = operator.ask("GET", f"{PATH}/export?format=jsonl&since=today")
    lines = [json.loads(line) for line in heard.body.splitlines()]
    assert [line["request_id"] for line in lines] == ids
    assert {name: str(value or "") for name, value in lines[1].items() if name in ("id", "user", "cost")} == {
        name: value for name, value in rows[1].items() if name in ("id", "user", "cost")
    }


@in_memory
def test_an_empty_export_has_its_header_alone(operator: Operator) -> None:
    assert operator.ask("GET", f"{PATH}/export").body.startswith(b"id,request_id,attempt,at,")
    assert operator.ask("GET", f"{PATH}/export").body.count(b"\n") == 1
    assert operator.ask("GET", f"{PATH}/export?format=jsonl").body == b""


def test_a_repricing_is_dry_unless_told_otherwise_and_then_in_the_audit(operator: Operator) -> None:
    operator.answered()
    told = operator.post(f"{PATH}/reprice")
    assert (told["dry_run"], told["seen"], told["changed"], told["written"]) == (True, 1, 0, 0)
    assert operator.get("/api/v1/audit")["data"] == []
    assert operator.post(f"{PATH}/reprice", {"dry_run": False})["dry_run"] is False
    assert [one["note"][:5] for one in operator.get("/api/v1/audit")["data"]] == ["done ", "begun"]


def test_a_request_is_shown_with_its_attempts(operator: Operator) -> None:
    first, second = operator.answered(x_holdfast_run="r/1"), operator.answered()
    told = operator.get(f"/api/v1/requests/{first}")
    assert (told["call"]["run"], told["call"]["end"], len(told["attempts"])) == ("r/1", "answered", 1)
    assert told["attempts"][0]["cost"] == told["call"]["cost"]
    newest = operator.get("/api/v1/requests?limit=1")
    assert ([one["request_id"] for one in newest["data"]], newest["has_more"]) == ([second], True)
    operator.answered()
    older = operator.get(f"/api/v1/requests?limit=1&page={newest['next_page']}")
    assert ([one["request_id"] for one in older["data"]], older["has_more"]) == ([first], False)
    assert operator.refused("GET", "/api/v1/requests?page=bm9uZQ")[0] == 400


def test_a_run_is_shown_with_its_agents_and_models(operator: Operator) -> None:
    operator.answered(x_holdfast_run="r/1", x_claude_code_agent_id="a1")
    operator.answered(x_holdfast_run="r2")
    assert [one["run"] for one in operator.get("/api/v1/runs")["data"]] == ["r2", "r/1"]
    told = operator.get(f"/api/v1/runs/{named('r/1')}")
    assert (told["run"], told["calls"], told["agents"]) == ("r/1", 1, [{"agent": "a1", "parent": None}])
    assert [one["model"] for one in told["models"]] == ["claude-sonnet-5-5"]
    operator.post("/api/v1/stops", {"scope": "run", "value": "r2"})
    assert operator.get("/api/v1/runs/r2")["stopped"]["name"] == "run:r2"


def test_the_audit_comes_in_pages_newest_first(operator: Operator) -> None:
    for number in range(3):
        operator.put(f"/api/v1/budgets/b{number}", {"usd": "1"})
    first = operator.get("/api/v1/audit?limit=2")
    rest = operator.get(f"/api/v1/audit?limit=2&page={first['next_page']}")
    names = [one["name"] for one in (*first["data"], *rest["data"])]
    assert names == ["b2", "b1", "b0"]
