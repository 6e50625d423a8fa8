"""From a store's address to the store of the memories beside it."""

from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.recollection import Recollections
from holdfast.stores.open import MEMORY, POSTGRES, SQLITE
from holdfast.stores.recollections_memory import MemoryRecollections
from holdfast.stores.recollections_sqlite import SqliteRecollections


def open_recollections(url: str) -> Recollections:
    """Open the memories that belong to a ledger: in memory, in a file beside its own, or in the same PostgreSQL.

    The file of `sqlite:///path/holdfast.db` is `path/holdfast.memories.db`. Raises `ConfigError` for an address
    that is none, `StoreUnavailable` for a file that cannot be used.
    """
    if url == MEMORY:
        return MemoryRecollections()
    if url.startswith(POSTGRES):
        return _open_postgres(url)
    name = url.removeprefix(SQLITE)
    if url.startswith(SQLITE) and name not in ("", ":memory:"):
        path = Path(name).expanduser()
        return SqliteRecollections(path.with_name(f"{path.stem}.memories{path.suffix}"))
    raise ConfigError(
        Sentence(
            f"Memory(store=...) takes `{MEMORY}`, `{SQLITE}path/to/holdfast.db` or `{POSTGRES[0]}user@host/database`.",
            ko=f"Memory(store=...)에는 `{MEMORY}`, `{SQLITE}경로/holdfast.db`, `{POSTGRES[0]}사용자@호스트/데이터베이스` "
            "가운데 하나를 적으세요.",
        )
    )


def _open_postgres(url: str) -> Recollections:
    try:
        from holdfast.stores.recollections_postgres import PostgresRecollections
    except ModuleNotFoundError as error:
        raise ConfigError(
            Sentence(
                "Memories in PostgreSQL need a driver that is not installed; run: pip install 'holdfast[fleet]'",
                ko="PostgreSQL 드라이버가 설치되어 있지 않습니다. 실행하세요: pip install 'holdfast[fleet]'",
            )
        ) from error
    return PostgresRecollections(url)
