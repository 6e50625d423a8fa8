import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.language import Language
from holdfast.wire.language import wanted


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ko", "ko"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("en;q=0.2, ko;q=0.8", "ko"),
        ("KO", "ko"),
        ("fr,de;q=0.9,ko;q=0.1", "ko"),
        ("en;q=1.0,ko;q=1", "en"),
        ("ko;q=0.0,en;q=0.001", "en"),
        (" ko ; q = 0.5 ", "ko"),
    ],
)
def test_the_best_liked_of_our_languages_is_taken(accept: str, language: Language) -> None:
    assert wanted(accept, "en") == language


@pytest.mark.parametrize("accept", [None, "", "fr", "*", "ko;q=0", "kok", "ko;q=2", "ko;level=1", ";;;,,,"])
def test_without_one_of_ours_it_is_the_other(accept: str | None) -> None:
    assert wanted(accept, "en") == "en"
    assert wanted("*", "ko") == "ko"


@given(st.text(alphabet="koen-;q=0.19, *", max_size=60))
def test_nothing_that_a_client_writes_breaks_it(accept: str) -> None:
    assert wanted(accept, "en") in ("en", "ko")
