"""The admin token: one that somebody set, or the gateway's own in a file."""

from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import platformdirs

from holdfast.credentials import secret
from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.operations.pepper import LEAST, SQLITE, make_secret

VARIABLE = "HOLDFAST_ADMIN_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminToken:
    """The token, and where it stands: a variable, or a file of the gateway's own."""

    value: str = field(repr=False)
    place: str


def set_token() -> AdminToken | None:
    """The token that somebody set in `HOLDFAST_ADMIN_TOKEN`, or in the file that it names with `_FILE`."""
    given = secret(VARIABLE)
    return None if given is None else AdminToken(value=given, place=VARIABLE)


def own_token(url: str) -> AdminToken:
    """The token that was set, else the gateway's own for a store.

    Its own lies in a file for nobody else's eyes, beside a SQLite file or in the state folder of this user, so
    that all workers of a store have one; deleting it before a start makes a new one. Raises `ConfigError`
    where it cannot be read or made.
    """
    given = set_token()
    if given is not None:
        return given
    path = token_file(url)
    try:
        if not path.exists():
            make_secret(path)
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(path, str(error)) from error
    if len(text) < LEAST:
        raise _unusable(path, f"{len(text)} bytes")
    return AdminToken(value=text, place=str(path))


def token_file(url: str) -> Path:
    """Where the gateway's own token for a store lies."""
    if url.startswith(SQLITE):
        path = Path(url.removeprefix(SQLITE)).expanduser()
        return path.with_name(f"{path.name}.admin-token")
    digest = sha256(url.encode()).hexdigest()[:16]
    return Path(platformdirs.user_state_dir("holdfast", appauthor=False)) / f"admin-token-{digest}"


def _unusable(path: Path, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The admin token in {path} cannot be used: {why}. Delete the file, or set {VARIABLE}.",
            ko=f"{path}의 관리자 토큰을 쓸 수 없습니다: {why}. 파일을 지우거나 {VARIABLE}를 설정하세요.",
        )
    )
