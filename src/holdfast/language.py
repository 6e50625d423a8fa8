"""Sentences for people, each in English and Korean."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Language = Literal["en", "ko"]

_KOREAN = re.compile(r"(ko|kor|korean)(?![a-z])", re.IGNORECASE)
"""As locales are named: `ko_KR.UTF-8`, `Korean_Korea.949`; `kok` is another language."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence in both languages of the product; English is what programs and logs see."""

    en: str
    ko: str = field(kw_only=True)

    def say(self, language: Language) -> str:
        """The sentence in `language`."""
        return self.ko if language == "ko" else self.en

    def __str__(self) -> str:
        return self.en


def preferred(environment: Mapping[str, str]) -> Language:
    """The language of the person at the terminal: `HOLDFAST_LANG`, then `LC_ALL`, `LC_MESSAGES`, `LANG`."""
    for name in ("HOLDFAST_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            return "ko" if _KOREAN.match(value) else "en"
    return "en"
