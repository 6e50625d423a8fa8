"""From a store's address to the store."""

from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.ports import Ledger
from holdfast.stores.memory import MemoryLedger
from holdfast.stores.sqlite import SqliteLedger

MEMORY = "memory:"
SQLITE = "sqlite:///"


def open_ledger(url: str) -> Ledger:
    """Open `memory:` or `sqlite:///path`; any other address is a `ConfigError`."""
    if url == MEMORY:
        return MemoryLedger()
    path = url.removeprefix(SQLITE)
    if url.startswith(SQLITE) and path not in ("", ":memory:"):
        return SqliteLedger(Path(path).expanduser())
    raise ConfigError(
        Sentence(
            f"store.url: `{url}` is no store; write `{MEMORY}` or `{SQLITE}path/to/holdfast.db`",
            ko=f"store.url: `{url}`은(는) 저장소 주소가 아닙니다. `{MEMORY}` 또는 `{SQLITE}경로/holdfast.db`로 적으세요",
        )
    )
