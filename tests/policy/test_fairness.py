from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy.fairness import QUANTUM, FairnessConfig, FairQueue, Overflow, Place, Priority, Ticket

T0 = 100.0
ORG = "q/requests/"


def a_queue(per_user: int = 10, total: int = 200, max_wait: float = 5.0) -> FairQueue:
    return FairQueue(FairnessConfig(per_user=per_user, total=total, max_wait=max_wait))


def a_ticket(
    subject: str = "alice",
    *,
    priority: Priority = "interactive",
    weight: int = 100,
    keys: tuple[str, ...] = (ORG,),
    deadline: float = 1e9,
) -> Ticket:
    return Ticket(subject=subject, priority=priority, weight=weight, keys=frozenset(keys), deadline=deadline)


def enter(queue: FairQueue, ticket: Ticket, now: float = T0) -> Place:
    place = queue.enter(ticket, now=now)
    assert isinstance(place, Place)
    return place


def served(queue: FairQueue, count: int, now: float = T0) -> list[Ticket]:
    found: list[Ticket] = []
    for _ in range(count):
        place = queue.choose(now=now)
        assert place is not None
        queue.serve(place, now=now)
        found.append(place.ticket)
    return found


def test_one_callers_calls_go_in_their_order() -> None:
    queue = a_queue()
    tickets = [a_ticket(weight=weight) for weight in (5, 900, 1)]
    for ticket in tickets:
        enter(queue, ticket)
    assert served(queue, 3) == tickets
    assert queue.choose(now=T0) is None
    assert len(queue) == 0


def test_callers_take_turns_however_many_calls_each_has() -> None:
    queue = a_queue()
    for _ in range(6):
        enter(queue, a_ticket("loud", weight=QUANTUM))
    enter(queue, a_ticket("quiet", weight=QUANTUM))
    assert "quiet" in [ticket.subject for ticket in served(queue, 2)]


@given(
    weights=st.lists(st.integers(1, 20 * QUANTUM), min_size=2, max_size=5),
    turns=st.integers(50, 300),
)
def test_callers_get_the_same_share_of_tokens_whatever_the_size_of_their_calls(
    weights: list[int], turns: int
) -> None:
    queue, got = a_queue(), Counter[str]()
    for number, weight in enumerate(weights):
        for _ in range(2):
            enter(queue, a_ticket(f"{number}", weight=weight))
    for _ in range(turns):
        (ticket,) = served(queue, 1)
        got[ticket.subject] += ticket.weight
        enter(queue, ticket)
    shares = [got[f"{number}"] for number in range(len(weights))]
    assert max(shares) - min(shares) <= 3 * (max(weights) + QUANTUM)


def test_a_higher_priority_always_goes_first() -> None:
    queue = a_queue()
    priorities: tuple[Priority, ...] = ("batch", "agent", "interactive", "agent", "batch")
    for number, priority in enumerate(priorities):
        enter(queue, a_ticket(f"{number}", priority=priority))
    assert [t.priority for t in served(queue, 5)] == ["interactive", "agent", "agent", "batch", "batch"]


def test_a_caller_may_have_so_many_waiting_and_everybody_together_so_many() -> None:
    queue = a_queue(per_user=2, total=3)
    assert isinstance(queue.enter(a_ticket(), now=T0), Place)
    assert isinstance(queue.enter(a_ticket(priority="batch"), now=T0), Place)
    assert isinstance(queue.enter(a_ticket(), now=T0), Overflow)
    assert isinstance(queue.enter(a_ticket("bob"), now=T0), Place)
    assert isinstance(queue.enter(a_ticket("carol"), now=T0), Overflow)


def test_a_full_queue_says_when_to_come_back_at_the_pace_it_goes() -> None:
    queue = a_queue(per_user=10, total=10, max_wait=50.0)
    for _ in range(10):
        enter(queue, a_ticket())
    for number in range(9):
        served(queue, 1, T0 + 2.0 * number)
        enter(queue, a_ticket())
    overflow = queue.enter(a_ticket("bob"), now=T0 + 20)
    assert isinstance(overflow, Overflow)
    assert 20 < overflow.retry_after <= 50
    assert queue.expected_wait(a_ticket("bob")) == overflow.retry_after


