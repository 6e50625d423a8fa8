"""Secrets that are recognised by the name before them, in JSON, YAML, headers, queries, shells, XML, SQL or prose."""

import re
from collections.abc import Iterator
from dataclasses import replace

from holdfast.policy.masking_bare import bare
from holdfast.policy.masking_findings import MARK, Finding
from holdfast.policy.masking_markup import cell, element, marked_up
from holdfast.policy.masking_names import Strength, is_code, is_placeholder, is_slug, judge, looks_secret
from holdfast.policy.masking_quotes import QUOTE, closing, tokens
from holdfast.policy.masking_site import UNIT, WORD, Site, Step, content, cookies, fits

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
_CELL = re.compile(r"[*`]{0,3}[ \t]{0,40}\|[ \t]{0,8}`?(?=\S)")
_ELEMENT = re.compile(
    r"(?:[\"'][^<>\n]{0,120}>|<\\?/(?:key|t[dh]|dt|strong|b)>\s{0,40}<(?:string|td|dd)[^<>\n]{0,80}>(?:\s{0,40}<(?:b|code|em|i|kbd|p|span|strong|tt)>){0,3})(?=\S)"
)
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
_SENTENCE = re.compile(r"[A-Z가-힣][^\s]*(?:\s\S+){2,}[.!?다요]|[a-z]+(?:\s[a-z0-9]+){3,}")
_COLON = re.compile(r"\s{0,4}:")
_BLOCK = re.compile(r"[|>][+-]?[0-9]?[ \t]*\r?\n(?P<indent>[ \t]+)\S[^\n]*+(?:\n(?P=indent)[^\n]*+)*+")
_ENTRY = re.compile(
    r"\r?\n[ \t]*+-[ \t]++(?:\"([^\"\n]*+)\"|'([^'\n]*+)'|([^\s\-#\"']\S*+)(?<!:))[ \t]*(?=\r?\n|\Z)"
)
_BELOW = re.compile(r"\r?\n[ \t]+(?:\"([^\"\n]*+)\"|'([^'\n]*+)'|([^\s:\-#][^\s:]*+))[ \t]*(?=\r?\n|\Z)")
_RANDOM = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[A-Za-z0-9+/]{32,}={0,2}")
_SPACED = frozenset(("key", "keys", "code", "number", "phrase", "string", "answer", "키"))


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


def _after(text: str, run: re.Match[str], name: str, strength: Strength) -> Iterator[Step]:
    """The findings behind one name, by the first form that fits."""
    place = run.end()
    if found := _ASSIGN.match(text, place):
        yield from _assigned(text, run.start(), found, name, strength)
    elif found := _OBJECT.match(text, place) or _FORM.match(text, place):
        yield from _value(Site(text, name, strength, found.end(), line=True, sign=":"))
    elif text[run.start() - 1 : run.start()] in {"<", ":"} and (found := _MARKUP.match(text, place)):
        yield from marked_up(Site(text, name, strength, found.end()))
    elif steps := _beside(text, place, name, strength):
        yield from steps
    elif found := _TUPLE.match(text, place):
        yield from _value(Site(text, name, "maybe", found.end()))
    elif run.group().startswith("--") and (found := _FLAG.match(text, place)):
        yield from _value(Site(text, name, strength, found.end()))
    elif found := _PROSE.match(text, place):
        yield from _prose(Site(text, name, strength, found.end()))


def _beside(text: str, place: int, name: str, strength: Strength) -> Iterator[Step] | None:
    """What stands in the next cell or element, if there is one."""
    if found := _CELL.match(text, place):
        return cell(Site(text, name, "maybe", found.end()))
    if found := _ELEMENT.match(text, place):
        return element(Site(text, name, strength, found.end()))
    return None


def _assigned(text: str, start: int, found: re.Match[str], name: str, strength: Strength) -> Iterator[Step]:
    line = _LINE_START.search(text[max(0, start - 40) : start]) is not None
    before = text[start - 1 : start]
    site = Site(text, name, strength, found.end(), found["quote"] or "", line, found["sign"], before)
    yield from _value(site)


def _value(site: Site) -> Iterator[Step]:
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
        yield from bare(site)


def _quoted(site: Site, opened: re.Match[str]) -> Iterator[Step]:
    start = opened.end()
    end = closing(site.text, start, opened["quote"])
    if end - start > 400 or not _SENTENCE.fullmatch(site.text, start, end):
        yield from content(site, start, end)
        yield end


def _items(site: Site) -> Iterator[Step]:
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
            yield from cookies(site, start, end)
        elif _is_item(site, found["inner"]):
            yield site.found(start, end)
    yield limit


def _is_item(site: Site, value: str) -> bool:
    """A secret in a list; a list of names of secrets holds none."""
    return not is_placeholder(value) and judge(value) is None and fits(site, value)


def _below(site: Site) -> Iterator[Step]:
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


def _entry(site: Site, entry: re.Match[str]) -> Iterator[Step]:
    value = entry.group(entry.lastindex or 0)
    if not is_placeholder(value) and fits(site, value):
        yield site.found(*entry.span(entry.lastindex or 0))


def _prose(site: Site) -> Iterator[Step]:
    """`the password is hunter2!`, `PASSWORD 'x'`: only what looks like a secret."""
    if opened := _OPEN.match(site.text, site.at):
        start = opened.end()
        end = closing(site.text, start, opened["quote"])
        value = site.text[start:end]
    else:
        word = WORD.match(site.text, site.at)
        start = site.at
        value = _plain_part(word.group()).rstrip(".,;:!?)]}") if word else ""
        end = start + len(value)
    if _is_told(site, value):
        yield site.found(start, end)


def _plain_part(word: str) -> str:
    """A word without the Korean particle that stands right behind it."""
    return word if word.isascii() else word[: next(at for at, letter in enumerate(word) if letter > "~")]


def _is_told(site: Site, value: str) -> bool:
    if not looks_secret(value) or is_placeholder(value) or is_code(value) or UNIT.fullmatch(value):
        return False
    if site.strength != "maybe" and _RANDOM.fullmatch(value):
        return True
    if any(sign in value for sign in "=:/(@") and not value.endswith("="):
        return site.strength == "always" and "@" in value and "." not in value
    if site.strength == "always" and site.last != "secret":
        return not is_slug(value)
    return len(value) >= 16 and any(letter.isdigit() for letter in value) and not is_slug(value)
