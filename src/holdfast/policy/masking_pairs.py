"""Secrets that are recognised by the name before them, in JSON, YAML, headers, queries, shells, XML, SQL or prose."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

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
from holdfast.policy.masking_quotes import QUOTE, closing, tokens

_ROOTS = (
    "pass", "pwd", "pw", "_pat", "answer",
    "secret", "token", "key", "auth", "cookie", "cred", "jwt", "bearer", "sig", "otp", "pin",
    "cvv", "cvc", "phrase", "mnemonic", "salt", "sess", "ssn", "rrn", "string", "number", "connstr", "hmac", "sas",
    "code", "kennwort", "contrase", "senha", "비번", "비밀", "패스워드", "암호", "번호", "코드", "키", "시크릿", "쿠키",
    "토큰", "パスワード", "密",
)  # fmt: skip
_NAME = re.compile(r"[\w.\-]{2,}+|키")
_ASSIGN = re.compile(
    rf"(?P<quote>{QUOTE})?\]?(?:\*\*)?[ \t]{{0,8}}(?P<sign>"
    rf":\s{{0,4}}[A-Za-z_][\w.\[\],|]{{0,40}}(?: \| \w{{1,16}})?\s{{0,2}}=(?=\s{{0,4}}[bruf]?[\"'])"
    r"|=>|:=|!?={1,3}|:(?![:/])|%3[AaDd])(?:\*\*)?[ \t]{0,64}(?:![A-Za-z][\w:/\-]{0,40}[ \t]{1,8})?"
)
_OBJECT = re.compile(
    rf"{QUOTE}?,?(?:\s|\\n){{0,64}}(?:\{{\s{{0,64}})?{QUOTE}?(?:value|val|content|stringValue|plaintext|default){QUOTE}?"
    r"\s{0,4}[:=]\s{0,4}"
)
_INNER = re.compile(
    rf"\{{\s{{0,64}}{QUOTE}?(?:value|default|plaintext){QUOTE}?\s{{0,4}}[:=]\s{{0,4}}(?={QUOTE})"
)
_CELL = re.compile(
    r"(?:[*`]{0,3}[ \t]{0,40}\|[ \t]{0,8}`?|[\"'][^<>\n]{0,120}>|</(?:key|t[dh]|dt|strong|b)>\s{0,40}<(?:string|td|dd)"
    r"[^<>\n]{0,80}>)(?=\S)"
)
_CONTENT = re.compile(r"[^\s<>|\"'`\\]{6,}+")
_DIGIT = re.compile(r"[0-9]")
_TUPLE = re.compile(rf"{QUOTE}\s{{0,4}},\s{{0,4}}(?=[bru]?{QUOTE})")
_MARKUP = re.compile(r"(?:\s[^<>\n]{0,120})?>(?:<!\[CDATA\[)?")
_FORM = re.compile(r"\\?\"(?:\r?\n|\\r\\n|\\n){2}")
_FLAG = re.compile(r"[ \t]{1,8}(?!-)")
_PROSE = re.compile(r"[ \t]{1,3}(?:(?:is|was|are|to|equals|set to)[ \t]{1,3})?(?=\S)")
_OPEN = re.compile(rf"[bBrRuUfF]{{0,2}}(?P<quote>{QUOTE})")
_LINE_START = re.compile(
    r"(?:\A|\n|\\n)[ \t]*(?:[-+<>*$#] ?)?(?:export |set |ENV |ARG |SET |setx |const |let |var )?[\"']?"
    r"(?:[A-Za-z가-힣]{1,16} ){0,2}\Z"
)
_LINE_WORD = re.compile(r"(?:[^\s\\\"'`]|\\(?!\\{0,31}[nrt\"']))++")
_WORD = re.compile(r"(?:[^\s\"'`<>&,;\\|]|\\(?!\\{0,31}[nrt\"']))++")
_REST = re.compile(r"[^\r\n\"'`\\<>]++")
_NEXT_PAIR = re.compile(r"[&;,]\s?[\w.\-]+=")
_MARKUP_TEXT = re.compile(r"[^<]{0,8192}+")
_SCHEME = re.compile(
    r"(?i:bearer|basic|token|api-?key|negotiate|ntlm|kakaoak|sso-key|geniekey|bot|key|jwt|splunk)[ ]+(?=\S)"
)
_PARAMETERS = re.compile(r"(?i:digest|oauth|hawk|signature|[a-z0-9]{1,16}-hmac-[a-z0-9\-]{1,24})[ ]+(?=\S)")
_CREDENTIAL = re.compile(r"[^\s,;\"'`<>&\\]++")
_COOKIE = re.compile(r"([^\s=;,\"']{1,80}+)=([^;\s\"'\\]*+)")
_ATTRIBUTES = ("path", "domain", "expires", "max-age", "samesite", "secure", "httponly", "partitioned", "priority",
               "version")  # fmt: skip
_NUMBER = re.compile(r"[-+]?[0-9][0-9._,]*")
_SENTENCE = re.compile(r"[A-Z가-힣][^\s]*(?:\s\S+){2,}[.!?다요]|[a-z]+(?:\s[a-z0-9]+){3,}")
_COLON = re.compile(r"\s{0,4}:")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*\r?\n(?P<indent>[ \t]+)\S[^\n]*+(?:\n(?P=indent)[^\n]*+)*+")
_ENTRY = re.compile(
    r"\r?\n[ \t]*+-[ \t]++(?:\"([^\"\n]*+)\"|'([^'\n]*+)'|([^\s\-#\"']\S*+)(?<!:))[ \t]*(?=\r?\n|\Z)"
)
_BELOW = re.compile(r"\r?\n[ \t]+(?:\"([^\"\n]*+)\"|'([^'\n]*+)'|([^\s:\-#][^\s:]*+))[ \t]*(?=\r?\n|\Z)")
_SPACED = frozenset(("key", "keys", "code", "number", "phrase", "string", "answer", "키"))
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
    before: str = ""

    def is_quoted_by(self, quote: str) -> bool:
        """Whether this quote began before the name, as in `'password: '`, and ends with it."""
        return not self.quote and self.before == quote[-1]

    @property
    def last(self) -> str:
        return words(self.name)[-1]

    def found(self, start: int, end: int, quote: str = "") -> Finding:
        return Finding("secret", start, end, quote, f"name {self.name}")


def find_pairs(text: str, names: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Every value in `text` whose name says that it is a secret; `names` are further such names, lower case."""
    if not _has_root(text, names):
        return
    reached = 0
    for run in _NAME.finditer(text):
        if run.start() < reached:
            continue
        word = run.group()
        if len(word) > 6 and word[0] not in "nrt" and not names and judge(word) is None:
            continue  # most words of most texts: a call less for each
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
    name, start = run.group(), run.start()
    if name[0] in "nrt" and start and text[start - 1] == "\\":
        name = name[1:]
    if len(name) <= 6 and name.lower() in _SPACED:
        before = re.search(r"[A-Za-z가-힣]{2,16}[ ]\Z", text[max(0, start - 17) : start])
        name = (before.group().strip() + "_" if before else "") + name
    strength: Strength | None = "always" if names and name.lower() in names else judge(name)
    if strength is None or (start >= 10 and MARK.match(text, start - 10)):
        return None
    return name, strength


