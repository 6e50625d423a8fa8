"""What the ordinary suite shows for a thousand bodies, for ten thousand others."""

import pytest

from tests.doors.odd_bytes import differences

SEED = 7
COUNT = 10_000


@pytest.mark.requirement("wire:bytes")
def test_ten_thousand_odd_bodies_and_answers_cut_anywhere_pass_byte_for_byte() -> None:
    assert differences(SEED, COUNT) == []
