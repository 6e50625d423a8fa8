from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.summary import LONGEST, MOST_SENTENCES, Said, extract, shortened, tokens_of

TALK = [
    Said(who="user", text="Hello! I am planning a trip to Jeju. My budget for the Jeju trip is 800,000 won."),
    Said(
        who="assistant",
        text="Wonderful. Jeju is lovely in spring. A budget of 800,000 won is enough for Jeju.",
    ),
    Said(who="user", text="I am allergic to shrimp, so no shrimp on the trip please."),
    Said(who="assistant", text="Noted: no shrimp on the trip."),
]


def test_a_summary_has_what_comes_up_again_and_says_who_said_it() -> None:
    summary = extract(TALK, 60)
    assert "User: My budget for the Jeju trip is 800,000 won." in summary.splitlines()
    assert "Hello" not in summary


def test_a_summary_says_nothing_twice() -> None:
    again = [*TALK, Said(who="assistant", text="No shrimp on the trip!")]
    assert extract(again, 1_000).count("shrimp") < 4


def test_a_summary_keeps_the_order_of_what_was_said() -> None:
    lines = extract(TALK, 1_000).splitlines()
    assert lines.index("User: My budget for the Jeju trip is 800,000 won.") < next(
        at for at, line in enumerate(lines) if "allergic" in line
    )


def test_korean_is_summed_up_as_well() -> None:
    said = [
        Said(
            who="user",
            text="안녕하세요. 결제 서버의 서킷 브레이커가 오늘 세 번 열렸습니다.\n서킷을 어떻게 점검하나요?",
        ),
        Said(who="assistant", text="결제 서버의 로그를 먼저 보세요. 서킷 설정은 실패 5회입니다."),
    ]
    assert "서킷 브레이커가" in extract(said, 120)


def test_what_an_earlier_summary_said_is_kept_as_it_was() -> None:
    earlier = Said(who="summary", text="User: My name is Mina.\nAssistant: The answer is 42.")
    assert extract([earlier], 100).splitlines() == ["User: My name is Mina.", "Assistant: The answer is 42."]


def test_of_a_very_long_talk_the_newest_sentences_are_weighed() -> None:
    said = [Said(who="user", text=f"Item {n} has word{n}x.") for n in range(MOST_SENTENCES + 5)]
    summary = extract(said, 1_000_000)
    assert "Item 4 " not in summary
    assert "Item 5 " in summary


def test_a_sentence_without_an_end_is_cut() -> None:
    (line,) = extract([Said(who="user", text="tea " * 1_000)], 10_000).splitlines()
    assert len(line) == len("User: ") + LONGEST


def test_nothing_makes_no_summary() -> None:
    assert extract([], 100) == ""
    assert extract([Said(who="user", text="…!\n?")], 100) == ""


@given(
    st.lists(st.builds(Said, who=st.sampled_from(["user", "assistant", "summary"]), text=st.text())),
    st.integers(0, 200),
)
def test_no_summary_is_longer_than_it_may_be(said: list[Said], tokens: int) -> None:
    assert tokens_of(extract(said, tokens)) <= tokens


@given(st.text(), st.integers(-1, 50))
def test_what_is_shortened_fits_and_is_the_beginning(text: str, tokens: int) -> None:
    short = shortened(text, tokens)
    assert tokens_of(short) <= max(0, tokens)
    assert text.encode("utf-8", "replace").decode().startswith(short.encode("utf-8", "replace").decode())
