"""Which letters look like which: tables that fold a disguised letter to the plain one."""

import unicodedata
from collections.abc import Iterator
from functools import lru_cache

# Cyrillic and Greek letters (after case folding) that a reader takes for a Latin one.
LATIN_TWINS = str.maketrans(
    "абвгеёзиіїјкмнорстухһсѕԁԛԝѵүҽӏ" + "αβγεηικνορστυχω" + "ɑɡıƅɩʋ",
    "abbreeзuiijkmhopctyxhcsdqwvyel" + "abyenikvopotuxw" + "agibiv",
)
TWIN_LETTERS = frozenset(map(chr, LATIN_TWINS))

_SMALL_CAPITALS = dict(zip("ᴀʙᴄᴅᴇғɢʜɪᴊᴋʟᴍɴᴏᴘǫʀᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrtuvwyz", strict=True))
# Squared, circled-on-black and regional letters have no compatibility decomposition.
_LETTER_BLOCKS = (0x1F130, 0x1F150, 0x1F170, 0x1F1E6)
_FILLERS = frozenset("\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
_LAYOUT = frozenset("\t\n\r")


def _is_accent(char: str) -> bool:
    return "\u0300" <= char <= "\u036f" or "\u064b" <= char <= "\u065f"


def is_invisible(char: str) -> bool:
    """Whether a reader sees nothing: controls, format characters, selectors, tags, fillers.

    Tab and line ends are layout, and count as visible.
    """
    if char in _LAYOUT:
        return False
    point = ord(char)
    if 0xFE00 <= point <= 0xFE0F or 0xE0000 <= point <= 0xE0FFF:
        return True
    return char in _FILLERS or unicodedata.category(char) in {"Cc", "Cf"}


def _block_letter(char: str) -> str | None:
    point = ord(char)
    return next((chr(97 + point - first) for first in _LETTER_BLOCKS if 0 <= point - first < 26), None)


@lru_cache(maxsize=8192)
def fold_letter(char: str) -> str:
    """The plain lower-case form of one character: NFKC, case fold, accents off, invisible ones gone."""
    if is_invisible(char) or _is_accent(char):
        return ""
    if plain := _SMALL_CAPITALS.get(char) or _block_letter(char):
        return plain
    wide = unicodedata.normalize("NFKC", char).casefold()
    bare = "".join(part for part in unicodedata.normalize("NFD", wide) if not _is_accent(part))
    return unicodedata.normalize("NFKC", bare)


_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS = "\0ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
_SYLLABLES = 0xAC00


def compose_jamo(run: str) -> str:
    """Letters of a Hangul keyboard as syllables (ㅁㅜㅅㅣ as 무시); what makes no syllable stays.

    A consonant before a vowel begins the next syllable (Unicode 17, chapter 3.12, in keyboard order).
    """
    return "".join(_syllables(run))


def _syllables(run: str) -> Iterator[str]:
    at = 0
    while at < len(run):
        lead = _LEADS.find(run[at])
        vowel = _VOWELS.find(run[at + 1]) if at + 1 < len(run) else -1
        if lead < 0 or vowel < 0:
            yield run[at]
            at += 1
            continue
        tail = _tail(run, at + 2)
        yield chr(_SYLLABLES + (lead * 21 + vowel) * 28 + tail)
        at += 3 if tail else 2


def _tail(run: str, at: int) -> int:
    """The closing consonant at `at`, or 0 when it opens the next syllable."""
    if at >= len(run) or (at + 1 < len(run) and run[at + 1] in _VOWELS):
        return 0
    return max(_TAILS.find(run[at]), 0)
