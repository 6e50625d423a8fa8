import pytest

from holdfast.clock import SYSTEM_CLOCK
from tests.admin.operating import Operator, in_memory, named

PATH = "/api/v1/keys"


def test_a_key_is_made_shown_once_listed_rotated_and_revoked(operator: Operator) -> None:
    made = operator.post(
        PATH,
        {
            "name": "web",
            "expires_in": "90d",
            "user": "alice",
            "models": ["claude-sonnet-5-5"],
            "tags": {"a": "b"},
        },
    )
    assert made["key"].startswith(f"hf_live_{made['prefix']}")
    (listed,) = operator.get(PATH)["data"]
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert (listed["state"], listed["scopes"], listed["tags"]) == ("good", ["messages"], {"a": "b"})
    followed = operator.post(f"{PATH}/{made['id']}/rotate", {"overlap": "1h"})
    assert (followed["rotates"], followed["key"] == made["key"]) == (made["id"], False)
    ended = operator.post(f"{PATH}/{followed['id']}/revoke", {"note": "leaked"})
    assert (ended["id"], ended["state"]) == (followed["id"], "revoked")
    states = {one["id"]: one["state"] for one in operator.get(PATH)["data"]}
    assert states == {made["id"]: "good", followed["id"]: "revoked"}
    assert operator.post(f"{PATH}/{followed['id']}/revoke")["state"] == "revoked"


def test_no_answer_and_no_audit_tells_a_key_again(operator: Operator) -> None:
    secret = operator.post(PATH, {"name": "web"})["key"]
    for path in (PATH, "/api/v1/audit"):
        assert str(secret) not in operator.ask("GET", path).body.decode()


def test_every_change_of_a_key_is_in_the_audit(operator: Operator) -> None:
    made = operator.post(PATH, {"name": "web"})
    operator.post(f"{PATH}/web/revoke", {"note": "leaked"})
    notes = [(one["actor"], one["name"], one["note"]) for one in operator.get("/api/v1/audit")["data"]]
    assert notes == [("admin-token", made["id"], "revoke leaked"), ("admin-token", made["id"], "create web")]


@in_memory
def test_keys_that_make_no_sense_are_refused(operator: Operator) -> None:
    operator.post(PATH, {"name": "web"})
    bodies: tuple[object, ...] = (
        {"name": "web"},
        {"name": ""},
        {"name": "a\nb"},
        {"name": "a" * 81},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["root"]},
        {"name": "a", "expires_in": "0d"},
        {"name": "a", "expires_in": "soon"},
        {"name": "a", "expires_in": 90},
        {"name": "a", "hash": "x"},
        {},
        None,
    )
    for body in bodies:
        assert operator.refused("POST", PATH, body)[0] == 400, body
    assert operator.refused("POST", f"{PATH}/web/rotate", {"overlap": "-1h"})[0] == 400
    assert len(operator.get(PATH)["data"]) == 1


@pytest.mark.parametrize("verb", ["rotate", "revoke"])
def test_a_key_that_is_not_there_is_a_404(operator: Operator, verb: str) -> None:
    for name in ("none", "a/b", "키"):
        assert operator.refused("POST", f"{PATH}/{named(name)}/{verb}")[0] == 404


async def test_a_record_that_cannot_be_read_is_deleted_when_it_is_revoked(operator: Operator) -> None:
    register = operator.gateway.hold.runtime.ledger
    await register.put("key", "key_broken", b"{}", actor="test")
    ended = operator.post(f"{PATH}/key_broken/revoke")
    assert (ended["id"], ended["state"]) == ("key_broken", "deleted")
    assert operator.refused("POST", f"{PATH}/key_broken/revoke")[0] == 404


def test_keys_come_in_pages_oldest_first(operator: Operator) -> None:
    names = {operator.post(PATH, {"name": f"k{number}"})["id"] for number in range(5)}
    seen: list[str] = []
    page = ""
    while True:
        told = operator.get(f"{PATH}?limit=2{page}")
        seen += [one["id"] for one in told["data"]]
        if not told["has_more"]:
            break
        page = f"&page={told['next_page']}"
    assert (len(seen), set(seen)) == (5, names)


@in_memory
def test_a_key_ends_when_it_was_told_to(operator: Operator) -> None:
    made = operator.post(PATH, {"name": "web", "expires_in": "24h"})
    assert made["ends_at"][:10] > f"{SYSTEM_CLOCK.now():%Y-%m-%d}"
