"""How figures and foreign texts look on a page: money, lengths of time, and letters that would hide or turn round."""

from decimal import Decimal

LONGEST = 2_000
"""Letters of a foreign text that a page shows."""
_MARK = "�"
BILLION, THOUSAND, MINUTE = 1_000_000_000, 1_000, 60_000


def visible(text: object, most: int = LONGEST) -> str:
    """A foreign text with every letter to be seen: what turns the direction, moves or hides stands as a mark."""
    shown = str(text)[: most + 1]
    cut = len(shown) > most
    letters = "".join(one if one.isprintable() or one == "\n" else _MARK for one in shown[:most])
    return f"{letters}…" if cut else letters


def usd(amount: object) -> str:
    """Dollars, exact to the cent, or with the digits that a small amount needs; a dash for none."""
    if amount is None:
        return "–"
    dollars = Decimal(str(amount))
    if dollars == 0:
        return "$0"
    if abs(dollars) >= 1:
        return f"${dollars:,.2f}"
    if abs(dollars) < Decimal("0.000001"):
        return "< $0.000001"
    return f"${dollars.quantize(Decimal('0.000001')).normalize():f}"


def number(value: object) -> str:
    """A whole number with its thousands apart; a dash for none."""
    return "–" if value is None else f"{int(str(value)):,}"


def duration(ms: object) -> str:
    """Milliseconds as people say them; a dash for none."""
    if ms is None:
        return "–"
    length = float(str(ms))
    if length < 10:
        return f"{length:.1f} ms"
    if length < THOUSAND:
        return f"{length:.0f} ms"
    if length < MINUTE:
        return f"{length / THOUSAND:.2f} s"
    return f"{length / MINUTE:.1f} min"
