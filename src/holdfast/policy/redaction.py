"""What an operator adds to the redaction of logs and texts: names, prefixes and patterns of the own house."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.errors import ConfigError
from holdfast.language import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionConfig:
    """What is redacted beside the built-in rules, which cannot be switched off.

    Attributes:
        names: names of fields whose values are secrets, whatever their case.
        prefixes: beginnings of keys, such as `acme_live_`.
        patterns: regular expressions by name, in the syntax of RE2; they need the extra `holdfast[re2]`.
        tag_key_env: the environment variable with a key; then marks become `[REDACTED:kind:tag]`, the same
            for the same value, so that log lines can be matched without knowing it.

    Raises:
        ConfigError: a name, prefix or pattern is empty.
    """

    names: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    patterns: Mapping[str, str] = field(default_factory=dict[str, str])
    tag_key_env: str | None = None

    def __post_init__(self) -> None:
        for key, given in (
            ("names", self.names),
            ("prefixes", self.prefixes),
            ("patterns", self.patterns.values()),
        ):
            if not all(given):
                raise ConfigError(
                    Sentence(
                        f"{key}: must not hold an empty text, which would match everything; remove it",
                        ko=f"{key}: 빈 문자열은 모든 것에 걸리므로 쓸 수 없습니다. 지워 주세요",
                    )
                )
