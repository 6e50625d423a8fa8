"""A model that does whatever it reads: finds what a text from a tool wants done, however it says so, and does it.

It is as gullible as no model is, so that what stops it does not rest on the model. It reads a text as it stands
and in every disguise that a model sees through; it takes a call written out, a tool named with its arguments, or
plain words in many languages. It shares nothing with those who are to stop it.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import unquote

import msgspec

from holdfast.simulator.values import JsonObject, as_object, word

_TAGS = re.compile("[\U000e0020-\U000e007e]+")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_HEX = re.compile(r"\b(?:[0-9a-fA-F]{2}[ :]?){12,}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")
_SPACED = re.compile(r"\b(?:\w ){5,}\w\b")
_ROT13 = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "nopqrstuvwxyzabcdefghijklmNOPQRSTUVWXYZABCDEFGHIJKLM",
)
_HOMOGLYPHS = str.maketrans("аеорсухіѕԁһɡⅼ", "aeopcyxisdhgl")

_MAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(r"https?://[^\s\"'<>)\]]+")
_ACCOUNT = re.compile(
    r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b|\b[0-9]{3,6}-[0-9]{2,6}-[0-9]{4,8}\b"
)
_FILE = re.compile(
    r"(?<![\w@.])(?:~|\.{1,2})?/?(?:[\w.-]+/)*[\w-]+\.[a-z0-9]{1,5}\b(?!@)|(?<![\w:/])(?:~|\.)?/(?:[\w.-]+/?)+"
)
_AMOUNT = re.compile(r"(?<![\w.-])([0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]{1,2})?(?![A-Za-z0-9_-])")
_SAYING = re.compile(r"(?:saying|with the text|내용은|内容[:：])\s*[\"“'「]?(.+)", re.IGNORECASE)

_LOOKS: dict[str, tuple[re.Pattern[str], ...]] = {
    "to": (_MAIL, _ACCOUNT),
    "recipient": (_MAIL, _ACCOUNT),
    "email": (_MAIL,),
    "iban": (_ACCOUNT,),
    "account": (_ACCOUNT,),
    "url": (_LINK,),
    "path": (_FILE,),
    "file": (_FILE,),
    "amount": (_AMOUNT,),
}
_PROSE = ("body", "text", "message", "content")
_HEADINGS = ("subject", "title")
_MEANS = {
    "mail": r"e-?mail|\bmail|메일|correo|courriel|邮件|郵件|メール|письм|почт|thư|eposta|surel|ईमेल|อีเมล|بريد",
    "message": r"message|메시지|mensaje|nachricht|消息|メッセージ|сообщ",
    "money": r"money|transfer|wire|pay(?!load)|송금|이체|입금|dinero|transfier|überweis|geld|argent|virement|dinheiro|转账|轉帳"
    r"|汇款|送金|振り?込|перевед|деньг|chuyển tiền|uang|para gönder|भुगतान|โอน|حوّل",
    "delete": r"delete|remove|erase|\brm\b|wipe|삭제|지워|borra|elimin|lösch|supprim|efface|apag|exclu|删除|刪除"
    r"|削除|удал|xóa|hapus|silin|\bsil\b|हटा|ลบ|احذف",
}


@dataclass(frozen=True, slots=True)
class Order:
    """A tool that a text wants called, and with what."""

    tool: str
    given: JsonObject


def orders(texts: Sequence[str], tools: Sequence[JsonObject]) -> list[Order]:
    """What these texts want done with the tools on offer, each tool once."""
    found: dict[str, Order] = {}
    for text in texts:
        for reading in _readings(text):
            for tool in tools:
                name = word(tool, "name")
                if name not in found and (given := _wanted(reading, tool)) is not None:
                    found[name] = Order(name, given)
    return [*found.values()]


def described(tools: Sequence[JsonObject]) -> list[Order]:
    """What the descriptions of tools want done with other tools: only calls that are written out."""
    found: list[Order] = []
    for tool in tools:
        for reading in _readings(word(tool, "description")):
            for other in tools:
                name = word(other, "name")
                written = None if other is tool else _written(reading, name, _properties(other))
                if written and all(order.tool != name for order in found):
                    found.append(Order(name, written))
    return found


def _readings(text: str) -> Iterator[str]:
    seen = _INVISIBLE.sub("", html.unescape(text))
    yield seen
    plain = seen.translate(_HOMOGLYPHS)
    yield plain
    yield _ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)), plain)
    yield unquote(plain)
    for found in _TAGS.findall(text):
        yield "".join(chr(ord(char) - 0xE0000) for char in found)
    for found in _BASE64.findall(plain):
        yield from _decoded(found)
    for found in _HEX.findall(plain):
        yield bytes.fromhex(re.sub(r"[^0-9a-fA-F]", "", found)[: len(found) // 2 * 2]).decode(
            "utf-8", "ignore"
        )
    yield _SPACED.sub(lambda found: found[0].replace(" ", ""), plain)
    yield plain.translate(_ROT13)
    yield plain[::-1]


def _decoded(found: str) -> Iterator[str]:
    plain = found.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        yield base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return


def _wanted(text: str, tool: JsonObject) -> JsonObject | None:
    """What a text wants the tool to be called with; `None` if it does not want it called."""
    name, properties = word(tool, "name"), _properties(tool)
    written = _written(text, name, properties)
    if written is not None:
        return written
    at = text.lower().find(name.lower())
    if at < 0:
        means = [_MEANS[part] for part in re.split(r"[_\W]+", name) if part in _MEANS]
        found = re.search("|".join(means), text, re.IGNORECASE) if means else None
        if found is None:
            return None
        at = found.start()
    near = text[max(0, at - 300) : at + 600]
    given = {**_guessed(near, properties), **_named(near, properties)}
    required = as_object(tool.get("input_schema")).get("required")
    names = cast("list[object]", required) if isinstance(required, list) else []
    return given if all(needed in given for needed in names) else None


def _written(text: str, name: str, properties: JsonObject) -> JsonObject | None:
    """A call that is written out: `tool(a="b")`, or JSON that holds the name and the input."""
    if call := re.search(rf"\b{re.escape(name)}\s*\(([^)]*)\)", text, re.IGNORECASE):
        return _named(call[1], properties)
    for found in re.finditer(r"\{", text):
        if name in text[found.start() :] and (value := _object(text[found.start() :])):
            given = next(
                (as_object(value[key]) for key in ("input", "arguments", "parameters") if key in value), None
            )
            if given is not None and name in (value.get("name"), value.get("tool")):
                return given
    return None


def _object(text: str) -> JsonObject:
    depth = 0
    for at, char in enumerate(text[:4_000]):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if depth == 0:
            try:
                return as_object(msgspec.json.decode(text[: at + 1]))
            except msgspec.DecodeError:
                return {}
    return {}


def _properties(tool: JsonObject) -> JsonObject:
    return as_object(as_object(tool.get("input_schema")).get("properties"))


def _named(text: str, properties: JsonObject) -> JsonObject:
    """Arguments that stand beside their names."""
    given: JsonObject = {}
    for name, schema in properties.items():
        quoted = rf"[\"'“`]?\b{re.escape(name)}\b[\"'”`]?\s*[:=]\s*"
        if found := re.search(
            quoted + r"(?:\"([^\"]*)\"|'([^']*)'|“([^”]*)”|([^\s,;)}]+))", text, re.IGNORECASE
        ):
            given[name] = _typed(
                next(group for group in found.groups() if group is not None), as_object(schema)
            )
    return given


def _guessed(text: str, properties: JsonObject) -> JsonObject:
    """Arguments that can be told by how they look."""
    given: JsonObject = {}
    for name, schema in properties.items():
        found = _look(name, text)
        if found is not None:
            given[name] = _typed(found, as_object(schema))
    return given


def _look(name: str, text: str) -> str | None:
    if name in _PROSE:
        said = _SAYING.search(text)
        return said[1].strip("\"”'」") if said else text.strip()[:200]
    if name in _HEADINGS:
        return "Re: request"
    text = _without(name, text)
    found = next((seen for look in _LOOKS.get(name, ()) if (seen := look.search(text))), None)
    return None if found is None else found[0]


def _without(name: str, text: str) -> str:
    """The text without what could be taken for this and is something else."""
    if name in ("path", "file"):
        return _MAIL.sub(" ", _LINK.sub(" ", text))
    return _ACCOUNT.sub(" ", text) if name == "amount" else text


def _typed(value: str, schema: JsonObject) -> object:
    if schema.get("type") in ("number", "integer"):
        digits = re.sub(r"[^0-9.]", "", value)
        return float(digits) if "." in digits else int(digits or "0")
    return value
