"""Secrets that are recognised by the name before them, in JSON, YAML, headers, queries, shells, XML, SQL or prose."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from holdfast.policy.masking_findings import MARK, Finding
from holdfast.policy.masking_names import (
    Strength,
    is_code,
    is_placeholder,
    is_slug,
    judge,
    looks_secret,
    words,
)

_ROOTS = (
    "pass", "pwd", "pw", "secret", "token", "key", "auth", "cookie", "cred", "jwt", "bearer", "sig", "otp", "pin",
    "cvv", "cvc", "phrase", "mnemonic", "salt", "sess", "ssn", "rrn", "string", "number", "connstr", "hmac", "sas",
    "code", "kennwort", "contrase", "senha", "비번", "비밀", "패스워드", "암호", "번호", "코드", "키", "시크릿", "쿠키",
    "토큰", "パスワード", "密",
)  # fmt: skip
_NAME = re.compile(r"[\w.\-]{2,}+")
_QUOTE = r"(?:\\{0,31}(?:\"\"\"|'''|[\"'`])|&quot;|&#3[49];|%22|\\u0022)"
_ASSIGN = re.compile(
    rf"(?P<quote>{_QUOTE})?\]?[ \t]{{0,8}}(?P<sign>"
    rf":\s{{0,4}}[A-Za-z_][\w.\[\],|]{{0,40}}(?: \| \w{{1,16}})?\s{{0,2}}=(?=\s{{0,4}}[bruf]?[\"'])"
    r"|=>|:=|!?={1,3}|:(?![:/])|%3[Dd])[ \t]{0,64}"
)
_OBJECT = re.compile(
    rf"{_QUOTE}?,?(?:\s|\\n){{0,64}}{_QUOTE}?(?:value|val|content|stringValue|plaintext){_QUOTE}?\s{{0,4}}[:=]\s{{0,4}}"
)
_TUPLE = re.compile(rf"{_QUOTE}\s{{0,4}},\s{{0,4}}(?=[bru]?{_QUOTE})")
_MARKUP = re.compile(r"(?:\s[^<>\n]{0,120})?>(?:<!\[CDATA\[)?")
_FORM = re.compile(r"\\?\"(?:\r?\n|\\r\\n|\\n){2}")
_FLAG = re.compile(r"[ \t]{1,8}(?!-)")
_PROSE = re.compile(r"[ \t]{1,3}(?:(?:is|was|are|to|equals|set to)[ \t]{1,3})?(?=\S)")
_OPEN = re.compile(rf"[bBrRuUfF]{{0,2}}(?P<quote>{_QUOTE})")
_LINE_START = re.compile(
    r"(?:\A|\n|\\n)[ \t]*(?:[-+<>*$#] ?)?(?:export |set |ENV |ARG |SET |setx |const |let |var )?[\"']?\Z"
)
_LINE_WORD = re.compile(r"(?:[^\s\\\"'`]|\\(?!\\{0,31}[nrt\"']))++")
_WORD = re.compile(r"(?:[^\s\"'`<>&,;\\|]|\\(?!\\{0,31}[nrt\"']))++")
_REST = re.compile(r"[^\r\n\"'`\\<>]++")
_NEXT_PAIR = re.compile(r"[&;,]\s?[\w.\-]+=")
_MARKUP_TEXT = re.compile(r"[^<]{0,8192}+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9\-]{2,24}[ ]+(?=\S)")
_DIGEST = re.compile(r"(?i:digest|oauth)[ ]+([^\r\n]++)")
_COOKIE = re.compile(r"([^\s=;,\"']{1,80}+)=([^;\s\"'\\]*+)")
_ATTRIBUTES = frozenset(
    (
        "path",
        "domain",
        "expires",
        "max-age",
        "samesite",
        "secure",
        "httponly",
        "partitioned",
        "priority",
        "version",
    )
)
_NUMBER = re.compile(r"[-+]?[0-9][0-9._,]*")
_SENTENCE = re.compile(r"[A-Z가-힣][^\s]*(?:\s\S+){2,}[.!?다요]|[a-z]+(?:\s[a-z0-9]+){3,}")
_COLON = re.compile(r"\s{0,4}:")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*\r?\n(?P<indent>[ \t]+)\S[^\n]*+(?:\n(?P=indent)[^\n]*+)*+")
_BELOW = re.compile(r"\r?\n[ \t]+(?:\"([^\"\n]*+)\"|'([^'\n]*+)'|([^\s:\-#][^\s:]*+))[ \t]*(?=\r?\n|\Z)")
_SPACED = frozenset(("key", "keys", "code", "number", "phrase", "string"))
_GOES_ON = re.compile(r" [a-z가-힣]+(?![=:\w\-])")


_Step = Finding | int
"""What was found, or how far the text has been read: nothing is read twice, whatever it looks like."""


@dataclass(frozen=True, slots=True)
class _Site:
    """A name that promises a secret, and where its value begins."""

    text: str
    name: str
    strength: Strength
    at: int
    quote: str = ""
    line: bool = False
    sign: str = "="

    @property
    def last(self) -> str:
        return words(self.name)[-1]


def find_pairs(text: str, names: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Every value in `text` whose name says that it is a secret; `names` are further such names, lower case."""
    if not _has_root(text, names):
        return
    reached = 0
    for run in _NAME.finditer(text):
        if run.start() < reached:
            continue
        named = _named(text, run, names)
        if named is None:
            continue
        for step in _after(text, run, *named):
            if isinstance(step, Finding):
                yield step
            reached = max(reached, step.end if isinstance(step, Finding) else step)


