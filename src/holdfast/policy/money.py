"""Money as holdfast counts it: whole pico-dollars inside, exact decimal dollars at the edges."""

from decimal import Decimal, InvalidOperation
from fractions import Fraction

from holdfast.errors import ConfigError
from holdfast.language import Sentence

PICO = 10**12
"""Pico-dollars in a dollar; every price per token of the Messages API is a whole number of them."""

PLACES = 12
CENTS = 2

LARGEST_EXPONENT = 30
"""An amount beyond 10**30 is a slip of the keyboard, and its digits would fill the memory."""

Money = str | int | Decimal


def exact(amount: object, *, name: str) -> Decimal:
    """`amount` as a finite decimal; raises `ConfigError` for floats, booleans and what is no number.

    Why no floats: 0.1 + 0.2 dollars is not 0.3, and a sum of a million of them is off by cents.
    """
    if isinstance(amount, bool | float):
        raise ConfigError(
            Sentence(
                f"{name} is the {type(amount).__name__} {amount!r}, which cannot hold dollars exactly: "
                f'write it as text ("{amount}"), int or Decimal',
                ko=f"{name} 값 {amount!r}은(는) {type(amount).__name__}이라 금액을 정확히 담지 못합니다. "
                f'문자열("{amount}")이나 int, Decimal로 적어 주세요',
            )
        )
    if isinstance(amount, str | int | Decimal):
        number = _decimal(amount)
        if number.is_finite() and abs(number.adjusted()) <= LARGEST_EXPONENT:
            return number
    shown = repr(amount)[:80]
    raise ConfigError(
        Sentence(
            f'{name} is {shown}, which is no amount of dollars: write a number such as "2.50"',
            ko=f'{name} 값 {shown}은(는) 금액이 아닙니다. "2.50"처럼 숫자로 적어 주세요',
        )
    )


def pico(amount: object, *, name: str) -> int:
    """Dollars as whole pico-dollars; raises `ConfigError` where that would not be exact."""
    scaled = Fraction(exact(amount, name=name)) * PICO
    if scaled.denominator != 1:
        raise ConfigError(
            Sentence(
                f"{name} is {amount}, finer than a pico-dollar: write at most 12 decimal places",
                ko=f"{name} 값 {amount}은(는) 1피코달러보다 작은 단위까지 내려갑니다. "
                "소수점 아래 12자리까지만 적어 주세요",
            )
        )
    return scaled.numerator


def dollars(amount: int) -> Decimal:
    """Pico-dollars as exact dollars, in cents or finer; the caller's decimal context does not matter."""
    places = PLACES
    while places > CENTS and amount % 10 == 0:
        amount //= 10
        places -= 1
    return Decimal(f"{amount}E-{places}")


def plain(amount: Decimal) -> str:
    """Dollars as digits without an exponent and without idle zeros: `0.0123`."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(amount: str | int | Decimal) -> Decimal:
    try:
        return Decimal(amount)
    except InvalidOperation:
        return Decimal("NaN")
