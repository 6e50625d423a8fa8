"""Money in and out without a lost digit."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.policy import money


@pytest.mark.parametrize(
    ("amount", "pico"),
    [
        ("5", 5 * 10**12),
        (5, 5 * 10**12),
        (Decimal("0.000000000001"), 1),
        ("-2.50", -2_500_000_000_000),
        (0, 0),
    ],
)
def test_dollars_come_in_as_text_int_or_decimal(amount: object, pico: int) -> None:
    assert money.pico(amount, name="limit") == pico


@pytest.mark.parametrize("amount", [0.1, True, 1.0])
def test_a_float_or_a_boolean_is_refused_with_the_reason_in_both_languages(amount: object) -> None:
    with pytest.raises(ConfigError) as caught:
        money.pico(amount, name="limit")
    assert "cannot hold dollars exactly" in caught.value.say("en")
    assert "정확히" in caught.value.say("ko")


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "ten", "", "1e99999", [], None])
def test_what_is_no_amount_is_refused(amount: object) -> None:
    with pytest.raises(ConfigError, match="no amount of dollars"):
        money.pico(amount, name="limit")


def test_an_amount_finer_than_a_pico_dollar_is_refused_instead_of_rounded() -> None:
    with pytest.raises(ConfigError, match="12 decimal places"):
        money.pico("0.0000000000001", name="limit")


@given(st.integers(min_value=-(10**30), max_value=10**30))
def test_pico_dollars_survive_the_way_out_and_in_whatever_the_decimal_context(pico: int) -> None:
    with localcontext() as context:
        context.prec = 3
        out = money.dollars(pico)
        assert money.pico(out, name="back") == pico


@pytest.mark.parametrize(
    ("pico", "text"),
    [(0, "0"), (8 * 10**12, "8"), (12_300_000_000, "0.0123"), (1, "0.000000000001"), (5500, "0.0000000055")],
)
def test_plain_dollars_have_no_exponent_and_no_idle_zeros(pico: int, text: str) -> None:
    assert money.plain(money.dollars(pico)) == text


def test_whole_dollars_keep_their_cents() -> None:
    assert str(money.dollars(8 * 10**12)) == "8.00"


def test_an_integer_amount_is_plain_as_it_is() -> None:
    assert money.plain(Decimal(100)) == "100"
