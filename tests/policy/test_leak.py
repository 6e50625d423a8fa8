"""A system prompt is recognised however it is given away, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.inspection import Inspection, Surroundings
from holdfast.policy.leak import Leak, LeakDetector, quotable
from holdfast.policy.leak_encoded import decoded_spans
from holdfast.policy.leak_index import Prompt, Prompts
from holdfast.policy.leak_text import cut_at, squeeze, tokens, unescape
from holdfast.policy.output import OutputConfig
from tests.policy.leak_styles import ON_THE_SUBJECT, PROMPTS, STYLES, ordinary_answers

INDEXED = {prompt: Prompt.of(prompt) for prompt in PROMPTS}
HOTEL, PLANS, BOOKS, PLANTS = PROMPTS


def is_caught(prompt: str, answer: str, *, size: int = 10_000, known: str = "") -> bool:
    """Whether an answer that comes in pieces of `size` characters is taken for a leak of the prompt."""
    surroundings = Surroundings(prompt=INDEXED[prompt], quoted=lambda: quotable(known))
    inspection = Inspection(OutputConfig(), surroundings)
    inspection.open("content.0", "text")
    for at in range(0, len(answer), size):
        inspection.feed(answer[at : at + size])
    inspection.close()
    return any(finding.kind == "leak" for finding in inspection.findings)


def leaks(detector: LeakDetector, text: str) -> list[Leak]:
    return detector.feed(text) + detector.rest()


@pytest.mark.parametrize("size", [3, 37, 10_000])
@pytest.mark.parametrize("style", STYLES)
def test_a_prompt_is_recognised_in_every_style_and_however_it_is_cut(style: str, size: int) -> None:
    answers = [f"Certainly, here it is:\n{STYLES[style](prompt)}\nAnything else?" for prompt in PROMPTS]

    caught = [is_caught(prompt, said, size=size) for prompt, said in zip(PROMPTS, answers, strict=True)]

    assert all(caught)


def test_ordinary_answers_are_left_alone() -> None:
    answers = [*ordinary_answers()]

    alarms = [answer for answer in answers for prompt in PROMPTS if is_caught(prompt, answer)]

    assert len(alarms) <= 0.005 * len(answers) * len(PROMPTS)
    assert not set(alarms) & set(ON_THE_SUBJECT)


@pytest.mark.parametrize(
    "prompt",
    ["", "Be brief.", "You are a helpful assistant.", "당신은 친절한 비서입니다."],
)
def test_a_prompt_that_could_be_anybodys_is_not_watched(prompt: str) -> None:
    assert not Prompt.of(prompt).is_tellable


def test_phrases_that_every_prompt_has_are_no_leak_by_themselves() -> None:
    prompt = Prompt.of(
        "You are a helpful assistant. Answer the question of the user in the same language. Be polite."
    )

    assert (
        leaks(LeakDetector(prompt), "I answer the question of the user in the same language, of course.")
        == []
    )


def test_what_the_caller_has_quoted_himself_is_no_leak() -> None:
    quoted = PLANTS[:200]

    assert is_caught(PLANTS, f"You wrote: {quoted}")
    assert not is_caught(PLANTS, f"You wrote: {quoted}", known=f"What does this mean? {quoted}")
    assert is_caught(PLANTS, f"You wrote: {PLANTS}", known=f"What does this mean? {quoted}")


def test_a_caller_who_is_looked_up_too_often_is_not_believed_any_more() -> None:
    asked: list[str] = []

    def known() -> str:
        asked.append("again")
        return quotable(PLANTS)

    detector = LeakDetector(INDEXED[PLANTS], known)
    found = [
        detector.feed(f" {PLANTS[at * 40 : at * 40 + 60]} and so it goes. ")
        for _ in range(60)
        for at in range(9)
    ]

    assert found[0] == []
    assert found[-1]
    assert len(asked) == 200


def test_the_leak_says_where_it_is_and_which_part_it_begins_in() -> None:
    before = "Sure:\n"
    for first, part in ((0, "start"), (len(PLANTS) // 2, "middle"), (len(PLANTS) - 120, "end")):
        text = PLANTS[first : first + 120].strip()

        *_, leak = leaks(LeakDetector(INDEXED[PLANTS]), f"{before}{text} ... and so on")

        assert leak.part == part
        assert abs(leak.start - len(before)) <= 8
        assert abs(leak.end - len(before) - len(text)) <= 8


def test_a_leak_that_lies_far_back_is_placed_where_memory_begins() -> None:
    long = " ".join(
        f"{chr(97 + at % 26)}heron{chr(97 + at // 26 % 26)}pond{chr(97 + at // 676)}" for at in range(3_000)
    )
    detector = LeakDetector(Prompt.of(long))

    found = [leak for at in range(0, len(long), 500) for leak in detector.feed(long[at : at + 500])]

    assert found[0].start == 0
    assert 0 < found[-1].start < found[-1].end <= len(long)


def test_a_letter_of_any_script_costs_a_bounded_amount_of_memory() -> None:
    every = "".join(chr(point) for point in range(0x3000, 0x12000) if chr(point).isalpha())

    assert squeeze(every) == squeeze(every)


def test_a_leak_grows_as_it_goes_on() -> None:
    detector = LeakDetector(INDEXED[PLANTS])
    found = [leak for at in range(0, len(PLANTS), 50) for leak in detector.feed(PLANTS[at : at + 50])]

    assert {leak.start for leak in found} <= {0, 1}
    assert max(leak.end for leak in found) >= len(PLANTS) - 20
    assert [leak.part for leak in found] == ["start"] * len(found)


def test_short_pieces_add_up_only_if_they_are_near_each_other_and_differ() -> None:
    pieces = [
        "on the campus: the two ginkgos by",
        "behind the boathouse, the moss",
        "answers of the spring herbarium",
        "When a student is stuck three",
    ]

    assert is_caught(PLANTS, " ... ".join(pieces))
    assert not is_caught(PLANTS, " ... ".join(pieces[:1] * 9))
    assert not is_caught(PLANTS, (" something else altogether" * 80).join(pieces))


def test_a_very_long_prompt_is_watched_at_both_ends() -> None:
    long = "".join(
        f"Rule {squeeze(hex(at))} about {chr(97 + at % 26) * 3} and the {at}th heron. " for at in range(9_000)
    )
    prompt = Prompt.of(f"{HOTEL} {long} {PLANTS}")

    assert prompt.skipped > 0
    assert leaks(LeakDetector(prompt), HOTEL)
    assert leaks(LeakDetector(prompt), PLANTS)


def test_an_answer_that_repeats_the_prompt_without_end_is_read_once() -> None:
    detector = LeakDetector(INDEXED[PLANTS])
    longest = f"{PLANTS} " * 500

    found = detector.feed(longest)

    assert len(found) <= 4 * 500
    assert longest[found[-1].start : found[-1].end].startswith("You tutor")


def test_the_prompts_used_last_are_kept_within_bounds() -> None:
    kept = Prompts(most=INDEXED[HOTEL].length + INDEXED[PLANTS].length)
    for text in (HOTEL, PLANTS):
        kept.keep(text, INDEXED[text])
    assert kept.find(HOTEL) is INDEXED[HOTEL]

    kept.keep(PLANS, INDEXED[PLANS])

    assert kept.find(PLANTS) is None
    assert kept.find(PLANS) is INDEXED[PLANS]


@given(st.text(alphabet="ab\\%&u0041;n가 ", max_size=60))
def test_squeezing_character_by_character_is_squeezing_the_whole(text: str) -> None:
    parts = [*tokens(text)]

    assert "".join(units for _, _, units in parts) == squeeze(unescape(text))
    assert [start for start, _, _ in parts] == [0, *(end for _, end, _ in parts)][: len(parts)]


@given(st.text(alphabet="ab\\%&u0041;nE ", max_size=40), st.integers(0, 40))
def test_no_escape_is_cut_in_two(text: str, at: int) -> None:
    whole = cut_at(text[:at])

    assert unescape(text[:at][:whole]) + unescape(text[whole:]) == unescape(text)


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Hello, **WORLD** 12", "helloworld"),
        ("Ｆｕｌｌ ｗｉｄｔｈ", "fullwidth"),
        ("раураl café ①", "paypalcafe"),
        ("漢字かな", "漢漢漢字字字かかなな"),
        ("h\u200be\u200bl", "hel"),
        ("한", "\u1112\u1161\u11ab"),
        ("\u1112\u1161\u11ab", "\u1112\u1161\u11ab"),
    ],
)
def test_letters_are_squeezed_to_what_they_say(text: str, units: str) -> None:
    assert squeeze(text) == units


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a%20b%EA%B0%80", "a b가"),
        (r"a\nb\u0041\x42\ud800", "a bAB "),
        ("&lt;&#65;&#x42;&nope;", "<AB&nope;"),
        ("plain", "plain"),
    ],
)
def test_escapes_are_undone(text: str, plain: str) -> None:
    assert unescape(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("VGhlIGhlcm9uIGlzIGdyZXkuIA==", "The heron is grey."),
        ("54 68 65 20 68 65 72 6f 6e 20 69 73", "The heron is"),
        ("\\x54\\x68\\x65\\x20\\x68\\x65\\x72\\x6f\\x6e\\x20\\x69\\x73", "The heron is"),
        (" ".join(f"{octet:08b}" for octet in b"The heron"), "The heron"),
    ],
)
def test_encoded_stretches_are_decoded(text: str, plain: str) -> None:
    assert plain in [said for _, _, said in decoded_spans(f"x: {text}")]


def test_an_encoded_stretch_that_began_earlier_is_read_all_the_same() -> None:
    code = "VGhlIGhlcm9uIGlzIGdyZXkgYW5kIHdpc2Uu"

    for cut in range(4):
        assert any("is grey" in said for _, _, said in decoded_spans(code[cut:]))
