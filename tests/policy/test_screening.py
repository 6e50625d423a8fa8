"""What the rule engine finds, what it lets pass, and what it costs."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.expressions import REPEAT_CEILING, compiled, needs
from holdfast.policy.rulebook import parse_rules
from holdfast.policy.screening import (
    Channel,
    Exemption,
    Finding,
    Pattern,
    Reach,
    Rule,
    ScreenConfig,
    judge,
    screen,
)

WHY = Sentence("Forbidden here.", ko="여기서는 안 됩니다.")
UNLESS = Exemption(negated=r"\bnot $", before=r"\bexplain\b", after=r"['\"]? attacks", quoted=r"\bphrase\b")


def rule(
    *steps: str, gap: int = 10, reach: Reach = "every", channels: tuple[Channel, ...] = ("user", "tool"),
    unless: Exemption | None = None, weight: float = 0.9,
) -> Rule:  # fmt: skip
    return Rule(
        id="test",
        patterns=(Pattern(steps=steps, gap=gap, loose=tuple(step.replace(r"\b", "") for step in steps)),),
        description=WHY,
        weight=weight,
        reach=reach,
        channels=channels,
        unless=unless,
    )


def finding(weight: float) -> Finding:
    return Finding(
        rule="r", language="any", start=0, end=1, excerpt="x", view="folded", weight=weight, reason=WHY
    )


# --- matching ---------------------------------------------------------------------------------------


def test_a_finding_shows_what_was_said_and_where() -> None:
    text = "Well. OPEN\u200b  the  Gate now"
    (found,) = screen(text, [rule("open", "gate")])
    assert found.excerpt == "open the gate"
    assert text[found.start : found.end] == "OPEN\u200b  the  Gate"
    assert (found.view, found.reason, found.weight) == ("folded", WHY, 0.9)


def test_steps_must_stand_in_their_order() -> None:
    assert not screen("gate, open", [rule("open", "gate")])


def test_steps_must_stand_near_each_other() -> None:
    assert not screen("open the very old and heavy gate", [rule("open", "gate")])


@pytest.mark.parametrize("text", ["open. The gate", "open!\n\ngate", "open。gate", "open\n\ngate"])
def test_steps_must_stand_in_one_sentence(text: str) -> None:
    assert not screen(text, [rule("open", "gate")])


def test_the_nearest_first_step_counts() -> None:
    assert screen("open the old door, open the gate", [rule("open", "gate")])


def test_a_disguised_match_weighs_more_than_a_plain_one() -> None:
    (found,) = screen("o p e n   g a t e", [rule("open", "gate")])
    assert found.view == "joined"
    assert found.weight == pytest.approx(0.94)


def test_words_run_together_are_matched_without_their_edges() -> None:
    (found,) = screen("#pleaseOpenTheGateNow", [rule(r"\bopen\b", r"\bgate\b")])
    assert (found.view, found.excerpt) == ("run", "openthegate")


def test_a_rule_is_reported_once_however_often_it_matches() -> None:
    assert len(screen("open gate open gate 0p3n gate", [rule("open", "gate")])) == 1


def test_a_rule_for_tools_does_not_read_users() -> None:
    rules = [rule("open", channels=("tool",))]
    assert not screen("open", rules, channel="user")
    assert screen("open", rules, channel="tool")


def test_a_plain_rule_does_not_read_what_was_decoded() -> None:
    rules = [rule("open", "gate", reach="plain")]
    assert not screen("o p e n   g a t e", rules)
    assert screen("Open gate", rules)


def test_a_source_rule_reads_what_folding_removes() -> None:
    assert screen("a\u202eb", [rule("\u202e", reach="source")])
    assert not screen("a\u202eb", [rule("\u202e")])


def test_a_rule_is_not_tried_where_what_it_requires_is_missing() -> None:
    korean = Rule(id="k", patterns=(Pattern(steps=("x",)),), description=WHY, requires="[가-힣]")
    assert not screen("x", [korean])
    assert screen("x 가", [korean])


# --- no attack --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Do not open the gate.",
        "Please explain how they open the gate.",
        "Which 'open the gate' attacks are known?",
        'Is the phrase "open the gate" polite?',
        "Is the phrase `open the gate` polite?",
    ],
)
def test_a_match_that_is_forbidden_or_discussed_is_no_finding(text: str) -> None:
    assert not screen(text, [rule("open", "gate", unless=UNLESS)])


@pytest.mark.parametrize(
    "text",
    [
        "Open the gate.",
        'He said "open the gate".',
        "Explain it. Then open the gate.",
        "Not that. Open the gate.",
        "The phrase is short. Open the gate.",
        "Explain how they open the gate. Now open the gate.",
    ],
)
def test_a_match_outside_its_exemption_is_a_finding(text: str) -> None:
    assert screen(text, [rule("open", "gate", unless=UNLESS)])


def test_a_flood_of_quoted_examples_hides_nothing() -> None:
    assert screen("Which 'open the gate' attacks are known? " * 60, [rule("open", "gate", unless=UNLESS)])


# --- the verdict ------------------------------------------------------------------------------------


def test_no_finding_scores_zero() -> None:
    verdict = judge((), ScreenConfig())
    assert (verdict.score, verdict.action) == (0, "allow")


@pytest.mark.parametrize(
    ("weights", "action"), [((0.4,), "allow"), ((0.4, 0.4), "flag"), ((0.6, 0.6), "block")]
)
def test_weak_findings_add_up(weights: tuple[float, ...], action: str) -> None:
    assert judge([finding(weight) for weight in weights], ScreenConfig()).action == action


def test_a_detector_adds_to_the_findings() -> None:
    assert judge([finding(0.5)], ScreenConfig(), detected=0.5).score == 0.75


@given(st.lists(st.floats(0.01, 1), max_size=6), st.floats(0, 1))
def test_a_score_is_a_probability_and_never_below_the_surest_finding(
    weights: list[float], detected: float
) -> None:
    score = judge([finding(weight) for weight in weights], ScreenConfig(), detected=detected).score
    assert 0 <= score <= 1
    assert score >= max([*weights, detected]) - 1e-4


@pytest.mark.parametrize(
    ("flag_at", "block_at"), [(0.0, 0.5), (0.6, 0.5), (0.5, 1.5)]
)  # fmt: skip
def test_thresholds_out_of_order_are_refused(flag_at: float, block_at: float) -> None:
    with pytest.raises(ConfigError, match=r"screen\.flag_at"):
        ScreenConfig(flag_at=flag_at, block_at=block_at)


def test_a_length_limit_of_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="no text through"):
        ScreenConfig(max_length=0)


# --- expressions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", [r"(\w+\s?)*$", "(a+)+b", "(a|aa)+", "(?:a?){40}", "((a*)b)+", "(?P<x>a*)*"]
)
def test_an_expression_that_could_take_forever_is_refused(source: str) -> None:
    with pytest.raises(ConfigError, match="forever") as caught:
        rule(source)
    assert "반복" in caught.value.say("ko")


@pytest.mark.parametrize("source", ["(", "[a", "a{2,1}", "*a", r"(?P<x>a)(?P<x>b)"])
def test_a_broken_expression_is_refused(source: str) -> None:
    with pytest.raises(ConfigError, match="no regular expression"):
        rule(source)


@pytest.mark.parametrize("weight", [0, -1, 1.1])
def test_a_weight_outside_its_range_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match="weight"):
        rule("a", weight=weight)


@pytest.mark.parametrize(
    ("source", "bounded"),
    [
        ("ab*c", "ab{0,200}c"),
        ("ab+?c", "ab{1,200}?c"),
        ("ab++c", "ab{1,200}+c"),
        ("a{3,}", "a{3,203}"),
        ("a{,3}", "a{0,3}"),
        ("a{2}", "a{2,2}"),
        (r"\*[*+]\+", r"\*[*+]\+"),
        ("[]*]+", "[]*]{1,200}"),
        ("(?<=a)b(?!c)", "(?<=a)b(?!c)"),
        ("(?:ab){2}(?i:c)", "(?:ab){2,2}(?i:c)"),
        ("(?:ab?){1}", "(?:ab?){1,1}"),
    ],
)
def test_every_repeat_gets_a_ceiling(source: str, bounded: str) -> None:
    assert compiled(source).pattern == bounded
    assert REPEAT_CEILING == 200


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("ignore|forget", {"ignore", "forget"}),
        (r"\b(?:ignor(?:e|ing)|drop)\b", {"ignor", "drop"}),
        ("Colou?r mode", {"r mode"}),
        ("ab{2}c", {"ab"}),
        ("a|", set[str]()),
        (r"\w+|abc", set[str]()),
        ("(?!foo)bar", {"bar"}),
        ("(?:x)?yes", {"yes"}),
        ("(?:xy){2}a", {"xy"}),
    ],
)
def test_what_a_match_cannot_do_without_is_known(source: str, needed: set[str]) -> None:
    assert needs(source) == needed


@given(st.sampled_from(["ignor(?:e|ing)", "ab{2,3}c?d", "(?:ab|cd)e+f", "x?y(?:z|w)", "ab|c?d"]), st.data())
@settings(max_examples=60, deadline=None)
def test_a_match_always_holds_one_of_its_needs(source: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(source, fullmatch=True))
    assert any(part in text for part in needs(source))


# --- rule files -------------------------------------------------------------------------------------

BOOK = """
language = "xx"
[words]
open = ['open', 'unlock the']
[unless]
negated = ['not $']
before = []
after = []
quoted = []
[[rules]]
id = "xx-gate"
patterns = [['{open}', 'gäte']]
en = "Opens the gate."
ko = "문을 엽니다."
"""


def test_a_rule_file_is_read_with_its_words_in_place() -> None:
    (found,) = screen("Please UNLOCK  the big Gate!", parse_rules(BOOK))
    assert (found.rule, found.language) == ("xx-gate", "xx")
    assert found.reason.say("ko") == "문을 엽니다."


@pytest.mark.parametrize("text", ["reopen the gate", "not open the gate", "open the gates"])
def test_words_of_a_rule_file_are_whole_words_and_may_be_negated(text: str) -> None:
    assert not screen(text, parse_rules(BOOK))


def test_words_run_together_match_a_rule_file_too() -> None:
    assert screen("pleaseunlockthegate", parse_rules(BOOK))


def test_in_a_language_without_spaces_a_blank_is_optional() -> None:
    book = (
        'language = "yy"\nspaced = false\n[[rules]]\nid = "r"\npatterns = [["문 열어"]]\nen = "x"\nko = "y"\n'
    )
    assert screen("문열어", parse_rules(book))
    assert screen("문 열어라", parse_rules(book))


@pytest.mark.parametrize(
    "toml",
    [
        "language = ",
        'language = "x"\nrules = []\nwat = 1',
        'language = "x"',
        'rules = [{id = "a"}]\nlanguage = "x"',
    ],
)
def test_a_faulty_rule_file_is_refused(toml: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        parse_rules(toml)


def test_words_that_are_not_listed_are_refused() -> None:
    with pytest.raises(ConfigError, match="'closed'"):
        parse_rules(BOOK.replace("{open}", "{closed}"))


# --- cost -------------------------------------------------------------------------------------------


def test_a_search_grows_with_the_text_and_not_with_its_square() -> None:
    """Every repeat is bounded, so a search looks at no more than a fixed number of characters a place."""
    pattern = compiled(".*open.*")
    assert "*" not in pattern.pattern
    assert re.sub(r"\{\d+,\d+\}", "", pattern.pattern) == ".open."


@pytest.mark.parametrize("unit", ["open ", "gate ", "open'gate' ", "o p e n ", '"open ', "открой "])
def test_a_long_hostile_text_is_read_to_its_end(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    assert screen(text + ". open the gate", [rule("open", "gate", unless=UNLESS)])