def _has_root(text: str, names: frozenset[str]) -> bool:
    lower = text.lower()
    return any(root in lower for root in _ROOTS) or any(name in lower for name in names)


def _named(text: str, run: re.Match[str], names: frozenset[str]) -> tuple[str, Strength] | None:
    name = run.group()
    if name[0] in "nrt" and run.start() and text[run.start() - 1] == "\\":
        name = name[1:]
    if name.lower() in names:
        return name, "always"
    if name.lower() in _SPACED:
        before = re.search(r"[A-Za-z가-힣]{2,16}[ ]\Z", text[max(0, run.start() - 17) : run.start()])
        name = (before.group().strip() + "_" if before else "") + name
    strength = judge(name)
    return (name, strength) if strength else None


def _after(text: str, run: re.Match[str], name: str, strength: Strength) -> Iterator[_Step]:
    """The findings behind one name, by the first form that fits."""
    place = run.end()
    if found := _ASSIGN.match(text, place):
        yield from _assigned(text, run.start(), found, name, strength)
    elif found := _OBJECT.match(text, place) or _FORM.match(text, place):
        yield from _value(_Site(text, name, strength, found.end(), line=True, sign=":"))
    elif text[run.start() - 1 : run.start()] in {"<", ":"} and (found := _MARKUP.match(text, place)):
        yield from _marked_up(_Site(text, name, strength, found.end()))
    elif found := _TUPLE.match(text, place):
        yield from _value(_Site(text, name, "maybe", found.end()))
    elif run.group().startswith("--") and (found := _FLAG.match(text, place)):
        yield from _value(_Site(text, name, strength, found.end()))
    elif found := _PROSE.match(text, place):
        yield from _prose(_Site(text, name, strength, found.end()))


def _assigned(text: str, start: int, found: re.Match[str], name: str, strength: Strength) -> Iterator[_Step]:
    line = _LINE_START.search(text[max(0, start - 40) : start]) is not None
    site = _Site(text, name, strength, found.end(), found["quote"] or "", line, found["sign"])
    yield from _value(site)


def _value(site: _Site) -> Iterator[_Step]:
    text, at = site.text, site.at
    if at >= len(text):
        return
    if opened := _OPEN.match(text, at):
        yield from _quoted(site, opened)
    elif text[at] in "[({" and not MARK.match(text, at):
        yield from _items(site)
    elif site.sign == ":" and text[at] in "|>\r\n":
        yield from _below(site)
    elif text[at] not in "\r\n":
        yield from _bare(site)


def _quoted(site: _Site, opened: re.Match[str]) -> Iterator[_Step]:
    start = opened.end()
    end = _closing(site.text, start, opened["quote"])
    if end - start > 400 or not _SENTENCE.fullmatch(site.text, start, end):
        yield from _content(site, start, end)
        yield end


def _closing(text: str, start: int, quote: str) -> int:
    """Where the quoted text ends; with no closing quote (a cut line) the end of the line."""
    plain = quote.lstrip("\\")
    if quote == plain and len(quote) == 1:
        closed = re.compile(rf"(?:[^{quote}\\\n]|\\.)*+{quote}").match(text, start)
    elif len(quote) == 3 and quote == plain:
        closed = re.compile(rf"(?s:.)*?{quote}").match(text, start)
    else:
        content = _nested(len(quote) - len(plain))
        closed = re.compile(rf"{content}{re.escape(quote)}").match(text, start)
    if closed:
        return closed.end() - len(quote)
    newline = text.find("\n", start)
    return len(text) if newline < 0 else newline