def _after(text: str, run: re.Match[str], name: str, strength: Strength) -> Iterator[_Step]:
    """The findings behind one name, by the first form that fits."""
    place = run.end()
    if found := _ASSIGN.match(text, place):
        yield from _assigned(text, run.start(), found, name, strength)
    elif found := _OBJECT.match(text, place) or _FORM.match(text, place):
        yield from _value(_Site(text, name, strength, found.end(), line=True, sign=":"))
    elif text[run.start() - 1 : run.start()] in {"<", ":"} and (found := _MARKUP.match(text, place)):
        yield from _marked_up(_Site(text, name, strength, found.end()))
    elif found := _CELL.match(text, place):
        yield from _cell(_Site(text, name, "maybe", found.end()))
    elif found := _TUPLE.match(text, place):
        yield from _value(_Site(text, name, "maybe", found.end()))
    elif run.group().startswith("--") and (found := _FLAG.match(text, place)):
        yield from _value(_Site(text, name, strength, found.end()))
    elif found := _PROSE.match(text, place):
        yield from _prose(_Site(text, name, strength, found.end()))


def _assigned(text: str, start: int, found: re.Match[str], name: str, strength: Strength) -> Iterator[_Step]:
    line = _LINE_START.search(text[max(0, start - 40) : start]) is not None
    before = text[start - 1 : start]
    site = _Site(text, name, strength, found.end(), found["quote"] or "", line, found["sign"], before)
    yield from _value(site)


