"""A database that freezes: a second connection takes the write lock of the file and keeps it."""

import asyncio
import sqlite3
from pathlib import Path

BUSY = 10.0
"""Seconds to wait for whoever writes just now."""


class Freezer:
    """Takes the lock and lets it go."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._holding: sqlite3.Connection | None = None

    async def freeze(self) -> None:
        """From now on nobody else can write."""
        self._holding = await asyncio.to_thread(self._lock)

    async def thaw(self) -> None:
        """Everybody can again; without a freeze, nothing happens."""
        holding, self._holding = self._holding, None
        if holding is not None:
            await asyncio.to_thread(_let_go, holding)

    def _lock(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None, check_same_thread=False)
        db.execute("BEGIN EXCLUSIVE")
        return db


def _let_go(db: sqlite3.Connection) -> None:
    db.execute("ROLLBACK")
    db.close()
