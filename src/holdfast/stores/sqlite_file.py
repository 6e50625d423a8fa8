"""A file of SQLite as a store wants it: its owner's alone, written ahead, synced at every commit, migrated."""

import sqlite3
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from holdfast.clock import SYSTEM_CLOCK
from holdfast.errors import StoreUnavailable
from holdfast.language import Sentence

BUSY_TIMEOUT = 5.0
"""Seconds to wait for another process that holds the file."""

MIGRATIONS = (
    "sqlite_0001.sql",
    "sqlite_0002.sql",
    "sqlite_0003.sql",
    "sqlite_0004.sql",
    "sqlite_0005.sql",
)


def open_file(path: Path, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """A connection to the file, which is made and brought to the newest form if need be.

    Raises `StoreUnavailable` when it cannot be used, or is of a newer holdfast.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise unavailable(path, str(error)) from error
    try:
        write_ahead(db)
        db.execute("PRAGMA synchronous = FULL")
        _migrate(db, path, migrations)
    except sqlite3.Error as error:
        db.close()
        raise unavailable(path, str(error)) from error
    except StoreUnavailable:
        db.close()
        raise
    return db


def write_ahead(db: sqlite3.Connection) -> None:
    """Switch to WAL mode; while others switch too, SQLite answers "locked" without waiting for its turn."""
    until = SYSTEM_CLOCK.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or SYSTEM_CLOCK.monotonic() > until:
                raise
        SYSTEM_CLOCK.block(0.01)


def unavailable(path: Path, reason: Sentence | str) -> StoreUnavailable:
    """The error of a file that cannot be used."""
    why = reason if isinstance(reason, Sentence) else Sentence(reason, ko=reason)
    return StoreUnavailable(
        Sentence(
            f"The ledger {path.name} cannot be used: {why.en}. Check the disk and who else holds the file.",
            ko=f"원장 {path.name}을(를) 쓸 수 없습니다: {why.ko}. 디스크와 파일을 잡고 있는 다른 프로세스를 확인하세요.",
        )
    )


def _migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = _version(db)
    if version == len(migrations):
        return
    if version > len(migrations):
        raise _from_the_future(path)
    db.execute("BEGIN IMMEDIATE")
    try:
        for number, name in enumerate(migrations[_version(db) :], start=_version(db) + 1):
            for statement in files("holdfast.stores").joinpath("sql", name).read_text("utf-8").split(";\n"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {number}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _from_the_future(path: Path) -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            f"The ledger {path.name} was written by a newer holdfast. Upgrade this one, or use another file.",
            ko=f"원장 {path.name}은(는) 더 새로운 버전의 holdfast가 기록한 파일입니다. 업그레이드하거나 다른 파일을 쓰세요.",
        )
    )
