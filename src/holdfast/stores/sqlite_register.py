"""The register in a file of SQLite."""

import sqlite3
from datetime import datetime

from holdfast.ports import AuditEntry, Entry
from holdfast.stores.rows import moment

_PUT = (
    "INSERT INTO register (kind, name, body, revision, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (kind, name)"
    " DO UPDATE SET body = excluded.body, revision = excluded.revision, at = excluded.at"
)
_NOTE = "INSERT INTO audit (at, actor, action, kind, name, note) VALUES (?, ?, ?, ?, ?, ?)"


def put(db: sqlite3.Connection, body: bytes, line: AuditEntry) -> int:
    """Write a document; the new revision."""
    number = _grow(db)
    db.execute(_PUT, (line.kind, line.name, body, number, moment(line.at)))
    _note(db, line)
    return number


def drop(db: sqlite3.Connection, line: AuditEntry) -> bool:
    """Delete a document; whether it was there."""
    gone = db.execute("DELETE FROM register WHERE kind = ? AND name = ?", (line.kind, line.name)).rowcount
    if gone:
        _grow(db)
        _note(db, line)
    return bool(gone)


def entries(db: sqlite3.Connection, kind: str) -> tuple[Entry, ...]:
    """All documents of a kind, by name."""
    query = "SELECT kind, name, body, revision, at FROM register WHERE kind = ? ORDER BY name"
    return tuple(
        Entry(kind=kind, name=name, body=body, revision=number, at=datetime.fromisoformat(at))
        for kind, name, body, number, at in db.execute(query, (kind,))
    )


def revision(db: sqlite3.Connection) -> int:
    """The number of the newest change."""
    return int(db.execute("SELECT value FROM revision").fetchone()[0])


def audit(db: sqlite3.Connection, limit: int) -> tuple[AuditEntry, ...]:
    """The newest changes first."""
    query = "SELECT at, actor, action, kind, name, note FROM audit ORDER BY sequence DESC LIMIT ?"
    return tuple(
        AuditEntry(at=datetime.fromisoformat(at), actor=actor, action=action, kind=kind, name=name, note=note)
        for at, actor, action, kind, name, note in db.execute(query, (max(0, limit),))
    )


def _grow(db: sqlite3.Connection) -> int:
    db.execute("UPDATE revision SET value = value + 1")
    return revision(db)


def _note(db: sqlite3.Connection, line: AuditEntry) -> None:
    db.execute(_NOTE, (moment(line.at), line.actor, line.action, line.kind, line.name, line.note))
