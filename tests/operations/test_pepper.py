"""The pepper: from the environment, else made once and kept for nobody else's eyes."""

import threading
from pathlib import Path

import pytest

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.pepper import pepper, pepper_file

FLEET = "postgresql://holdfast@db.internal/holdfast"


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLDFAST_PEPPER", "HOLDFAST_PEPPER_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'data' / 'book.db'}"


def test_beside_a_file_it_is_made_once_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    first = pepper(url(tmp_path))
    file = pepper_file(url(tmp_path))

    assert (len(first), pepper(url(tmp_path))) == (64, first)
    assert file == tmp_path / "data" / "book.db.pepper"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in file.parent.iterdir()] == ["book.db.pepper"]


def test_everybody_who_asks_at_once_gets_the_same(tmp_path: Path) -> None:
    found: list[bytes] = []
    askers = [threading.Thread(target=lambda: found.append(pepper(url(tmp_path)))) for _ in range(16)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()

    assert (len(found), len(set(found))) == (16, 1)


def test_whoever_is_slower_takes_the_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = pepper(url(tmp_path))

    def missing(_: Path) -> bool:
        return False

    monkeypatch.setattr(Path, "exists", missing)

    assert pepper(url(tmp_path)) == first


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pepper(url(tmp_path))
    monkeypatch.setenv("HOLDFAST_PEPPER", "sixteen-letters!")
    given = pepper(url(tmp_path))
    monkeypatch.delenv("HOLDFAST_PEPPER")
    (tmp_path / "secret").write_text("another-sixteen-letters\n")
    monkeypatch.setenv("HOLDFAST_PEPPER_FILE", str(tmp_path / "secret"))

    assert (given, pepper(url(tmp_path))) == (b"sixteen-letters!", b"another-sixteen-letters")


def test_a_pepper_that_could_be_guessed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_PEPPER", "short")
    with pytest.raises(ConfigError, match="set 16 or more"):
        pepper(url(tmp_path))


def test_a_fleet_is_told_that_its_machines_need_the_same_and_no_password_is_in_the_name() -> None:
    told: list[Sentence] = []
    first = pepper(FLEET, told.append)

    assert pepper(FLEET, told.append) == first
    assert [("HOLDFAST_PEPPER" in one.en, "HOLDFAST_PEPPER" in one.ko) for one in told] == [(True, True)]
    assert "db.internal" not in pepper_file(FLEET).name


def test_a_file_that_was_damaged_is_never_replaced_in_silence(tmp_path: Path) -> None:
    pepper(url(tmp_path))
    pepper_file(url(tmp_path)).write_text("")
    with pytest.raises(ConfigError, match="every key unknown"):
        pepper(url(tmp_path))


def test_a_folder_that_cannot_be_made_is_an_error_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(ConfigError, match=r"book\.db\.pepper"):
        pepper(url(tmp_path))
