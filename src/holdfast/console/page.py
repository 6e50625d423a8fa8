"""What a page of the console is made of: what it shows, what it tells besides, and what can be done on it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.responses import Response

from holdfast.assembly import Runtime
from holdfast.console.notes import Note
from holdfast.console.preferences import Preferences
from holdfast.console.sessions import Session
from holdfast.language import Language, Sentence
from holdfast.operations.desk import Desk

Facts = Mapping[str, object]
"""Plain data, as JSON shows it; the template of the page finds each member by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of somebody who has logged in.

    Attributes:
        address: where the gateway is, as this browser knows it, such as `http://127.0.0.1:4180`.
        form: what was typed; empty unless something is done.
        still: whether he is still logged in: what goes on for long has to ask.
    """

    runtime: Runtime
    desk: Desk
    session: Session
    preferences: Preferences
    address: str
    query: Mapping[str, str]
    form: Mapping[str, str] = field(default_factory=dict[str, str])
    still: Callable[[], bool] = field(default=lambda: True, repr=False)

    @property
    def language(self) -> Language:
        """The language of this reader."""
        return self.preferences.language

    def say(self, sentence: Sentence) -> str:
        """A sentence in his language."""
        return sentence.say(self.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of an act: the page to go to, and what that says."""

    to: str
    note: Note | None = None


Look = Callable[[Visit], Awaitable[Facts]]
Act = Callable[[Visit], Awaitable[Done | Facts]]
"""What an act comes to: a page to go to, or facts that its own page shows this once."""
Read = Callable[[Visit], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page at `/console/NAME`, and its facts at `/console/NAME.json`; its template is `NAME.html`.

    Attributes:
        title: the question that it answers.
        label: what it is called in the rail.
        words: every sentence of its template, by name.
        look: its facts; raises the typed error of what cannot be shown.
        key: the letter that goes there, after `g`.
        under: the page in the rail that it belongs to; `None` for one that is there itself.
        reads: what else can be asked for under it, such as a stream: `/console/NAME/READ`.
        acts: what can be done: a form posts to `/console/NAME/ACT`; only operators may.
        parts: the blocks of its template that may be asked for alone, as `?part=BLOCK`.
    """

    name: str
    title: Sentence
    label: Sentence
    words: Mapping[str, Sentence]
    look: Look
    key: str = ""
    under: str | None = None
    reads: Mapping[str, Read] = field(default_factory=dict[str, Read])
    acts: Mapping[str, Act] = field(default_factory=dict[str, Act])
    parts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/console/{self.name}"
