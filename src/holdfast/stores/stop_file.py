"""The stop file: how a word reaches the workers of one machine while their database is away."""

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import msgspec
import platformdirs

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.language import Sentence
from holdfast.policy.stops import Stop

SQLITE = "sqlite:///"
_decode = msgspec.json.Decoder(tuple[Stop, ...]).decode


def stop_file(url: str) -> Path | None:
    """Where the stops of this machine stand for a store: beside its file, or in the user's state folder.

    `None` for a store in memory, which no other process shares.
    """
    return None if url.startswith("memory:") else _beside(url, "stops.json")


def spool_folder(url: str) -> Path:
    """Where rows wait for a store that is away: beside its file, or in the user's state folder."""
    return _beside(url, "spool")


def _beside(url: str, ending: str) -> Path:
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).expanduser()
        return path.with_name(f"{path.name}.{ending}")
    digest = sha256(url.encode()).hexdigest()[:16]
    return Path(platformdirs.user_state_dir("holdfast")) / f"store-{digest}.{ending}"


def read_stops(text: bytes) -> tuple[Stop, ...]:
    """The stops in the text of a stop file; raises `ConfigError` for what cannot be read."""
    if not text.strip():
        return ()
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(
            Sentence(
                f"The stop file cannot be read: {error}. Correct it, or delete it if nothing shall be stopped.",
                ko=f"정지 파일을 읽을 수 없습니다: {error}. 파일을 고치거나, 정지할 것이 없으면 지우세요.",
            )
        ) from error


def write_stops(path: Path, stops: Sequence[Stop]) -> None:
    """Replace the stop file in one step; raises `StoreUnavailable` when that is not possible."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.touch(mode=0o600)
        draft.write_bytes(msgspec.json.encode(tuple(stops)))
        draft.replace(path)
    except OSError as error:
        raise StoreUnavailable(
            Sentence(
                f"The stop file {path.name} cannot be written: {error}. Check the folder and the disk.",
                ko=f"정지 파일 {path.name}을(를) 쓸 수 없습니다: {error}. 폴더와 디스크를 확인하세요.",
            )
        ) from error
