"""Pages as HTML: every text is escaped, every name that a template mentions must be there, nothing is ever marked safe."""

import json
from collections.abc import Callable, Mapping
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from holdfast.console import showing
from holdfast.console.assets import asset_path
from holdfast.language import Language, Sentence

Words = Mapping[str, Sentence]


@cache
def environment() -> Environment:
    """The templates of this package, each read once."""
    made = Environment(
        loader=PackageLoader("holdfast.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        json=_json,
        visible=showing.visible,
        usd=showing.usd,
        number=showing.number,
        duration=showing.duration,
    )
    return made


def rendered(template: str, words: Words, language: Language, facts: Mapping[str, object]) -> str:
    """A whole page."""
    return (
        environment()
        .get_template(template)
        .render({**facts, "t": speaker(words, language), "asset": asset_path})
    )


def part(template: str, block: str, words: Words, language: Language, facts: Mapping[str, object]) -> str:
    """One block of a page alone."""
    found = environment().get_template(template)
    context = found.new_context({**facts, "t": speaker(words, language), "asset": asset_path})
    return "".join(found.blocks[block](context))


def speaker(words: Words, language: Language) -> Callable[..., str]:
    """Says a sentence of the catalogue by its name, with what belongs between its braces."""

    def say(name: str, /, **values: object) -> str:
        said = words[name].say(language)
        return said.format(**values) if values else said

    return say


def _json(value: object) -> str:
    """For an attribute: autoescape makes quotes of it what an attribute may hold."""
    return json.dumps(value, ensure_ascii=False)
