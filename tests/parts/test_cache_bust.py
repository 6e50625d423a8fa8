"""The memory of conversations: one for each, bounded, and without a word of them."""

import threading

from holdfast.parts.cache_bust import OVERHEAD, SIDE_BY_SIDE, Conversations
from holdfast.policy.cache_bust import Sent
from tests.policy.test_cache_bust import prefix_of, sent

KIM = ("web", "kim", None, None)
LEE = ("web", "lee", None, None)


def turn(*messages: str, settled: str = "s") -> Sent:
    return sent(prefix_of([settled], list(messages)), written=5_000)


def test_a_conversation_is_gone_on_with() -> None:
    known = Conversations(b"key")
    assert known.follow(KIM, turn("a", "b", "c"))[0] is None
    before, after = known.follow(KIM, turn("a", "b", "c", "d"))
    assert before is not None
    assert before.name == after.name


def test_side_questions_do_not_end_a_conversation() -> None:
    known = Conversations(b"key")
    known.follow(KIM, turn("a", "b", "c"))
    for number in range(SIDE_BY_SIDE - 1):
        assert known.follow(KIM, turn(f"side {number}", "x", f"y{number}"))[0] is None
    assert known.follow(KIM, turn("a", "b", "c", "d"))[0] is not None


def test_of_too_many_side_by_side_the_one_left_alone_the_longest_is_forgotten() -> None:
    known = Conversations(b"key")
    known.follow(KIM, turn("a", "b", "c"))
    for number in range(SIDE_BY_SIDE):
        known.follow(KIM, turn(f"{number}", f"x{number}", f"y{number}"))
    assert known.follow(KIM, turn("a", "b", "c", "d"))[0] is None


def test_two_callers_have_nothing_in_common() -> None:
    known = Conversations(b"key")
    _, kims = known.follow(KIM, turn("a", "b", "c"))
    before, lees = known.follow(LEE, turn("a", "b", "c"))
    assert before is None
    assert lees.name != kims.name


def test_a_name_cannot_be_guessed_without_the_key() -> None:
    one, other = Conversations(b"key"), Conversations(b"another")
    assert one.follow(KIM, turn("a"))[1].name != other.follow(KIM, turn("a"))[1].name


def test_room_is_bounded_whatever_comes() -> None:
    room = 10 * (OVERHEAD + 4 * 8)
    known = Conversations(b"key", room)
    for number in range(1_000):
        known.follow(("web", f"user {number}", None, None), turn("a", "b", "c"))
        assert known.taken <= room
    newest = ("web", "user 999", None, None)
    assert known.follow(newest, turn("a", "b", "c", "d"))[0] is not None


def test_many_threads_keep_the_count_right() -> None:
    known = Conversations(b"key")

    def work(name: str) -> None:
        for number in range(50):
            known.follow(("web", name, None, None), turn(*(f"{name}{n}" for n in range(3 + number))))

    threads = [threading.Thread(target=work, args=(f"user {n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert known.taken == 8 * (OVERHEAD + (52 + 1) * 8)


def test_what_is_secret_is_not_shown() -> None:
    assert "key" not in repr(Conversations(b"key")).replace("_key", "")
