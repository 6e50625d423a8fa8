"""From a store's address to the store."""

import re
from pathlib import Path

from holdfast.clock import SYSTEM_CLOCK, Clock
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.ports import Store
from holdfast.stores.memory import MemoryStore
from holdfast.stores.sqlite import SqliteStore

MEMORY = "memory:"
SQLITE = "sqlite:///"
POSTGRES = ("postgresql://", "postgres://")


def open_store(url: str, *, clock: Clock = SYSTEM_CLOCK) -> Store:
    """Open `memory:`, `sqlite:///path` or `postgresql://...`; any other address is a `ConfigError`.

    Leases are kept by `clock`, but in PostgreSQL, which has its own.
    """
    if url == MEMORY:
        return MemoryStore(clock=clock)
    if url.startswith(POSTGRES):
        return _open_postgres(url)
    path = url.removeprefix(SQLITE)
    if url.startswith(SQLITE) and path not in ("", ":memory:"):
        return SqliteStore(Path(path).expanduser(), clock=clock)
    shown = re.sub("//.*@", "//***@", url)
    raise ConfigError(
        Sentence(
            f"store.url: `{shown}` is no store; write `{MEMORY}`, `{SQLITE}path/to/holdfast.db` or"
            f" `{POSTGRES[0]}user@host/database`",
            ko=f"store.url: `{shown}`은(는) 저장소 주소가 아닙니다. `{MEMORY}`, `{SQLITE}경로/holdfast.db`,"
            f" `{POSTGRES[0]}사용자@호스트/데이터베이스` 가운데 하나로 적으세요",
        )
    )


def _open_postgres(url: str) -> Store:
    try:
        from holdfast.stores.postgres import PostgresStore
    except ModuleNotFoundError as error:
        raise ConfigError(
            Sentence(
                "store.url: PostgreSQL needs a driver that is not installed; run: pip install 'holdfast[fleet]'",
                ko="store.url: PostgreSQL 드라이버가 설치되어 있지 않습니다. 실행하세요: pip install 'holdfast[fleet]'",
            )
        ) from error
    return PostgresStore(url)
