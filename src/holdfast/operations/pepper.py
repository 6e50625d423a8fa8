"""The pepper of keys: the secret without which a copy of the database opens nothing."""

import os
import secrets
from hashlib import sha256
from pathlib import Path

import platformdirs

from holdfast.credentials import secret
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.desk import Report, unreported

VARIABLE = "HOLDFAST_PEPPER"
SQLITE = "sqlite:///"
LEAST = 16
"""Characters of a pepper that somebody sets: fewer could be guessed."""


def pepper(url: str, report: Report = unreported) -> bytes:
    """The pepper for the keys of a store: from `HOLDFAST_PEPPER` or the file it names with `_FILE`, else its own.

    Its own lies in a file for nobody else's eyes, beside a SQLite file or in the state folder of this user, and
    is made when it is first asked for. Raises `ConfigError` where it cannot be read or made.
    """
    given = secret(VARIABLE)
    if given is None:
        return _own(url, report)
    if len(given) < LEAST:
        raise ConfigError(
            Sentence(
                f"{VARIABLE} has {len(given)} characters and could be guessed: set {LEAST} or more random ones",
                ko=f"{VARIABLE}가 {len(given)}자뿐이라 알아맞힐 수 있습니다. 임의의 문자로 {LEAST}자 이상 설정하세요",
            )
        )
    return given.encode()


def pepper_file(url: str) -> Path:
    """Where the pepper of a store lies when nobody sets one."""
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).expanduser()
        return path.with_name(f"{path.name}.pepper")
    digest = sha256(url.encode()).hexdigest()[:16]
    return Path(platformdirs.user_state_dir("holdfast", appauthor=False)) / f"pepper-{digest}"


def _own(url: str, report: Report) -> bytes:
    path = pepper_file(url)
    try:
        made = not path.exists() and make_secret(path)
        text = path.read_bytes().strip()
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from error
    if len(text) < LEAST:
        raise _unusable(path, f"{len(text)} bytes")
    if made and not url.startswith(SQLITE):
        report(
            Sentence(
                f"The keys of this store are bound to {path}. Machines that share it need the same secret: set "
                f"{VARIABLE} on all of them.",
                ko=f"이 저장소의 키는 {path} 파일에 묶여 있습니다. "
                f"저장소를 함께 쓰는 모든 컴퓨터에 같은 {VARIABLE}를 설정하세요.",
            )
        )
    return text


def make_secret(path: Path) -> bool:
    """Write a new secret, whole or not at all; whether it is ours and not that of somebody who was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w") as stream:
            stream.write(secrets.token_hex(32))
            stream.flush()
            os.fsync(stream.fileno())
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The pepper of the keys, {path}, cannot be used: {why}. Mend the file, or set {VARIABLE}; another "
            "pepper makes every key unknown.",
            ko=f"키의 페퍼 파일 {path}을(를) 쓸 수 없습니다: {why}. 파일을 바로잡거나 {VARIABLE}를 설정하세요. "
            "페퍼가 바뀌면 모든 키가 무효가 됩니다.",
        )
    )
