"""Views of one text: the forms in which a disguised sentence becomes readable again.

A view never replaces the text: it is read by the screen, and every character of it knows where
in the source it came from. All work is linear in the length of the text.
"""

import base64
import binascii
import html
import re
import unicodedata
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import islice, zip_longest
from typing import Literal
from urllib.parse import unquote

from holdfast.policy.lookalikes import LATIN_TWINS, TWIN_LETTERS, compose_jamo, fold_letter

ViewName = Literal[
    "source", "folded", "unescaped", "joined", "run", "leet", "hidden", "base64", "hex", "binary", "rot13",
    "reversed", "respelled",
]  # fmt: skip

MAX_DECODED_SPANS = 8
MAX_DECODED_CHARACTERS = 20_000
_MAX_CANDIDATES = 64
_MAX_RUNS = 64
_APART = "\n\n"
"""Between what is not one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One reading of a text.

    Attributes:
        name: how the reading was made.
        text: what a rule reads.
        origins: for each character of `text` the index in the source it came from, never falling.
        end: where in the source the region ends that this view was made from.
        loose: words run together here, so that a rule must not ask for word boundaries.
    """

    name: ViewName
    text: str
    origins: Sequence[int]
    end: int
    loose: bool = False

    @classmethod
    def of(cls, text: str) -> "View":
        """The text as it is."""
        return cls(name="source", text=text, origins=range(len(text)), end=len(text))

    def span(self, start: int, stop: int) -> tuple[int, int]:
        """Where in the source the characters from `start` up to `stop` of this view came from."""
        after = bisect_right(self.origins, self.origins[stop - 1])
        return self.origins[start], self.origins[after] if after < len(self.origins) else self.end


def fold(view: View) -> View:
    """NFKC, case and accents folded, invisible characters gone, look-alikes and jamo made plain."""
    if view.text.isascii() and view.text.isprintable():
        return replace(view, name=_named(view, "folded"), text=view.text.lower())
    composed = rewrite(view, _JAMO, _compose)
    plain = _fold_letters(composed)
    others = set(_OTHER_LETTERS.findall(plain.text))
    return rewrite(plain, _WORDS, partial(_unmask, others <= TWIN_LETTERS)) if others else plain


def views(text: str) -> tuple[View, ...]:
    """Every reading of `text` worth a look: as it is, folded, and whatever could be undone or decoded.

    Readings equal to an earlier one are left out. At most `MAX_DECODED_SPANS` encoded spans of at most
    `MAX_DECODED_CHARACTERS` characters are decoded, two levels deep.
    """
    source = View.of(text)
    folded = fold(source)
    found = [source, folded]
    seen = {(folded.text, False)}
    for view in _derived(source, folded):
        if (view.text, view.loose) not in seen:
            seen.add((view.text, view.loose))
            found.append(view)
    return tuple(found)


def _derived(source: View, folded: View) -> Iterator[View]:
    unescaped = _unescape(source)
    if unescaped is not None:
        yield from _disguised(fold(unescaped))
    yield from _disguised(folded)
    yield from _decoded(unescaped or source, levels=2)
    yield from _ciphered(folded)
    respelled = rewrite(folded, _LONG_WORDS, _respell)
    if respelled is not folded and _respellings(folded.text) >= _MISSPELT:
        yield replace(respelled, name="respelled")


def _disguised(view: View) -> Iterator[View]:
    """The view and the forms of it that undo spelling tricks."""
    yield view
    joined = rewrite(view, _SPACED, _join)
    if joined is not view:
        yield replace(joined, name="joined")
    yield from _runs(joined)
    for table in (_LEET_I, _LEET_L) if _TALL.search(joined.text) else (_LEET_I,):
        plain = rewrite(joined, _LEET_WORDS, partial(_unleet, table))
        if plain is not joined:
            yield replace(plain, name="leet")


# --- one pass over a text ---------------------------------------------------------------------------


def _named(view: View, name: ViewName) -> ViewName:
    return name if view.name == "source" else view.name


