"""What is taken out of a text before it is sent: characters that only a machine reads.

Removed: C0 and C1 controls but tab and line ends, bidirectional overrides and embeddings, tag characters,
zero-width characters, surplus variation selectors and non-characters. A lone carriage return becomes a line
feed, a lone surrogate U+FFFD.

Kept, byte for byte, where they belong to writing: joiners beside a letter of a script that joins (Arabic,
Persian, Indic, Khmer, Myanmar, Mongolian) and between emoji, one variation selector behind a visible
character, the tags of a flag emoji, direction marks and isolates in a text with right-to-left letters,
zero-width spaces between letters of Thai, Lao, Myanmar and Khmer, and all Hangul.

Whether a character stays depends only on neighbours that always stay, so that a second pass finds nothing.
"""

import re
import unicodedata

_JOINING = (
    "\u0600-\u07ff\u0840-\u08ff\u0900-\u0dff\u0f00-\u109f\u1780-\u18af\ufb50-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc"
)
_SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\uaa60-\uaa7f"
_PICTURE = "\u00a9\u00ae\u2190-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_SELECTOR = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_MARK = "\u200e\u200f\u061c\u2066-\u2069"
_NEVER = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u180e\u2028-\u202e\u2060-\u2065\u206a-\u206f\ufeff\ufff0-\ufffb"
    "\ufdd0-\ufdef\ufffe\uffff"
)
_DOUBTFUL = f"{_MARK}{_SELECTOR}\u200b-\u200d\U000e0000-\U000e007f"
_VISIBLE = rf"[^\s{_NEVER}{_DOUBTFUL}]"

_LEGITIMATE = "|".join(
    (
        "(?<=\U0001f3f4)[\U000e0020-\U000e007e]{1,8}\U000e007f",
        f"(?<={_VISIBLE})[{_SELECTOR}]",
        f"(?<=[{_JOINING}])[\u200c\u200d]|[\u200c\u200d](?=[{_JOINING}])",
        f"(?<=[{_PICTURE}])\u200d(?=[{_PICTURE}])|(?<=[{_PICTURE}]\ufe0f)\u200d(?=[{_PICTURE}])",
        f"(?<=[{_SPACELESS}])\u200b(?=[{_SPACELESS}])",
    )
)
_SIFT = re.compile(f"({_LEGITIMATE})|[{_NEVER}{_DOUBTFUL}]")
_SIFT_WITH_MARKS = re.compile(f"({_LEGITIMATE}|[{_MARK}])|[{_NEVER}{_DOUBTFUL}]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u05ff\u0600-\u08ff\ufb1d-\ufdcf\ufdf0-\ufdff\ufe70-\ufefc]")
_LONE_RETURN = re.compile("\r(?!\n)")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(rf"[\s{_NEVER}{_DOUBTFUL}\u115f\u1160\u3164\uffa0\u2800\u034f]*")


def sanitize(text: str, *, collapse_whitespace: bool = False) -> str:
    """`text` without the characters that only a machine reads; a second pass changes nothing.

    With `collapse_whitespace` every run of white space becomes one space, and none is left at the ends.
    """
    if text.isascii() and text.isprintable():
        clean = text
    else:
        sift = _SIFT_WITH_MARKS if _RIGHT_TO_LEFT.search(text) else _SIFT
        clean = sift.sub(r"\1", _LONE_RETURN.sub("\n", whole(text)))
    return " ".join(clean.split()) if collapse_whitespace else clean


def whole(text: str) -> str:
    """`text` as it can be encoded: surrogate pairs joined, lone surrogates replaced by U+FFFD."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def is_blank(text: str) -> bool:
    """Whether a reader sees nothing at all."""
    return _BLANK.fullmatch(text) is not None or all(
        char.isspace() or unicodedata.category(char) in {"Cc", "Cf"} for char in text
    )