def _value(site: _Site) -> Iterator[_Step]:
    text, at = site.text, site.at
    if at >= len(text):
        return
    if opened := _OPEN.match(text, at):
        if not site.is_quoted_by(opened["quote"]):
            yield from _quoted(site, opened)
    elif text[at] in "[({" and not MARK.match(text, at):
        yield from _items(site)
    elif site.sign == ":" and text[at] in "|>\r\n":
        yield from _below(site)
    elif text[at] not in "\r\n":
        yield from _bare(site)


def _quoted(site: _Site, opened: re.Match[str]) -> Iterator[_Step]:
    start = opened.end()
    end = closing(site.text, start, opened["quote"])
    if end - start > 400 or not _SENTENCE.fullmatch(site.text, start, end):
        yield from _content(site, start, end)
        yield end


def _content(site: _Site, start: int, end: int) -> Iterator[_Step]:
    """The secret part of a quoted value or of a header's line."""
    last = site.last
    if last in {"cookie", "cookies"} and "=" in site.text[start:end]:
        yield from _cookies(site, start, end)
        return
    if last == "authorization" and (scheme := _scheme(site.text, start, end)):
        start = scheme.end()
    value = site.text[start:end]
    if is_placeholder(value) or not _fits(site, value):
        return
    yield site.found(start, end)


def _scheme(text: str, start: int, end: int) -> re.Match[str] | None:
    return _SCHEME.match(text, start, end) or _PARAMETERS.match(text, start, end)


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
        yield Finding("cookie", *found.span(2), rule=f"cookie {found[1]}")


def _items(site: _Site) -> Iterator[_Step]:
    """The strings of a list, or the values of an object, up to its closing or a further opening bracket."""
    is_cookie = site.last in {"cookie", "cookies"}
    if inner := _INNER.match(site.text, site.at):
        yield from _value(replace(site, at=inner.end()))
        return
    if site.text[site.at] == "{" and not is_cookie and site.last not in {"secrets", "passwords"}:
        return
    limit = min(len(site.text), site.at + 8192)
    for found in tokens(site.quote.count("\\")).finditer(site.text, site.at + 1, limit):
        start, end = found.span("inner")
        if start < 0 and not MARK.fullmatch(found.group()):
            limit = found.start()
            break
        is_name = _COLON.match(site.text, found.end()) is not None
        if start < 0 or is_name:
            continue
        if is_cookie and "=" in found["inner"]:
            yield from _cookies(site, start, end)
        elif _is_item(site, found["inner"]):
            yield site.found(start, end)
    yield limit


def _is_item(site: _Site, value: str) -> bool:
    """A secret in a list; a list of names of secrets holds none."""
    return not is_placeholder(value) and judge(value) is None and _fits(site, value)


def _below(site: _Site) -> Iterator[_Step]:
    """YAML: the value stands on the lines below its name."""
    if not site.line:
        return
    if block := _BLOCK.match(site.text, site.at):
        yield site.found(block.end("indent"), block.end())
    elif below := _BELOW.match(site.text, site.at):
        yield from _entry(site, below)
    else:
        place = site.at
        while entry := _ENTRY.match(site.text, place):
            yield from _entry(site, entry)
            place = entry.end()


def _entry(site: _Site, entry: re.Match[str]) -> Iterator[_Step]:
    value = entry.group(entry.lastindex or 0)
    if not is_placeholder(value) and _fits(site, value):
        yield site.found(*entry.span(entry.lastindex or 0))


