"""Keys of upstreams: from the environment or the files it names, never from settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from holdfast.errors import ConfigError, KeyMissing
from holdfast.language import Sentence
from holdfast.policy.routing import KEY_ENV, SIMULATOR, UpstreamConfig


def keys_of(config: UpstreamConfig) -> tuple[str | None, Mapping[str, str]]:
    """The first key, and the others by the names of their variables."""
    if config.url == SIMULATOR:
        return SIMULATOR, {}
    first = None if config.key_env is None else secret(config.key_env)
    return first, {name: key for name in config.key_envs if (key := secret(name)) is not None}


def secret(variable: str) -> str | None:
    """What a variable holds, or the file it names with `_FILE`; white space around it belongs to the shell."""
    text = os.environ.get(variable, "").strip()
    path = os.environ.get(f"{variable}_FILE", "").strip()
    source = variable if text else f"{variable}_FILE: {path}"
    if not text and path:
        text = _read_secret(source, Path(path))
    if not all("!" <= letter <= "~" for letter in text):
        raise ConfigError(
            Sentence(
                f"{source} holds characters that no key has, perhaps from copying. Copy the key once more.",
                ko=f"{source}에 키에 쓰일 수 없는 문자가 있습니다. 복사하다가 섞였을 수 있으니 키를 다시 복사해 넣으세요.",
            )
        )
    return text or None


def _read_secret(source: str, path: Path) -> str:
    try:
        return path.expanduser().read_text("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        reason = type(error).__name__ if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigError(
            Sentence(
                f"{source} cannot be read: {reason}. Check the path and its permissions.",
                ko=f"{source}을(를) 읽을 수 없습니다: {reason}. 경로와 권한을 확인하세요.",
            )
        ) from error


def no_key(variable: str) -> KeyMissing:
    """The error when a variable that an upstream names holds no key."""
    return KeyMissing(
        Sentence(
            f"No key for the upstream: {variable} and {variable}_FILE are not set. Set one of them, or try "
            f"without a key by the upstream `{SIMULATOR}`.",
            ko=f"업스트림 키가 없습니다. {variable}와 {variable}_FILE이 모두 비어 있습니다. 둘 중 하나를 설정하거나, "
            f"키 없이 써 보려면 업스트림 `{SIMULATOR}`를 쓰세요.",
        )
    )


def no_key_named(upstream: str) -> KeyMissing:
    """The error when an upstream needs a key and names none."""
    return KeyMissing(
        Sentence(
            f'No key for the upstream: [upstreams.{upstream}] names none. Add `key_env = "{KEY_ENV}"` there and '
            "set that variable.",
            ko=f'업스트림 키가 없습니다. [upstreams.{upstream}]에 키가 지정되지 않았습니다. `key_env = "{KEY_ENV}"`를 '
            "추가하고 그 환경 변수를 설정하세요.",
        )
    )
