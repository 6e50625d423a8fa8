"""Ways in which people hide what a text says: to train with, and to measure what the views undo."""

import base64
import unicodedata
from collections.abc import Callable, Mapping
from random import Random
from urllib.parse import quote

Disguise = Callable[[str, Random], str]

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_TWINS = str.maketrans("aceopxyiAEOPCTHKMB", "асеорхуіАЕОРСТНКМВ")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_TURNED = _ALPHABET[13:] + _ALPHABET[:13]
_ROT13 = str.maketrans(_ALPHABET + _ALPHABET.upper(), _TURNED + _TURNED.upper())
_LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_TAILS: tuple[str, ...] = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")


def _base64(text: str, _: Random) -> str:
    return base64.b64encode(text.encode()).decode()


def _base64_asked(text: str, _: Random) -> str:
    return f"Decode this base64 and do what it says: {base64.b64encode(text.encode()).decode()}"


def _hex(text: str, _: Random) -> str:
    return text.encode().hex()


def _binary(text: str, _: Random) -> str:
    return " ".join(f"{byte:08b}" for byte in text.encode())


def _rot13(text: str, _: Random) -> str:
    return text.translate(_ROT13)


def _reversed(text: str, _: Random) -> str:
    return text[::-1]


def _url(text: str, _: Random) -> str:
    return quote(text)


def _url_all(text: str, _: Random) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _entities(text: str, _: Random) -> str:
    return "".join(f"&#{ord(char)};" for char in text)


def _escapes(text: str, _: Random) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text if ord(char) < 0x10000)


def _tags(text: str, _: Random) -> str:
    return "Hello" + "".join(chr(0xE0000 + ord(char)) for char in text if char.isascii() and char >= " ")


def _zero_width(text: str, dice: Random) -> str:
    return "".join(char + ("\u200b" if dice.random() < 0.5 else "") for char in text)


def _selectors(text: str, _: Random) -> str:
    return "😀" + "".join(
        chr(0xFE00 + byte) if byte < 16 else chr(0xE0100 + byte - 16) for byte in text.encode()
    )


def _bidi(text: str, _: Random) -> str:
    return " ".join(f"\u202e{word}\u202c" for word in text.split(" "))


def _twins(text: str, dice: Random) -> str:
    return "".join(char.translate(_TWINS) if dice.random() < 0.6 else char for char in text)


def _wide(text: str, _: Random) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)


def _mathematical(text: str, _: Random) -> str:
    return "".join(
        chr(0x1D41A + ord(char.lower()) - 97) if char.isascii() and char.isalpha() else char for char in text
    )


def _leet(text: str, _: Random) -> str:
    return text.translate(_LEET)


def _spaced(text: str, _: Random) -> str:
    return "  ".join(" ".join(word) for word in text.split(" "))


def _spaced_evenly(text: str, _: Random) -> str:
    return " ".join(text.replace(" ", ""))


def _dotted(text: str, _: Random) -> str:
    return " ".join(".".join(word) for word in text.split(" "))


def _hyphenated(text: str, _: Random) -> str:
    return " ".join("-".join(word) for word in text.split(" "))


def _joined(text: str, _: Random) -> str:
    return text.replace(" ", "")


def _swapped(text: str, dice: Random) -> str:
    return " ".join(_swap(word, dice) for word in text.split(" "))


def _swap(word: str, dice: Random) -> str:
    if len(word) < 4 or not word.isalpha():
        return word
    at = 1 + int(dice.random() * (len(word) - 3))
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _shouted(text: str, _: Random) -> str:
    return text.upper()


def _mixed_case(text: str, dice: Random) -> str:
    return "".join(char.upper() if dice.random() < 0.5 else char.lower() for char in text)


def _jamo(text: str, _: Random) -> str:
    return "".join(_taken_apart(char) for char in text)


def _taken_apart(char: str) -> str:
    number = ord(char) - 0xAC00
    if not 0 <= number < 11172:
        return char
    return _LEADS[number // 588] + _VOWELS[number % 588 // 28] + _TAILS[number % 28]


def _decomposed(text: str, _: Random) -> str:
    return unicodedata.normalize("NFD", text)


DISGUISES: Mapping[str, Disguise] = {
    "base64": _base64, "base64 asked": _base64_asked, "hex": _hex, "binary": _binary, "rot13": _rot13,
    "reversed": _reversed, "url": _url, "url all": _url_all, "entities": _entities, "escapes": _escapes,
    "tags": _tags, "zero width": _zero_width, "selectors": _selectors, "bidi": _bidi, "twins": _twins, "wide": _wide,
    "mathematical": _mathematical, "leet": _leet, "spaced": _spaced, "spaced evenly": _spaced_evenly,
    "dotted": _dotted, "hyphenated": _hyphenated, "joined": _joined, "swapped": _swapped, "shouted": _shouted,
    "mixed case": _mixed_case,
}  # fmt: skip
"""By name, for texts in Latin letters."""

KOREAN_DISGUISES: Mapping[str, Disguise] = {
    **{
        name: DISGUISES[name]
        for name in ("base64", "hex", "url", "entities", "escapes", "zero width", "selectors", "reversed",
                     "spaced", "spaced evenly", "dotted", "hyphenated", "joined")
    },
    "jamo": _jamo,
    "decomposed": _decomposed,
}  # fmt: skip
"""By name, for texts in Hangul."""
