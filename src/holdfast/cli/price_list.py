"""The price list as a table and as plain data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from unicodedata import east_asian_width

from holdfast.language import Language, Sentence
from holdfast.policy import money
from holdfast.policy.charge import scaled
from holdfast.policy.price_table import PICO_PER_MTOK_DOLLAR, Card, PricedModel, PriceTable
from holdfast.policy.pricing import day_of

KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One card of one model; prices are dollars per million tokens, as decimal text."""

    model: str
    card: str
    above: int | None
    prices: dict[str, str | None]
    since: str | None
    status: str
    retires: str | None
    retires_not_before: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """The cards of one day."""

    rows: tuple[Row, ...]
    web_search: str

    def plain(self) -> list[dict[str, object]]:
        """One object a card."""
        return [
            {
                "model": row.model,
                "card": row.card,
                "above_prompt_tokens": row.above,
                **row.prices,
                "effective_from": row.since,
                "status": row.status,
                "retires": row.retires,
                "retires_not_before": row.retires_not_before,
            }
            for row in self.rows
        ]

    def text(self, language: Language) -> str:
        """A table with a headline, and the price of a web search below."""
        table = [[head.say(language) for head in _HEADS]]
        table += [_cells(row, language) for row in self.rows]
        widths = [max(_width(line[column]) for line in table) for column in range(len(_HEADS))]
        lines = ["  ".join(map(_padded, line, widths)).rstrip() for line in table]
        search = Sentence(
            f"Dollars per million tokens. A web search is {self.web_search} dollars.",
            ko=f"백만 토큰당 달러입니다. 웹 검색은 한 번에 {self.web_search}달러입니다.",
        )
        return "\n".join([*lines, "", search.say(language)])


def sheet(table: PriceTable, at: datetime) -> Sheet:
    """Every card that applies on the day of a moment."""
    rows = [row for model in table.models.values() for row in _rows(model, at)]
    return Sheet(rows=tuple(rows), web_search=money.plain(money.dollars(table.web_search)))


def _rows(model: PricedModel, at: datetime) -> Iterator[Row]:
    day = day_of(at)
    since: date | None = None
    found: list[tuple[str, int | None, Card | None]] = [("not public", None, None)]
    if model.periods:
        period = model.period(day)
        since = period.starts
        found = [("standard", None, period.standard)]
        found += [("long prompt", limit, card) for limit, card in period.bands]
        found += [("fast", None, quick)] if (quick := period.fast_on(day)) else []
    facts = model.facts
    for name, above, card in found:
        yield Row(
            model=facts.id,
            card=name,
            above=above,
            prices={kind: _dollars(card, kind, model.scales.plain) for kind in KINDS},
            since=None if since is None else f"{since}",
            status="retired" if facts.is_retired(day) else facts.status,
            retires=None if facts.retires is None else f"{facts.retires}",
            retires_not_before=None if facts.retires_not_before is None else f"{facts.retires_not_before}",
        )


def _dollars(card: Card | None, kind: str, scale: Fraction) -> str | None:
    if card is None:
        return None
    price: int = getattr(card, kind)
    return money.plain(money.dollars(scaled(price, scale) * money.PICO // PICO_PER_MTOK_DOLLAR))


def _cells(row: Row, language: Language) -> list[str]:
    above = Sentence(f"above {row.above:,} tokens", ko=f"{row.above:,}토큰 초과") if row.above else None
    ends = row.retires or (f">= {row.retires_not_before}" if row.retires_not_before else "")
    return [
        row.model,
        row.card if above is None else above.say(language),
        *(price or "-" for price in row.prices.values()),
        row.since or "",
        row.status,
        ends,
    ]


def _width(text: str) -> int:
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


_HEADS = (
    Sentence("model", ko="모델"),
    Sentence("card", ko="구분"),
    Sentence("input", ko="입력"),
    Sentence("output", ko="출력"),
    Sentence("cache read", ko="캐시 읽기"),
    Sentence("write 5m", ko="쓰기 5분"),
    Sentence("write 1h", ko="쓰기 1시간"),
    Sentence("since", ko="적용일"),
    Sentence("status", ko="상태"),
    Sentence("retires", ko="종료일"),
)