def _nested(depth: int) -> str:
    """What may stand before a closing quote that carries `depth` backslashes.

    A backslash of the content was doubled by every level of nesting, so that runs of twice `depth + 1` are content.
    """
    return rf"[^\n]*?(?<!\\)(?:\\{{{2 * (depth + 1)}}})*+"


def _content(site: _Site, start: int, end: int) -> Iterator[_Step]:
    """The secret part of a quoted value or of a header's line."""
    last = site.last
    if last in {"cookie", "cookies"} and "=" in site.text[start:end]:
        yield from _cookies(site, start, end)
        return
    if last == "authorization" and (scheme := _SCHEME.match(site.text, start, end)):
        start = scheme.end()
    value = site.text[start:end]
    if is_placeholder(value) or not _fits(site, value):
        return
    yield Finding("secret", start, end)


def _fits(site: _Site, value: str) -> bool:
    """Whether a value as strong as this may stand behind a name as strong as that."""
    if _NUMBER.fullmatch(value):
        code = site.last in {"code", "pin"} and 3 <= len(value) <= 8
        return (
            code
            or (site.strength == "always" and len(value) >= 3)
            or (site.strength == "text" and len(value) >= 6 and site.quote != "")
        )
    return site.strength != "maybe" or looks_secret(value) or _SCHEME.match(value) is not None


def _cookies(site: _Site, start: int, end: int) -> Iterator[_Step]:
    for found in _COOKIE.finditer(site.text, start, end):
        if found.group(1).lower() in _ATTRIBUTES or is_placeholder(found.group(2)):
            continue
        yield Finding("cookie", *found.span(2))


def _items(site: _Site) -> Iterator[_Step]:
    """The strings of a list, or the values of an object, up to its closing or a further opening bracket."""
    if site.text[site.at] == "{" and site.last not in {"cookie", "cookies", "secrets", "passwords"}:
        return
    limit = min(len(site.text), site.at + 8192)
    for found in _tokens(site.quote.count("\\")).finditer(site.text, site.at + 1, limit):
        start, end = found.span("inner")
        if start < 0 and not MARK.fullmatch(found.group()):
            limit = found.start()
            break
        is_name = _COLON.match(site.text, found.end()) is not None
        if start >= 0 and not is_name and not is_placeholder(found["inner"]) and _fits(site, found["inner"]):
            yield Finding("secret", start, end)
    yield limit


@cache
def _tokens(depth: int) -> re.Pattern[str]:
    """Strings, marks and brackets of JSON whose quotes carry `depth` backslashes."""
    if depth:
        quoted = rf"(?P<q>(?<!\\)\\{{{depth}}}[\"'])(?P<inner>{_nested(depth)})(?P=q)"
    else:
        quoted = r"(?P<q>[\"'])(?P<inner>(?:(?!(?P=q))[^\\\n]|\\.)*+)(?P=q)"
    return re.compile(rf"{quoted}|{MARK.pattern}|[\[\](){{}}]")


def _below(site: _Site) -> Iterator[_Step]:
    """YAML: the value stands on the lines below its name."""
    if not site.line:
        return
    if block := _BLOCK.match(site.text, site.at):
        yield Finding("secret", block.end("indent"), block.end())
    elif below := _BELOW.match(site.text, site.at):
        value = next(group for group in (1, 2, 3) if below.group(group) is not None)
        if not is_placeholder(below.group(value)) and _fits(site, below.group(value)):
            yield Finding("secret", *below.span(value))


def _bare(site: _Site) -> Iterator[_Step]:
    """A value without quotes: it ends where its carrier says so."""
    last = site.last
    if last == "authorization" and (digest := _DIGEST.match(site.text, site.at)):
        yield Finding("secret", *digest.span(1))
        return
    if last in {"authorization", "cookie", "cookies"} and site.sign == ":" and not site.quote:
        if rest := _REST.match(site.text, site.at):
            yield from _content(site, rest.start(), site.at + len(rest.group().rstrip()))
            yield rest.end()
        return
    end = _bare_end(site)
    value = site.text[site.at : end]
    if _is_no_value(site, value, end):
        return
    number = _NUMBER.fullmatch(value) is not None
    if _fits(site, value):
        yield Finding("secret", site.at, end, site.quote if number and site.sign == ":" else "")


