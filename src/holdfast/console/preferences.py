"""How somebody wants the console to look: its language, its colours, whether it moves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from holdfast.language import Language
from holdfast.wire.headers import Headers, get
from holdfast.wire.language import wanted

Theme = Literal["system", "light", "dark"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
THEMES: tuple[Theme, ...] = get_args(Theme)
COOKIES = {"language": "holdfast_language", "theme": "holdfast_theme"}
YEAR = 31_536_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a cookie, else the browser, else the settings say."""

    language: Language
    theme: Theme = "system"


def preferences(cookies: Mapping[str, str], headers: Headers, otherwise: Language) -> Preferences:
    """What somebody prefers; a cookie that makes no sense says nothing."""
    language, theme = cookies.get(COOKIES["language"]), cookies.get(COOKIES["theme"])
    return Preferences(
        language=language if language in LANGUAGES else wanted(get(headers, "accept-language"), otherwise),
        theme=theme if theme in THEMES else "system",
    )


def chosen(form: Mapping[str, str]) -> dict[str, str]:
    """The cookies that a form of preferences asks for, by name."""
    known: Mapping[str, tuple[str, ...]] = {"language": LANGUAGES, "theme": THEMES}
    return {COOKIES[name]: form[name] for name in known if form.get(name) in known[name]}