def rewrite(view: View, pattern: re.Pattern[str], undo: Callable[[re.Match[str]], str | None]) -> View:
    """`view` with each match replaced by what `undo` says (`None` keeps it); the same view if none was."""
    pieces: list[str] = []
    origins: array[int] = array("Q")
    at = 0
    for match in pattern.finditer(view.text):
        plain = undo(match)
        if plain is None:
            continue
        start, stop = match.span()
        pieces += (view.text[at:start], plain)
        origins.extend(view.origins[at:start])
        origins.extend(_spread(view.origins[start:stop], len(plain)))
        at = stop
    if not pieces:
        return view
    pieces.append(view.text[at:])
    origins.extend(view.origins[at:])
    return replace(view, text="".join(pieces), origins=origins)


def _spread(origins: Sequence[int], length: int) -> Iterator[int]:
    """`origins` stretched or squeezed evenly over `length` characters."""
    return (origins[index * len(origins) // length] for index in range(length))


def _fold_letters(view: View) -> View:
    table = {char: fold_letter(char) for char in set(view.text)}
    if all(len(plain) == 1 for plain in table.values()):
        text = view.text.translate({ord(char): plain for char, plain in table.items()})
        return replace(view, name=_named(view, "folded"), text=text)
    plains = [table[char] for char in view.text]
    pairs = zip(plains, view.origins, strict=True)
    origins = array("Q", (origin for plain, origin in pairs for _ in plain))
    return replace(view, name=_named(view, "folded"), text="".join(plains), origins=origins)


# --- spelling tricks --------------------------------------------------------------------------------

_JAMO = re.compile("[\u1100-\u11ff]+|[\u3131-\u3163]{2,}")
_WORDS = re.compile("[a-zά-ωа-џѐ-ԯɑɡıƅɩʋ]+")
_OTHER_LETTERS = re.compile("[ά-ωа-џѐ-ԯɑɡıƅɩʋ]")
_GAP = r"[\s._\-*|~/,+:;!?'\"()\[\]<>=•·…‧ㆍ]{1,5}"
_SPACED = re.compile(rf"(?<![^\W_])[^\W_](?:{_GAP}[^\W_](?![^\W_])){{3,}}")
_GAPS = re.compile(_GAP)
_RUNS = re.compile("[a-z]{16,400}")
_LEET_WORDS = re.compile(r"(?<![a-z0-9@$|!+])[a-z0-9@$|!+]{1,40}[a-z0-9@$]")
_ORDINARY = re.compile(
    r"[0-9]+(?:[a-z]|st|nd|rd|th|[ap]m|ms|[kmg]b|px|k[mg]|[cm]m|ml|db)?|[a-z]{1,5}[0-9]+|[0-9a-f]{6,}|[a-z+|]+"
)
_TALL = re.compile("[1|!]")
_LEET_I = str.maketrans("01345789@$|!+", "oieastbgasiit")
_LEET_L = str.maketrans("01345789@$|!+", "oleastbgaslit")


def _compose(match: re.Match[str]) -> str | None:
    run = match.group()
    plain = unicodedata.normalize("NFC", run) if run[0] < "\u3131" else compose_jamo(run)
    return None if plain == run else plain


def _unmask(only_twins: bool, match: re.Match[str]) -> str | None:
    """A word that mixes look-alikes with Latin letters, in Latin letters.

    A word of nothing but look-alikes too, where the text has `only_twins`: no truly Cyrillic or Greek letter.
    """
    word = match.group()
    if word.isascii() or not (only_twins or any("a" <= char <= "z" for char in word)):
        return None
    return word.translate(LATIN_TWINS)


def _join(match: re.Match[str]) -> str:
    """Spaced-out letters as words: what stands between most letters means nothing, what is more than that a blank."""
    usual = Counter(_GAPS.findall(match.group())).most_common(1)[0][0]
    return _GAPS.sub(partial(_bridged, usual), match.group())


def _bridged(usual: str, match: re.Match[str]) -> str:
    gap = match.group()
    if len(gap) <= len(usual) and gap.isspace() <= usual.isspace():
        return ""
    return f"{''.join(gap.split()).strip(usual)} "


def _runs(view: View) -> Iterator[View]:
    """Words written without spaces, each run a paragraph by itself."""
    spans = [match.span() for match in islice(_RUNS.finditer(view.text), _MAX_RUNS)]
    if not spans:
        return
    origins: array[int] = array("Q")
    for (start, stop), (following, _) in zip_longest(spans, spans[1:], fillvalue=(0, 0)):
        origins.extend(view.origins[start:stop])
        origins.extend([min(view.span(start, stop)[1], view.origins[following])] * len(_APART))
    yield View(
        name="run",
        text=_APART.join(view.text[start:stop] for start, stop in spans),
        origins=origins[: -len(_APART)],
        end=view.span(*spans[-1])[1],
        loose=True,
    )


def _unleet(table: dict[int, int], match: re.Match[str]) -> str | None:
    word = match.group()
    if _ORDINARY.fullmatch(word):
        return None
    plain = word.translate(table)
    return plain if plain != word and any("a" <= char <= "z" for char in word) else None


# --- letters out of order ---------------------------------------------------------------------------

_MISSPELT = 2
"""Words with their letters out of order that make it a disguise; one is a slip."""
_LONG_WORDS = re.compile(r"[a-z]{4,16}")
_MEANT = (
    "ignore ignoring disregard forget override bypass previous prior above earlier instruction instructions rules "
    "guidelines directives commands prompt prompts system reveal show print output display repeat tell secret hidden "
    "password your yours everything restrictions restriction filters filter safety unrestricted unfiltered developer "
    "mode pretend without limits ethical answer respond onlyever never refuse assistant user users send email delete "
    "execute transfer message messages initial original internal confidential following follow disable remove "
    "policies policy constraints training model language from now on anything roleplay character administrator "
    "verbatim word words conversation text that have been with then this said told before given instead"
)


def _jumbled(word: str) -> str:
    """What a word keeps when all its letters but the first are shuffled."""
    return word[0] + "".join(sorted(word[1:]))


_BY_JUMBLE = {_jumbled(word): word for word in _MEANT.split() if len(word) >= 4}
_KNOWN = frozenset(_MEANT.split())
_SAME_LETTERS = frozenset({"form", "tset", "tihs", "mood", "sued", "even"})


@lru_cache(maxsize=8192)
def _meant(word: str) -> str | None:
    """The word of interest that another one is with its letters in order, if it is any."""
    if word in _KNOWN or word in _SAME_LETTERS:
        return None
    return _BY_JUMBLE.get(_jumbled(word))


def _respell(match: re.Match[str]) -> str | None:
    return _meant(match.group())


def _respellings(text: str) -> int:
    return len({word for word in _LONG_WORDS.findall(text) if _meant(word) is not None})


# --- escapes and encodings --------------------------------------------------------------------------

_ESCAPES = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|(?:\\u[0-9A-Fa-f]{4})+|(?:\\x[0-9A-Fa-f]{2})+|&#?[A-Za-z0-9]{1,8};"
)
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_\-])[A-Za-z0-9+/_\-]{16,}(?:\r?\n[A-Za-z0-9+/_\-]{16,})*={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[\s:,]?){8,}")
_BINARY = re.compile(r"(?<![01])(?:[01]{8}[\s,]?){6,}")
_TAGS = re.compile("(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0020-\U000e007e]{3,}")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{4,}")
_MARKS = re.compile(
    r"\b(?:nyy|gur|naq|lbh|lbhe|vtaber|qvfertneq|sbetrg|cebzcg|flfgrz|ehyrf|cerivbhf|cevbe|nobir"
    r"|vafgehpgvba|vafgehpgvbaf|erirny|fubj|cevag|ercrng)\b"
)
_BACKWARD = re.compile(
    r"\b(?:lla|eht|dna|uoy|ruoy|erongi|dragersid|tegrof|tpmorp|metsys|selur|suoiverp|roirp|evoba"
    r"|noitcurtsni|snoitcurtsni|laever|wohs|tnirp|taeper)\b"
    r"|하시무|침지|트프롬프|템스시|칙규|줘려알|줘여보|해력출|[를을]시지|터부[금제][지이]|호번밀비|자리관|어잊"
    r"|(?<![가-힣])(?:를|는|줘|요세|요해|라해|고하|다니|마[지하]|도지|게하|면하)(?=[가-힣 ])"
)
_ROT13 = str.maketrans("abcdefghijklmnopqrstuvwxyz", "nopqrstuvwxyzabcdefghijklm")


