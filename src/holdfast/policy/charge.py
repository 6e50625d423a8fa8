"""A charge: what one message costs, with every product it is the sum of."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from holdfast.policy import money
from holdfast.policy.price_table import Card
from holdfast.wire.usage import TokenCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One product of a charge: so many tokens (or searches) at so many pico-dollars each."""

    name: str
    source: str
    model: str
    card: str
    quantity: int
    unit_pico: int
    """Pico-dollars each, with `scale` in it."""
    scale: Fraction = Fraction(1)
    """Batch, US inference and the operator's multiplier together."""

    @property
    def pico(self) -> int:
        """The product."""
        return self.quantity * self.unit_pico


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sampling iteration with the card and the scale it is billed by."""

    source: str
    model: str
    card: Card
    scale: Fraction
    counts: TokenCounts

    def products(self) -> Iterator[tuple[str, int, int]]:
        """(kind, tokens, pico-dollars per token) of every kind of token that was used."""
        counts, card = self.counts, self.card
        long_lived = counts.cache_creation_1h_input_tokens
        for kind, tokens, price in (
            ("input", counts.input_tokens, card.input),
            ("output", counts.output_tokens, card.output),
            ("cache_read", counts.cache_read_input_tokens, card.cache_read),
            ("cache_write_5m", max(0, counts.cache_creation_input_tokens - long_lived), card.cache_write_5m),
            ("cache_write_1h", long_lived, card.cache_write_1h),
        ):
            if tokens:
                yield kind, tokens, scaled(price, self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a message costs, with everything needed to show why."""

    model: str
    day: date
    version: str
    """The price list this was computed from."""
    pico: int
    assumed: bool
    """Some of it is at the dearest known price, because no price is known for a model."""
    lines: tuple[Line, ...]
    searches: int
    search_pico: int

    @property
    def usd(self) -> Decimal:
        """Exact dollars."""
        return money.dollars(self.pico)

    @property
    def terms(self) -> tuple[Term, ...]:
        """The products that the charge is the sum of; those of zero tokens are left out."""
        terms = [
            Term(
                name=kind,
                source=line.source,
                model=line.model,
                card=line.card.name,
                quantity=tokens,
                unit_pico=unit,
                scale=line.scale,
            )
            for line in self.lines
            for kind, tokens, unit in line.products()
        ]
        if self.searches:
            terms.append(
                Term(
                    name="web_search",
                    source="server_tool",
                    model=self.model,
                    card="server_tool",
                    quantity=self.searches,
                    unit_pico=self.search_pico,
                )
            )
        return tuple(terms)


def scaled(price: int, scale: Fraction) -> int:
    """A price per token times a scale, rounded up where that is no whole number of pico-dollars.

    List prices never need it; see `PricingConfig.multiplier`.
    """
    return -(-price * scale.numerator // scale.denominator)