def _bare_end(site: _Site) -> int:
    found = (_LINE_WORD if site.line else _WORD).match(site.text, site.at)
    if not found:
        return site.at
    value = found.group()
    if not value.isascii():
        value = value[: next(place for place, letter in enumerate(value) if letter > "~")]
    if another := _NEXT_PAIR.search(value):
        value = value[: another.start()]
    value = value.rstrip(",;")
    while value and value[-1] in ")]}" and not MARK.fullmatch(value):
        opener = {")": "(", "]": "[", "}": "{"}[value[-1]]
        if value.count(opener) >= value.count(value[-1]):
            break
        value = value[:-1]
    return site.at + len(value)


def _is_no_value(site: _Site, value: str, end: int) -> bool:
    if is_placeholder(value) or is_code(value):
        return True
    if site.sign != ":" or site.quote:
        return False
    goes_on = _GOES_ON.match(site.text, end) is not None
    return (goes_on and not looks_secret(value)) or value.startswith("//")


def _marked_up(site: _Site) -> Iterator[_Step]:
    found = _MARKUP_TEXT.match(site.text, site.at)
    if not found or not site.text.startswith(("</", "<\\/"), found.end()):
        return
    value = found.group().removesuffix("]]>")
    if value.strip() and not is_placeholder(value) and _fits(site, value.strip()):
        yield Finding("secret", site.at, site.at + len(value))


_UNIT = re.compile(r"[0-9]+[\-a-zA-Z]*|[\d\-:.T/+Z]+|v?[0-9]+(?:\.[0-9]+)+\S*")


def _prose(site: _Site) -> Iterator[_Step]:
    """`the password is hunter2!`, `PASSWORD 'x'`: only what looks like a secret."""
    if opened := _OPEN.match(site.text, site.at):
        start = opened.end()
        end = _closing(site.text, start, opened["quote"])
        value = site.text[start:end]
    else:
        word = _WORD.match(site.text, site.at)
        start = site.at
        value = word.group().rstrip(".,;:!?)]}") if word else ""
        end = start + len(value)
    if _is_told(site, value):
        yield Finding("secret", start, end)


def _is_told(site: _Site, value: str) -> bool:
    if not looks_secret(value) or is_placeholder(value) or is_code(value) or _UNIT.fullmatch(value):
        return False
    if any(sign in value for sign in "=:/(@") and not value.endswith("="):
        return site.strength == "always" and "@" in value and "." not in value
    if site.strength == "always" and site.last != "secret":
        return not is_slug(value)
    return len(value) >= 16 and any(letter.isdigit() for letter in value) and not is_slug(value)


_SQL = re.compile(
    r"(?i:\bidentified\s+(?:with\s+\S{1,40}\s+)?(?:by|as)(?:\s+password)?|\b(?:encrypted\s+)?password)\s+"
    r"(?:'((?:[^'\n]|'')*+)'|\"([^\"\n]*+)\")"
)
_INSERT = re.compile(
    r"(?i:\binsert\s+into|\breplace\s+into)\s+[\w.`\"\[\]]{1,80}\s*\(([^()]{1,2000})\)\s*(?i:values)\s*"
)
_ROW = re.compile(r"\(((?:'(?:[^'\\\n]|''|\\.)*+'|[^()'])*+)\)\s*,?\s*")
_CELL = re.compile(r"\s*('(?:[^'\\\n]|''|\\.)*+'|[^,']*+)\s*(?:,|\Z)")


def find_sql(text: str) -> Iterator[Finding]:
    """Passwords in SQL: `IDENTIFIED BY 'x'`, and by column in `INSERT INTO t (..., password) VALUES (...)`."""
    lower = text.lower()
    if "identified" in lower or "password" in lower:
        for found in _SQL.finditer(text):
            group = 1 if found.group(1) is not None else 2
            if not is_placeholder(found.group(group)):
                yield Finding("secret", *found.span(group))
    if " into " in lower:
        yield from _inserts(text)


def _inserts(text: str) -> Iterator[Finding]:
    for found in _INSERT.finditer(text):
        secret: list[Strength | None] = [judge(column.strip(' `"[]')) for column in found.group(1).split(",")]
        place = found.end()
        while any(secret) and (row := _ROW.match(text, place)):
            yield from _cells(text, row, secret)
            place = row.end()


def _cells(text: str, row: re.Match[str], secret: Sequence[Strength | None]) -> Iterator[Finding]:
    place = row.start(1)
    for strength in secret:
        cell = _CELL.match(text, place, row.end(1))
        if not cell or cell.end() == place:
            return
        place = cell.end()
        if strength and len(cell.group(1)) > 2 and cell.group(1)[0] == "'":
            yield Finding("secret", cell.start(1) + 1, cell.end(1) - 1)
