"""What is tested is what would be shipped."""

import os
import sys
from importlib import metadata
from pathlib import Path

import pytest

import holdfast

TESTS_THE_WHEEL = os.environ.get("HOLDFAST_TEST_WHEEL") == "1"


@pytest.mark.requirement("house:wheel")
def test_the_package_under_test_is_the_installed_wheel_and_not_the_checkout(root: Path) -> None:
    place = Path(holdfast.__file__)
    sources = root / "src"
    if TESTS_THE_WHEEL:
        assert "site-packages" in place.parts
        assert str(sources) not in sys.path
    else:
        assert place.is_relative_to(sources)


def test_the_installed_version_is_the_one_in_the_package() -> None:
    assert metadata.version("holdfast") == holdfast.__version__


@pytest.mark.requirement("house:wheel")
def test_every_file_of_the_package_is_in_the_wheel(root: Path) -> None:
    package = Path(holdfast.__file__).parent
    sources = root / "src" / "holdfast"
    shipped = [
        path.relative_to(sources) for path in sources.rglob("*") if path.is_file() and path.suffix != ".pyc"
    ]
    assert Path("py.typed") in shipped
    assert [str(name) for name in shipped if not (package / name).exists()] == []
