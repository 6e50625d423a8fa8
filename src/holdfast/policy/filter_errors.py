"""What can be wrong with a filter of requests, each said with the term and the cure."""

import difflib
from collections.abc import Iterable, Sequence

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.filter_fields import FIELDS, Field

LONGEST_SHOWN = 80
_SIGNS = {"=": ":", "!=": "!="}


class FilterUnreadable(ConfigError):
    """A filter of requests has a term that means nothing; `term` is that term as it was written."""

    error_code = "holdfast_filter_unreadable"

    def __init__(self, term: str, problem: Sentence) -> None:
        shown = shown_term(term)
        sentence = Sentence(f"filter: {shown}: {problem.en}", ko=f"필터: {shown}: {problem.ko}")
        super().__init__(sentence, details={"term": term[:LONGEST_SHOWN]})
        self.term = term


def shown_term(text: str) -> str:
    """A term between quotes, no longer than a line, and nothing in it that moves a cursor."""
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 1]}\N{HORIZONTAL ELLIPSIS}"
    return f"`{''.join(letter if letter.isprintable() else '?' for letter in cut)}`"


def no_field(term: str) -> FilterUnreadable:
    """A word that stands alone."""
    word = shown_term(f"model~{term.lstrip('-:=~<>!') or 'sonnet'}").strip("`")
    return FilterUnreadable(
        term,
        Sentence(
            f"this has no field; write field:value, such as {word}",
            ko=f"필드가 없습니다. {word}처럼 필드:값 형식으로 적으세요",
        ),
    )


def unknown_field(term: str, name: str) -> FilterUnreadable:
    """A field that does not exist."""
    return FilterUnreadable(
        term,
        _meant(
            name,
            FIELDS,
            Sentence(f"there is no field {shown_term(name)}", ko=f"{shown_term(name)} 필드는 없습니다"),
            Sentence("fields", ko="쓸 수 있는 필드"),
        ),
    )


def unknown_word(term: str, field: Field, word: str, known: Sequence[str]) -> FilterUnreadable:
    """A word that this field never is."""
    return FilterUnreadable(
        term,
        _meant(
            word,
            known,
            Sentence(
                f"`{field}` is never {shown_term(word)}",
                ko=f"`{field}` 값에 {shown_term(word)}은(는) 없습니다",
            ),
            Sentence("it is one of", ko="쓸 수 있는 값"),
        ),
    )


def wrong_sign(term: str, field: Field, allowed: Iterable[str]) -> FilterUnreadable:
    """A comparison that this field does not know."""
    signs = " ".join(_SIGNS.get(sign, sign) for sign in allowed if sign != "!~")
    return FilterUnreadable(
        term,
        Sentence(
            f"`{field}` cannot be compared like that; it takes {signs}",
            ko=f"`{field}`은(는) 그렇게 비교할 수 없습니다. 쓸 수 있는 기호: {signs}",
        ),
    )


def negated(term: str, instead: str) -> FilterUnreadable:
    """A minus before something that has an opposite of its own, or none."""
    cure = shown_term(instead)
    return FilterUnreadable(
        term,
        Sentence(
            f"a minus goes before `:` and `~` only; write {cure}",
            ko=f"빼기 기호는 `:`와 `~` 조건 앞에만 씁니다. {cure}처럼 적으세요",
        ),
    )


def stray_star(term: str) -> FilterUnreadable:
    """A `*` that is not at the end of a text."""
    return FilterUnreadable(
        term,
        Sentence(
            "`*` may only end a value after `:`; use `~` for what is inside, and quotes where the star is meant",
            ko="`*`는 `:` 뒤 값의 끝에만 쓸 수 있습니다. 중간에 든 글자는 `~`로 찾고, 별표 글자 자체는 따옴표로 묶으세요",
        ),
    )


def stray_quote(term: str) -> FilterUnreadable:
    """A quote that is not closed, or not around a whole value."""
    return FilterUnreadable(
        term,
        Sentence(
            'a quote belongs around a whole value, as in user:"kim lee"; inside, write \\"',
            ko='따옴표는 user:"kim lee"처럼 값 전체를 묶어야 합니다. 값 안의 따옴표는 \\"로 적으세요',
        ),
    )


def empty(term: str) -> FilterUnreadable:
    """No value at all."""
    return FilterUnreadable(
        term,
        Sentence(
            'the value is missing; for requests that have none, write ""',
            ko='값이 없습니다. 값이 비어 있는 요청을 찾으려면 ""를 적으세요',
        ),
    )


def unprintable(term: str) -> FilterUnreadable:
    """Control characters."""
    return FilterUnreadable(
        term, Sentence("a value has no control characters", ko="값에 제어 문자를 넣을 수 없습니다")
    )


def no_number(term: str, field: Field, digits: int, places: int) -> FilterUnreadable:
    """What is no number of this field."""
    if places:
        return FilterUnreadable(
            term,
            Sentence(
                f"`{field}` wants a number such as 0.05, with at most {digits} digits before the point and {places} "
                "behind",
                ko=f"`{field}`에는 0.05 같은 숫자를 적으세요. 소수점 앞은 {digits}자리, 뒤는 {places}자리까지입니다",
            ),
        )
    return FilterUnreadable(
        term,
        Sentence(
            f"`{field}` wants a whole number of at most {digits} digits",
            ko=f"`{field}`에는 {digits}자리 이하의 정수를 적으세요",
        ),
    )


def no_moment(term: str) -> FilterUnreadable:
    """What is no moment."""
    return FilterUnreadable(
        term,
        Sentence(
            "this is no time; write a length such as 1h, a day such as 2026-11-22, a moment such as "
            "2026-11-22T09:30Z, today or yesterday",
            ko="시각이 아닙니다. 1h 같은 길이, 2026-11-22 같은 날짜, 2026-11-22T09:30Z 같은 시각, today, yesterday 중에서 "
            "적으세요",
        ),
    )


def too_long(text: str, most: int) -> FilterUnreadable:
    """More than anybody types."""
    return FilterUnreadable(
        text,
        Sentence(
            f"the filter is too long; {most:,} is the most", ko=f"필터가 너무 깁니다. 최대 {most:,}까지입니다"
        ),
    )


def _meant(word: str, known: Iterable[str], problem: Sentence, listing: Sentence) -> Sentence:
    names = [*known]
    near = difflib.get_close_matches(word.lower(), names, n=1)
    if near:
        return Sentence(
            f"{problem.en}; did you mean `{near[0]}`?", ko=f"{problem.ko}. 혹시 `{near[0]}`인가요?"
        )
    listed = ", ".join(names)
    return Sentence(f"{problem.en}; {listing.en}: {listed}", ko=f"{problem.ko}. {listing.ko}: {listed}")
