"""Redactor: takes secrets and personal data out of texts and values."""

from collections.abc import Collection, Iterable, Mapping
from importlib import import_module
from typing import Any, Self, cast

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.masking import (
    KINDS,
    SECRET_KINDS,
    Finding,
    Kind,
    MaskingConfig,
    Search,
    find,
    mask,
    mask_value,
)
from holdfast.policy.redaction import RedactionConfig

__all__ = ["Finding", "Kind", "Redactor"]

SHORTEST_TAG_KEY = 16
"""Bytes; a shorter key could be guessed, and with it the values behind the tags."""


class Redactor:
    """Replaces what must not be shown by typed marks: `[email]`, `[key]`, `[card]`, ...

    The same text always gives the same result, and redacting a second time changes nothing. JSON stays JSON.

    Args:
        kinds: what to look for, by default everything; see `Redactor.KINDS` and `Redactor.SECRETS`.
        names: further names of fields whose values are secrets, whatever their case.
        prefixes: further beginnings of keys, such as `acme_live_`.
        patterns: further regular expressions by name, in the syntax of RE2, which takes linear time whatever
            the pattern; they need the extra `holdfast[re2]`. What they match is of the kind `custom`.
        tag_key: with a key of 16 bytes or more, marks become `[REDACTED:kind:tag]`: the same for the same value
            under the same key (the first 8 hex digits of HMAC-SHA-256), and nothing to those without it.

    Raises:
        ConfigError: a kind is unknown, a name, prefix or pattern is empty, a pattern is none or needs the extra,
            the key is too short.

    Example:
        >>> Redactor().redact("write to minji@example.com, total_tokens=123")
        'write to [email], total_tokens=123'
    """

    KINDS: frozenset[Kind] = KINDS
    SECRETS: frozenset[Kind] = SECRET_KINDS

    def __init__(
        self,
        *,
        kinds: Collection[str] | None = None,
        names: Collection[str] = (),
        prefixes: Collection[str] = (),
        patterns: Mapping[str, str] | None = None,
        tag_key: bytes | None = None,
    ) -> None:
        if tag_key is not None and len(tag_key) < SHORTEST_TAG_KEY:
            raise ConfigError(_SHORT_KEY)
        self._config = MaskingConfig(
            kinds=KINDS if kinds is None else _known(kinds),
            names=frozenset(name.lower() for name in _said(names, "names")),
            prefixes=tuple(_said(prefixes, "prefixes")),
            patterns=_searches(patterns or {}),
            tag_key=tag_key,
        )

    @classmethod
    def configured(
        cls,
        config: RedactionConfig,
        environment: Mapping[str, str],
        *,
        kinds: Collection[str] | None = None,
    ) -> Self:
        """The redactor of the settings' `[redaction]`; raises `ConfigError`."""
        key = None
        if config.tag_key_env is not None:
            key = environment.get(config.tag_key_env, "").encode()
        return cls(
            kinds=kinds,
            names=config.names,
            prefixes=config.prefixes,
            patterns=config.patterns,
            tag_key=key,
        )

    def __repr__(self) -> str:
        return f"Redactor(kinds={sorted(self._config.kinds)})"

    @property
    def config(self) -> MaskingConfig:
        """What it looks for, as the rules take it."""
        return self._config

    def redact(self, text: str) -> str:
        """The text without what must not be shown."""
        return mask(text, self._config)

    def redact_value(self, value: object) -> object:
        """A copy of the value, redacted at every depth, in keys and in values; numbers stay."""
        return mask_value(value, self._config)

    def find(self, text: str) -> list[Finding]:
        """What would be replaced: `kind`, `start` and `end` of each place, in order."""
        return find(text, self._config)

    def explain(self, text: str) -> list[dict[str, object]]:
        """What would be replaced, and the `rule` that says so; never the value itself."""
        return [
            {"kind": found.kind, "start": found.start, "end": found.end, "rule": found.rule}
            for found in self.find(text)
        ]


def _known(kinds: Collection[str]) -> frozenset[Kind]:
    unknown = sorted(set(kinds) - KINDS)
    if unknown:
        known = ", ".join(sorted(KINDS))
        raise ConfigError(
            Sentence(
                f"Redactor does not know the kind {unknown[0]!r}; choose from {known}.",
                ko=f"Redactor가 모르는 종류입니다: {unknown[0]!r}. 다음 중에서 고르세요: {known}.",
            )
        )
    return cast("frozenset[Kind]", frozenset(kinds))


def _said(words: Collection[str], what: str) -> Collection[str]:
    if isinstance(words, str) or not all(words):
        raise ConfigError(
            Sentence(
                f"Redactor({what}=...) takes a list of non-empty strings; an empty one would match everything.",
                ko=f"Redactor({what}=...)에는 비어 있지 않은 문자열 목록을 주세요. 빈 문자열은 모든 것에 걸립니다.",
            )
        )
    return words


def _searches(patterns: Mapping[str, str]) -> tuple[tuple[str, Search], ...]:
    if not patterns:
        return ()
    _said(list(patterns.values()), "patterns")
    try:
        # Never `re`: a pattern from outside could take hours there.
        engine: Any = import_module("re2")
    except ImportError as error:
        raise ConfigError(_NO_ENGINE) from error
    return tuple((name, _search(engine, name, pattern)) for name, pattern in patterns.items())


def _search(engine: Any, name: str, pattern: str) -> Search:
    options = engine.Options()
    options.log_errors = False
    try:
        compiled = engine.compile(pattern, options=options)
    except engine.error as error:
        why = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise ConfigError(_no_pattern(name, why)) from error

    def search(text: str) -> Iterable[tuple[int, int]]:
        # Half surrogates have no UTF-8; one letter takes the place of one.
        plain = text.encode("utf-8", "replace").decode()
        return [found.span() for found in compiled.finditer(plain)]

    return search


def _no_pattern(name: str, why: str) -> Sentence:
    return Sentence(
        f"Redactor(patterns=...): {name!r} is no regular expression of RE2: {why}. RE2 knows neither looking ahead "
        "or behind nor back references; write the pattern without them.",
        ko=f"Redactor(patterns=...): {name!r} 패턴은 RE2 정규식이 아닙니다: {why}. RE2는 전방·후방 탐색과 역참조를 지원하지 "
        "않습니다. 이를 쓰지 않고 패턴을 적어 주세요.",
    )


_NO_ENGINE = Sentence(
    'Redactor(patterns=...): patterns of your own need RE2, which is not installed; run: pip install "holdfast[re2]"',
    ko="Redactor(patterns=...): 직접 지정한 패턴에는 RE2가 필요한데 설치되어 있지 않습니다. "
    '실행하세요: pip install "holdfast[re2]"',
)
_SHORT_KEY = Sentence(
    f"Redactor(tag_key=...): the key is missing or has fewer than {SHORTEST_TAG_KEY} bytes, and what is tagged with "
    "it could be guessed; make one with `openssl rand -hex 32`.",
    ko=f"Redactor(tag_key=...): 키가 없거나 {SHORTEST_TAG_KEY}바이트보다 짧아 원래 값을 추측할 수 있습니다. "
    "`openssl rand -hex 32`로 만들어 주세요.",
)