def _bare(site: _Site) -> Iterator[_Step]:
    """A value without quotes: it ends where its carrier says so."""
    if site.sign == ":" and not site.quote and site.last in {"authorization", "cookie", "cookies"}:
        if rest := _REST.match(site.text, site.at):
            end = site.at + len(rest.group().rstrip())
            is_cookie = site.last != "authorization" and "=" in rest.group()
            yield from _content(site, site.at, end) if is_cookie else _authorization(site, end)
            yield rest.end()
        return
    end = _bare_end(site)
    value = site.text[site.at : end]
    if _is_no_value(site, value, end):
        return
    number = _NUMBER.fullmatch(value) is not None
    if _fits(site, value):
        yield site.found(site.at, end, site.quote if number and site.sign == ":" else "")


def _authorization(site: _Site, end: int) -> Iterator[_Step]:
    """The credential of a header's line, which in a log may go on with something else."""
    text, start = site.text, site.at
    if parameters := _PARAMETERS.match(text, start, end):
        newline = text.find("\n", start)
        yield site.found(parameters.end(), len(text) if newline < 0 else newline)
        return
    scheme = _SCHEME.match(text, start, end)
    word = _CREDENTIAL.match(text, scheme.end() if scheme else start, end)
    if word is None or is_placeholder(word.group()):
        return
    if not scheme and word.end() < end and not looks_secret(word.group()):
        after = _CREDENTIAL.match(text, word.end() + 1, end)
        word = after if after and looks_secret(after.group()) else None
    if word and _fits(site, word.group()):
        yield site.found(*word.span())


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
    if site.strength == "always" and len(value) >= 6 and value.isdigit():
        return False
    if value.isalpha() and site.text.startswith(" | ", end):
        return True  # a union of types
    goes_on = _GOES_ON.match(site.text, end) is not None
    return (goes_on and not looks_secret(value)) or value.startswith("//")


def _marked_up(site: _Site) -> Iterator[_Step]:
    found = _MARKUP_TEXT.match(site.text, site.at)
    if not found or not site.text.startswith(("</", "<\\/"), found.end()):
        return
    value = found.group().removesuffix("]]>")
    if value.strip() and not is_placeholder(value) and _fits(site, value.strip()):
        yield site.found(site.at, site.at + len(value))


_UNIT = re.compile(r"[0-9]+[\-a-zA-Z]*|[\d\-:.T/+Z]+|v?[0-9]+(?:\.[0-9]+)+\S*")


def _prose(site: _Site) -> Iterator[_Step]:
    """`the password is hunter2!`, `PASSWORD 'x'`: only what looks like a secret."""
    if opened := _OPEN.match(site.text, site.at):
        start = opened.end()
        end = closing(site.text, start, opened["quote"])
        value = site.text[start:end]
    else:
        word = _WORD.match(site.text, site.at)
        start = site.at
        value = word.group().rstrip(".,;:!?)]}") if word else ""
        end = start + len(value)
    if _is_told(site, value):
        yield site.found(start, end)


def _cell(site: _Site) -> Iterator[_Step]:
    """A table's or an element's content behind the name: only what looks like a secret."""
    found = _CONTENT.match(site.text, site.at)
    value = found.group() if found else ""
    if _DIGIT.search(value) and looks_secret(value) and not _is_plain(value):
        yield site.found(site.at, site.at + len(value))


def _is_plain(value: str) -> bool:
    return is_placeholder(value) or is_code(value) or is_slug(value) or _UNIT.fullmatch(value) is not None


def _is_told(site: _Site, value: str) -> bool:
    if not looks_secret(value) or is_placeholder(value) or is_code(value) or _UNIT.fullmatch(value):
        return False
    if any(sign in value for sign in "=:/(@") and not value.endswith("="):
        return site.strength == "always" and "@" in value and "." not in value
    if site.strength == "always" and site.last != "secret":
        return not is_slug(value)
    return len(value) >= 16 and any(letter.isdigit() for letter in value) and not is_slug(value)
