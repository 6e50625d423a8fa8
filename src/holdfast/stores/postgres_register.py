"""The register of a PostgreSQL store: each change with its line in the audit, in one statement."""

from holdfast.stores.postgres_link import Db

# Everybody locks this one row first: changes form a line, and a revision that can be seen has no gap below it.
LOCK = "SELECT FROM revision FOR UPDATE"

PUT = """
WITH next AS (UPDATE revision SET value = value + 1 RETURNING value),
noted AS (
    INSERT INTO audit (at, actor, action, kind, name, note) VALUES (clock_timestamp(), $4, 'put', $1, $2, $5)
)
INSERT INTO register (kind, name, body, revision, at) SELECT $1, $2, $3, value, clock_timestamp() FROM next
ON CONFLICT (kind, name) DO UPDATE SET body = excluded.body, revision = excluded.revision, at = excluded.at
RETURNING revision
"""

DROP = """
WITH gone AS (DELETE FROM register WHERE kind = $1 AND name = $2 RETURNING TRUE),
next AS (UPDATE revision SET value = value + 1 WHERE EXISTS (SELECT FROM gone)),
noted AS (
    INSERT INTO audit (at, actor, action, kind, name, note)
    SELECT clock_timestamp(), $3, 'drop', $1, $2, $4 FROM gone
)
SELECT EXISTS (SELECT FROM gone)
"""


async def put(db: Db, kind: str, name: str, body: bytes, *, actor: str, note: str) -> int:
    """`Register.put`."""
    await db.execute(LOCK)
    revision: int = await db.fetchval(PUT, kind, name, body, actor, note)
    return revision


async def drop(db: Db, kind: str, name: str, *, actor: str, note: str) -> bool:
    """`Register.drop`."""
    await db.execute(LOCK)
    was_there: bool = await db.fetchval(DROP, kind, name, actor, note)
    return was_there