def _unescape(view: View) -> View | None:
    """URL, HTML, backslash escapes undone in place, or `None` when there are none."""
    plain = rewrite(view, _ESCAPES, _unescape_run)
    return None if plain is view else replace(plain, name="unescaped")


def _unescape_run(match: re.Match[str]) -> str | None:
    run = match.group()
    if run[0] == "%":
        plain = unquote(run, errors="ignore")
    elif run[0] == "&":
        plain = html.unescape(run)
    else:
        width = 4 if run[1] == "u" else 2
        points = (run[at + 2 : at + 2 + width] for at in range(0, len(run), width + 2))
        plain = "".join(chr(int(point, 16)) for point in points)
    return None if plain == run else plain


def _decoded(view: View, levels: int) -> Iterator[View]:
    """What encoded spans of `view` say, folded, and what those hold in turn."""
    if levels == 0:
        return
    for name, start, stop, plain in _spans(view):
        first, end = view.span(start, stop)
        inner = View(name=name, text=plain, origins=array("Q", [first]) * len(plain), end=end)
        yield from _disguised(fold(inner))
        yield from _decoded(inner, levels - 1)


_Decoder = Callable[[str], bytes]


def _from_base64(span: str) -> bytes:
    compact = "".join(span.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    return base64.b64decode(compact + "=" * (-len(compact) % 4))


def _from_hex(span: str) -> bytes:
    return bytes.fromhex(re.sub(r"[^0-9A-Fa-f]", "", span))


def _from_binary(span: str) -> bytes:
    return bytes(int(octet, 2) for octet in re.findall("[01]{8}", span))


def _from_tags(span: str) -> bytes:
    return bytes(ord(char) - 0xE0000 for char in span)


def _from_selectors(span: str) -> bytes:
    """Bytes written as variation selectors 1 to 256."""
    points = (ord(char) for char in span)
    return bytes(point - 0xFE00 if point < 0xE0000 else point - 0xE0100 + 16 for point in points)


_ENCODINGS: tuple[tuple[ViewName, re.Pattern[str], _Decoder], ...] = (
    ("hidden", _TAGS, _from_tags),
    ("hidden", _SELECTORS, _from_selectors),
    ("binary", _BINARY, _from_binary),
    ("hex", _HEX, _from_hex),
    ("base64", _BASE64, _from_base64),
)


def _spans(view: View) -> Iterator[tuple[ViewName, int, int, str]]:
    """The spans of `view` that decode to readable text, as (name, start, stop, text)."""
    for name, pattern, decoder in _ENCODINGS:
        found = 0
        for tried, match in enumerate(pattern.finditer(view.text)):
            if tried == _MAX_CANDIDATES or found == MAX_DECODED_SPANS:
                break
            plain = _readable(match.group()[:MAX_DECODED_CHARACTERS], decoder)
            if plain is not None:
                found += 1
                yield name, *match.span(), plain


def _readable(span: str, decoder: _Decoder) -> str | None:
    """The text a span stands for, or `None` when the bytes are not text."""
    try:
        plain = decoder(span).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    printable = sum(char.isprintable() or char.isspace() for char in plain)
    letters = sum(char.isalpha() for char in plain)
    return plain if letters >= 6 and printable >= 0.95 * len(plain) else None


def _ciphered(view: View) -> Iterator[View]:
    """The text with its alphabet turned or its order reversed, where its words say that it was."""
    if len(set(_MARKS.findall(view.text))) >= 2:
        yield replace(view, name="rot13", text=view.text.translate(_ROT13))
    if len(set(_BACKWARD.findall(view.text))) >= 2:
        origins = array("Q", [view.origins[0]]) * len(view.text)
        yield replace(view, name="reversed", text=view.text[::-1], origins=origins)
