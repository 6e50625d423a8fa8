from tests.admin.operating import Operator, in_memory, named

PATH = "/api/v1/budgets"


def test_a_budget_is_laid_down_changed_listed_and_taken_back(operator: Operator) -> None:
    made = operator.put(f"{PATH}/team", {"usd": "12.50", "per": "day", "alert_at": [0.5]})
    assert (made["usd"], made["per"], made["origin"], made["alert_at"]) == ("12.50", "day", "register", [0.5])
    changed = operator.put(f"{PATH}/team", {"usd": 20})
    assert (changed["usd"], changed["per"]) == ("20", "day")
    assert [one["name"] for one in operator.get(PATH)["data"]] == ["team"]
    assert operator.get(f"{PATH}/team") == changed
    assert operator.delete(f"{PATH}/team") == {"name": "team", "instead": None}
    assert operator.get(PATH)["data"] == []
    assert operator.refused("GET", f"{PATH}/team")[0] == 404
    assert operator.refused("DELETE", f"{PATH}/team")[0] == 404


def test_a_budget_binds_the_next_call_and_shows_how_it_stands(operator: Operator) -> None:
    operator.put(f"{PATH}/tiny", {"usd": "0.0000001", "scope": "user"})
    refused = operator.call(x_holdfast_user="alice")
    assert refused.json["error"]["details"]["error_code"] == "holdfast_budget_exhausted"
    operator.put(f"{PATH}/tiny", {"usd": "5"})
    operator.answered(x_holdfast_user="alice")
    (standing,) = operator.get(f"{PATH}/tiny/standing")["data"]
    assert (standing["subject"], standing["limit"], standing["reserved"]) == ("user alice", "5.00", "0.00")
    assert float(standing["settled"]) > 0
    assert operator.get("/api/v1/standings")["data"] == [standing]


def test_a_budget_that_asks_goes_on_once_it_is_approved(operator: Operator) -> None:
    ladder = [{"at": 0.0000001, "do": "ask"}]
    operator.put(f"{PATH}/asks", {"usd": "5", "per": "day", "ladder": ladder})
    operator.answered()
    assert operator.call().status == 429
    approved = operator.post(f"{PATH}/asks/approve", {"note": "a demo"})
    assert (approved["budget"], approved["subject"]) == ("asks", "")
    assert operator.call().status == 200
    assert operator.refused("POST", f"{PATH}/asks/approve", {"subject": "alice"})[0] == 400
    assert operator.refused("POST", f"{PATH}/none/approve")[0] == 404


def test_a_name_may_have_slashes_and_any_letters(operator: Operator) -> None:
    for name in ("a/b", "../etc", "a b", "예산", "100%", "a?b#c", "..", "a%2Fb", "'; DROP TABLE x;--"):
        made = operator.put(f"{PATH}/{named(name)}", {"usd": "1"})
        assert made["name"] == name
        assert operator.get(f"{PATH}/{named(name)}")["name"] == name
        assert operator.delete(f"{PATH}/{named(name)}")["name"] == name


@in_memory
def test_a_budget_that_makes_no_sense_is_a_400_that_says_why(operator: Operator) -> None:
    bodies: tuple[tuple[object, str], ...] = (
        ({"usd": "NaN"}, "no amount of dollars"),
        ({"usd": "Infinity"}, "no amount of dollars"),
        ({"usd": "-1"}, "above 0"),
        ({"usd": 0}, "above 0"),
        ({"usd": "1e40"}, "no amount of dollars"),
        ({"usd": "1", "per": "fortnight"}, "no period"),
        ({"usd": "1", "timezone": "Mars/Olympus"}, "no time zone"),
        ({"usd": "1", "scope": "planet"}, "scope"),
        ({"per": "day"}, "usd"),
        ({"usd": 1.5}, "$.usd"),
        ({"usd": "1", "hard": "yes"}, "$.hard"),
        ({"usd": "1", "dollars": 2}, "dollars"),
        ({"usd": "1", "ladder": [{"at": 2, "do": "ask"}]}, "at"),
        ([], "object"),
        ("text", "object"),
        (b"{", "body"),
        (b'{"usd": NaN}', "body"),
        (b'{"usd": "\xff"}', "body"),
        (b"[" * 10_000, "body"),
    )
    for body, said in bodies:
        status, message = operator.refused("PUT", f"{PATH}/b", body)
        assert (status, said in message) == (400, True), (body, message)
    assert operator.get(PATH)["data"] == []


@in_memory
def test_a_name_that_makes_no_sense_is_refused(operator: Operator) -> None:
    for name in ("%20", "a%0Ab", "%00", "%ff", "%ED%A0%80", "a" * 81, "a" * 501, "%F3%A0%80%81"):
        assert operator.refused("PUT", f"{PATH}/{name}", {"usd": "1"})[0] == 400, name


def test_budgets_come_in_pages_that_a_new_one_does_not_shift(operator: Operator) -> None:
    for name in ("a", "b", "d"):
        operator.put(f"{PATH}/{name}", {"usd": "1"})
    first = operator.get(f"{PATH}?limit=2")
    assert ([one["name"] for one in first["data"]], first["has_more"]) == (["a", "b"], True)
    operator.put(f"{PATH}/aa", {"usd": "1"})
    operator.put(f"{PATH}/c", {"usd": "1"})
    second = operator.get(f"{PATH}?limit=2&page={first['next_page']}")
    assert [one["name"] for one in second["data"]] == ["c", "d"]
    assert (second["has_more"], second["next_page"]) == (False, None)


@in_memory
def test_parameters_that_make_no_sense_are_refused(operator: Operator) -> None:
    for query in ("limit=0", "limit=1001", "limit=x", "limti=5", "page=%ff", "page=a", "a&" * 500):
        assert operator.refused("GET", f"{PATH}?{query}")[0] == 400, query
