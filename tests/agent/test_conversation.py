"""The memory of conversations: bounded, whatever is put in."""

import pytest

from holdfast.agent import conversation
from holdfast.agent.conversation import Conversations


def test_a_conversation_keeps_its_newest_pairs_of_question_and_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation, "MESSAGES", 4)
    kept = Conversations()
    for n in range(5):
        kept.add("a", f"question {n}", f"answer {n}")

    assert [turn["content"] for turn in kept.history("a")] == [
        "question 3",
        "answer 3",
        "question 4",
        "answer 4",
    ]
    assert [turn["role"] for turn in kept.history("a")] == ["user", "assistant"] * 2


def test_beyond_their_number_the_one_unused_longest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "CONVERSATIONS", 2)
    kept = Conversations()
    for name in ("a", "b", "a", "c"):
        kept.add(name, "q", "a")

    assert [len(kept.history(name)) for name in "abc"] == [4, 0, 2]


def test_beyond_their_size_the_one_unused_longest_goes_but_never_the_newest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conversation, "CHARACTERS", 100)
    kept = Conversations()
    for name in ("a", "b", "c"):
        kept.add(name, "q" * 20, "a" * 20)
    assert [len(kept.history(name)) for name in "abc"] == [0, 2, 2]

    kept.add("d", "q" * 500, "a")
    assert [len(kept.history(name)) for name in "abcd"] == [0, 0, 0, 2]
    kept.add("e", "q", "a")
    assert [len(kept.history(name)) for name in "de"] == [0, 2]