def test_an_empty_queue_expects_next_to_no_wait() -> None:
    assert 0 < a_queue().expected_wait(a_ticket()) < 0.1


def test_nobody_waits_past_the_deadline_of_the_call() -> None:
    queue = a_queue()
    assert enter(queue, a_ticket(deadline=T0 + 1)).until == T0 + 1
    assert enter(queue, a_ticket(deadline=T0 + 100)).until == T0 + 5


def test_who_was_refused_asks_again_when_told_and_keeps_what_it_waits_for() -> None:
    queue = a_queue()
    first = enter(queue, a_ticket("alice"))
    enter(queue, a_ticket("bob"))
    elsewhere = enter(queue, a_ticket("carol", keys=("other",)))
    queue.postpone(first, ORG, until=T0 + 2)
    assert queue.choose(now=T0) is elsewhere
    queue.leave(elsewhere)
    assert queue.choose(now=T0 + 1.9) is None
    assert queue.choose(now=T0 + 2) is first


def test_who_waits_for_something_of_its_own_keeps_nobody_else_waiting() -> None:
    queue = a_queue()
    first = enter(queue, a_ticket("alice", keys=(ORG, "q/requests/alice")))
    queue.postpone(first, "q/requests/alice", until=T0 + 2)
    second = enter(queue, a_ticket("bob", keys=(ORG, "q/requests/bob")))
    assert queue.choose(now=T0) is second
    assert queue.holder({ORG, "q/requests/carol"}, "interactive") == ORG
    queue.leave(second)
    assert queue.holder({ORG, "q/requests/carol"}, "interactive") is None
    assert queue.holder({ORG, "q/requests/alice"}, "interactive") == "q/requests/alice"


def test_two_that_want_each_others_go_in_the_order_in_which_they_asked() -> None:
    queue = a_queue()
    one = enter(queue, a_ticket("alice", keys=("a", "b")))
    two = enter(queue, a_ticket("bob", keys=("a", "b")))
    queue.postpone(two, "a", until=T0 + 1)
    queue.postpone(one, "b", until=T0 + 1)
    queue.postpone(two, "a", until=T0 + 1)
    assert queue.choose(now=T0 + 1) is two
    queue.leave(two)
    assert queue.choose(now=T0 + 1) is one


def test_what_a_higher_priority_waits_for_is_not_taken_by_a_lower_one() -> None:
    queue = a_queue()
    first = enter(queue, a_ticket("alice"))
    batch = enter(queue, a_ticket("bob", priority="batch"))
    queue.postpone(batch, ORG, until=T0)
    queue.postpone(first, ORG, until=T0 + 1)
    assert queue.choose(now=T0) is None
    assert queue.holder({ORG}, "batch") == ORG
    assert queue.choose(now=T0 + 1) is first


def test_a_newcomer_overtakes_those_of_lower_priority_only() -> None:
    queue = a_queue()
    enter(queue, a_ticket("bob", priority="batch"))
    assert queue.holder({ORG}, "interactive") is None
    assert queue.holder({ORG}, "batch") == ORG
    assert queue.holder({"other"}, "batch") is None


def test_something_given_back_lets_those_ask_who_wait_for_it() -> None:
    queue = a_queue()
    place = enter(queue, a_ticket())
    queue.postpone(place, ORG, until=T0 + 3)
    queue.free({"other"}, now=T0)
    assert queue.choose(now=T0) is None
    queue.free({ORG}, now=T0 + 1)
    assert queue.choose(now=T0 + 1) is place


def test_who_leaves_is_gone_and_twice_does_no_harm() -> None:
    queue = a_queue()
    first, second = enter(queue, a_ticket()), enter(queue, a_ticket())
    queue.leave(first)
    queue.leave(first)
    queue.serve(first, now=T0)
    assert queue.choose(now=T0) is second
    queue.serve(second, now=T0)
    queue.serve(second, now=T0)
    queue.leave(second)
    assert len(queue) == 0


@pytest.mark.parametrize("values", [{"per_user": 0}, {"total": 0}, {"max_wait": 0.0}])
def test_a_queue_without_room_or_time_is_a_config_error(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        FairnessConfig(**values)  # type: ignore[arg-type]
