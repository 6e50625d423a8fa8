"""The gateway of one process: open to whom it gave a token, for as long as it is good."""

import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from holdfast import Holdfast
from holdfast.call import OwnLimits, Principal
from holdfast.errors import StoreUnavailable
from holdfast.gateway.app import Gateway, Lifetime
from holdfast.gateway.identity import Doorkeeper
from holdfast.gateway.local import LocalGateway, Pass
from holdfast.operations.desk import Desk
from holdfast.operations.keys import NewKey, create
from holdfast.policy.budget import BudgetConfig
from holdfast.settings import StoreConfig
from holdfast.simulator import Fault, Stall
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import eventually, quick_settings
from tests.doors.talking import QUESTION, Heard, ask, connected, request

COUNTED = {name: value for name, value in QUESTION.items() if name != "max_tokens"}


def heard(url: str, token: str, **headers: str) -> Heard:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(url, QUESTION, headers={"x-api-key": "", "authorization": f"Bearer {token}", **named})


def test_nobody_comes_in_without_a_token(simulator: RunningSimulator) -> None:
    with Holdfast(quick_settings(simulator)) as hold:
        local = hold.local()
        url, token = local.open(), local.give(Pass(principal=Principal(door="gateway")))
        wrong = heard(url, "hf_local_wrong")
        none = ask(url, QUESTION, headers={"x-api-key": ""})
        counted = ask(url, COUNTED, path="/v1/messages/count_tokens", headers={"x-api-key": token})
        right = heard(url, token)
        in_the_other_header = ask(
            url, QUESTION, headers={"x-api-key": token, "authorization": "Bearer other"}
        )
        local.take_back(token)
        taken_back = heard(url, token)

    assert [one.status for one in (right, counted, in_the_other_header)] == [200, 200, 200]
    assert [one.error_type for one in (wrong, none, taken_back)] == ["authentication_error"] * 3
    assert wrong.headers["x-should-retry"] == "false"
    assert len(simulator.simulator.requests) == 3


def test_the_run_of_a_token_is_its_own_whatever_the_request_says(simulator: RunningSimulator) -> None:
    with Holdfast(quick_settings(simulator)) as hold:
        local = hold.local()
        who = Principal(door="sdk", run="mine", user="alice", agent="writer", parent="editor")
        url, token = local.open(), local.give(Pass(principal=who))
        heard(url, token, x_holdfast_run="free", x_claude_code_session_id="s", x_holdfast_user="bob")
        heard(url, token, x_claude_code_agent_id="a1")
        heard(url, token, x_claude_code_agent_id="a2", x_claude_code_parent_agent_id="a1")
        ledger, call = hold.runtime.ledger, hold.runtime.portal.call
        eventually(lambda: len(call(ledger.newest(9))) == 3)
        records = call(ledger.newest(9))
        run = hold.runtime.portal.call(hold.runtime.ledger.run("mine"))

    assert {(one.run, one.user, one.door) for one in records} == {("mine", "alice", "sdk")}
    assert [one.agent for one in reversed(records)] == ["writer", "a1", "a2"]
    assert run is not None
    assert run.agents == {"writer": "editor", "a1": "writer", "a2": "a1"}


def test_limits_of_a_token_bind_whoever_holds_it(simulator: RunningSimulator) -> None:
    budget = BudgetConfig(usd=Decimal("0.0000001"), per="run", scope="run")
    with Holdfast(quick_settings(simulator)) as hold:
        local = hold.local()
        who = Principal(door="gateway", run="r")
        poor = local.give(Pass(principal=who, limits=OwnLimits(budgets={"pocket": budget})))
        rich = local.give(Pass(principal=who))

        assert heard(local.open(), poor).error_type == "rate_limit_error"
        assert heard(local.open(), rich).status == 200


def test_it_needs_no_key_where_the_gateway_of_everybody_does(
    simulator: RunningSimulator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = StoreConfig(url=f"sqlite:///{tmp_path_factory.mktemp('book')}/book.db")
    with Holdfast(replace(quick_settings(simulator), store=store)) as hold:
        runtime, local = hold.runtime, hold.local()
        desk = Desk(store=runtime.ledger, settings=hold.settings, actor="test")
        issued = runtime.portal.call(create(desk, NewKey(name="web")))
        runtime.portal.call(runtime.begin())
        runtime.portal.call(runtime.stations.watch.refresh())
        token = local.give(Pass(principal=Principal(door="sdk")))

        assert heard(local.open(), token).status == 200
        assert heard(local.open(), issued.secret).status == 401


def test_one_gateway_is_opened_for_all_and_gone_with_the_hold(simulator: RunningSimulator) -> None:
    with Holdfast(quick_settings(simulator)) as hold:
        first, second = hold.local().open(), hold.local().open()

    assert first == second
    assert not [
        one.name for one in threading.enumerate() if one.name in ("holdfast-gateway", "holdfast-portal")
    ]
    with pytest.raises(ConnectionRefusedError):
        heard(first, "any")


def test_what_is_under_way_ends_with_a_word_when_the_hold_is_closed(simulator: RunningSimulator) -> None:
    simulator.simulator.faults.add([Fault(action=Stall(after_events=6))])
    hold = Holdfast(quick_settings(simulator))
    local = hold.local()
    url, token = local.open(), local.give(Pass(principal=Principal(door="gateway")))
    with connected(url) as connection:
        connection.send(request({**QUESTION, "stream": True}, headers={"x-api-key": token}))
        eventually(lambda: bool(simulator.simulator.requests))
        closing = threading.Thread(target=hold.close)
        closing.start()
        answer = connection.hear()
        closing.join()

    assert b"holdfast_draining" in answer.body
    simulator.drain()


def test_a_gateway_that_does_not_come_up_is_said_to(simulator: RunningSimulator) -> None:
    def never() -> None:
        raise StoreUnavailable("nothing is there")

    async def released() -> None:
        return None

    with Holdfast(quick_settings(simulator)) as hold:

        def make(door: Doorkeeper) -> Gateway:
            return Gateway(lambda: hold.runtime, lifetime=Lifetime(never, released), door=door)

        with pytest.raises(StoreUnavailable, match="did not begin"):
            LocalGateway(make).open()
