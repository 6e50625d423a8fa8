"""From a store's address to the place of the recorded bodies beside it."""

from pathlib import Path

from holdfast.ports import Bodies
from holdfast.stores.bodies_memory import MemoryBodies
from holdfast.stores.bodies_sqlite import SqliteBodies
from holdfast.stores.open import POSTGRES, SQLITE


def open_bodies(url: str) -> Bodies:
    """The bodies that belong to a ledger whose address is known to be one.

    In memory, in a file beside its own (`holdfast.bodies.db`), or in the same PostgreSQL.
    """
    if url.startswith(POSTGRES):
        from holdfast.stores.bodies_postgres import PostgresBodies

        return PostgresBodies(url)
    if not url.startswith(SQLITE):
        return MemoryBodies()
    path = Path(url.removeprefix(SQLITE)).expanduser()
    return SqliteBodies(path.with_name(f"{path.stem}.bodies{path.suffix}"))
