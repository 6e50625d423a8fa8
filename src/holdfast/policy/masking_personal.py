"""Personal data in text: e-mail addresses, phone numbers, resident numbers, cards, bank accounts."""

import re
from collections.abc import Iterator

from holdfast.policy.masking_findings import Finding, PersonalKind

_EDGE = r"(?:(?<![A-Za-z0-9_.\-+])|(?<=\\[nrt])|(?<=%20))"
_END = r"(?![A-Za-z0-9_]|[.\-][0-9A-Za-z])"
_DIGITS = re.compile(r"[+(]?[0-9](?:[ .()\-/\u00a0\u2010-\u2015]{0,3}[0-9]){7,}+")

_LOCAL = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.!#$&*+/?^_{|}~-"
_DOMAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{2,252}+")
_USERINFO = re.compile(r":(?:\\?/){2}[^\s/@\"'<>]*\Z")
_AT = re.compile(r"@|%40|\\u0040|&#64;|\uff20")
_FILES = frozenset(
    (
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
        "service",
        "socket",
        "target",
        "timer",
        "mount",
        "slice",
        "scope",
        "py",
        "js",
        "ts",
        "css",
    )
)

_SEP = r"[ .\-\u00a0\u2010-\u2015]"
_CARD = re.compile(
    rf"{_EDGE}(?:[2-9][0-9]{{3}}({_SEP})[0-9]{{4}}\1[0-9]{{4}}\1[0-9]{{4}}(?:\1[0-9]{{3}})?"
    rf"|3[47][0-9]{{2}}({_SEP})[0-9]{{6}}\2[0-9]{{5}}|3[0689][0-9]{{2}}({_SEP})[0-9]{{6}}\3[0-9]{{4}}"
    r"|[2-9][0-9]{12,18})(?![0-9A-Za-z_]|[.][0-9])"
)
_RRN = re.compile(r"(?<![0-9A-Za-z_])([0-9]{6})( ?[\-\u2010-\u2015] ?)?([1-8])([0-9]{6})(?![0-9A-Za-z_])")
_RRN_CONTEXT = re.compile(r"주민|외국인등록|등록번호|(?i:rrn|resident|jumin)")
_PHONE = re.compile(
    rf"{_EDGE}(?:"
    # Korean and Japanese numbers with separators, mobile numbers also without
    r"(?:\+?82[ .\-]?(?:\(0\)[ ]?)?|\(?0)(?:1[016-9]|2|[3-6][0-9]|70|80|50[0-9]?)\)?[ .\-]{1,2}[0-9]{3,4}[ .\-][0-9]{4}"
    r"|0[0-9]{1,3}-[0-9]{3,4}-[0-9]{4}|01[016-9][0-9]{7,8}|\+?821[016-9][0-9]{7,8}"
    r"|0(?:2|[3-6][0-9])\)[ ]?[0-9]{3,4}[ .\-][0-9]{4}"
    # North America
    r"|(?:\+?1[ .\-]?)?(?:\([2-9][0-9]{2}\)[ ]?[2-9][0-9]{2}[ .\-]|[2-9][0-9]{2}([.\-])[2-9][0-9]{2}\1)[0-9]{4}"
    rf"){_END}"
)
_PHONE_E164 = re.compile(
    rf"(?:(?<![A-Za-z0-9_+])|(?<=\\[nrt]))\+[1-9][0-9]{{0,2}}(?:[ .()\-/\u00a0]{{0,3}}[0-9]){{6,13}}{_END}"
)
_SSN = re.compile(rf"{_EDGE}(?!000|666|9)[0-9]{{3}}-(?!00)[0-9]{{2}}-(?!0000)[0-9]{{4}}{_END}")
_LICENSE = re.compile(rf"{_EDGE}[0-9]{{2}}( ?- ?)[0-9]{{2}}\1[0-9]{{6}}\1[0-9]{{2}}{_END}")
_LICENSE_TOLD = re.compile(
    r"(?:서울|부산|대구|인천|광주|대전|울산|경기|강원|충북|충남|전북|전남|경북|경남|제주) ?"
    r"([0-9]{2}-[0-9]{6}-[0-9]{2})(?![0-9A-Za-z\-])"
)
_SSN_TOLD = re.compile(r"(?i:\bssn|social security)[^0-9\n]{0,24}?((?!000|666|9)[0-9]{9})(?![0-9A-Za-z\-])")
_PHONE_TOLD = re.compile(
    r"(?i:phone|\btel\b|mobile|\bcall|\bsms|전화|휴대폰|핸드폰|연락처)[^0-9\n+(]{0,16}?"
    r"([2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}|0(?:2[0-9]{7,8}|[3-7][0-9]{8,9}))(?![0-9A-Za-z\-])"
)
_PASSPORT = re.compile(
    r"(?i:여권|passport)[^\n]{0,24}?(?<![A-Za-z0-9])([A-Z](?:[0-9]{8}|[0-9]{3}[A-Z][0-9]{4}))(?![A-Za-z0-9])"
)
_ACCOUNT = re.compile(
    r"(?i:계좌|account (?:no|number)|account_(?:no|number)|입금)[^\n0-9]{0,24}?([0-9]{2,6}(?:-[0-9]{2,8}){2,3}|[0-9]{10,14})"
    r"(?![0-9A-Za-z\-])"
)
_BANK_ACCOUNT = re.compile(
    r"(?:국민|신한|우리|하나|농협|기업|수협|신협|새마을|우체국|산업|제일|씨티|카카오|케이|토스)(?:은행|뱅크|금고)?[ :]{1,3}"
    r"(?=(?:[0-9]-?){11,14}(?![0-9\-]))([0-9]{3,6}(?:-[0-9]{2,8}){2,3})(?![0-9A-Za-z\-])"
)
_IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_PLAIN: tuple[tuple[PersonalKind, re.Pattern[str]], ...] = (
    ("phone", _PHONE), ("phone", _PHONE_E164), ("ssn", _SSN), ("license", _LICENSE),
)  # fmt: skip
_TOLD: tuple[tuple[PersonalKind, re.Pattern[str]], ...] = (
    ("passport", _PASSPORT), ("account", _ACCOUNT),
    ("account", _BANK_ACCOUNT), ("license", _LICENSE_TOLD), ("ssn", _SSN_TOLD), ("phone", _PHONE_TOLD),
)  # fmt: skip


def find_personal(text: str) -> Iterator[Finding]:
    """Everything in `text` that tells who somebody is."""
    if "@" in text or "40" in text or "#64;" in text:
        yield from _emails(text)
    if _DIGITS.search(text):
        yield from _numbers(text)
    elif "여권" in text or "passport" in text.lower():
        yield from (
            Finding("passport", *found.span(1), rule="form and word") for found in _PASSPORT.finditer(text)
        )


def _emails(text: str) -> Iterator[Finding]:
    for sign in _AT.finditer(text):
        before = text[max(0, sign.start() - 64) : sign.start()]
        local = before[len(before.rstrip(_LOCAL)) :].lstrip(".!#$&*/?^{|}~-")
        domain = _DOMAIN.match(text, sign.end())
        if not local or not domain or _USERINFO.search(before):
            continue
        place = domain.group().rstrip(".-")
        if _is_address(local, place, text[sign.end() + len(place) :][:1]):
            yield Finding("email", sign.start() - len(local), sign.end() + len(place), rule="address")


def _is_address(local: str, domain: str, following: str) -> bool:
    host, dot, top = domain.rpartition(".")
    if not dot or not host or not top.isalpha() or len(top) < 2 or top.lower() in _FILES:
        return False
    return not (local == "git" and following == ":")


def _numbers(text: str) -> Iterator[Finding]:
    for run in _DIGITS.finditer(text):
        window = run.start(), min(len(text), run.end() + 2)
        yield from (
            Finding("rrn", *found.span(), rule="date and dash, check digit or word")
            for found in _RRN.finditer(text, *window)
            if _is_rrn(text, found)
        )
        yield from (
            Finding("card", *found.span(), rule="Luhn")
            for found in _CARD.finditer(text, *window)
            if is_card(found.group())
        )
        for kind, pattern in _PLAIN:
            yield from (
                Finding(kind, *found.span(), rule="form") for found in pattern.finditer(text, *window)
            )
    for found in _IBAN.finditer(text):
        if is_iban(found.group()):
            yield Finding("iban", *found.span(), rule="mod 97")
    for kind, pattern in _TOLD:
        yield from (Finding(kind, *found.span(1), rule="form and word") for found in pattern.finditer(text))


def is_card(number: str) -> bool:
    """Whether the digits have the length of their issuer and the check digit of ISO/IEC 7812-1 (Luhn)."""
    digits = [int(letter) for letter in number if letter in "0123456789"]
    return len(set(digits)) > 1 and _is_issued(digits) and _luhn(digits)


def _is_issued(digits: list[int]) -> bool:
    first, two = digits[0], digits[0] * 10 + digits[1]
    match len(digits):
        case 13:
            return first == 4
        case 14:
            return two in {30, 36, 38, 39}
        case 15:
            return two in {34, 37}
        case 16:
            return True
        case 19:
            return first in {4, 6}
        case _:
            return False


def _luhn(digits: list[int]) -> bool:
    total = sum(digits[-1::-2])
    for digit in digits[-2::-2]:
        total += digit * 2 - (9 if digit > 4 else 0)
    return total % 10 == 0


def is_iban(number: str) -> bool:
    """Whether the check digits are right (ISO 13616, mod 97)."""
    compact = number.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(letter, 36)) for letter in compact[4:] + compact[:4])) % 97 == 1


_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)


def _is_rrn(text: str, found: re.Match[str]) -> bool:
    """A date, and for a number without its dash also the check digit or a word that says so.

    Numbers issued since October 2020 have no check digit, so a wrong one proves nothing.
    """
    date = found.group(1)
    if not (1 <= int(date[2:4]) <= 12 and 1 <= int(date[4:6]) <= 31):
        return False
    if found.group(2):
        return True
    if text[max(0, found.start() - 1) : found.start()] in {"-", "."}:
        return False
    digits = [int(letter) for letter in date + found.group(3) + found.group(4)]
    if (11 - sum(map(_product, _WEIGHTS, digits)) % 11) % 10 == digits[12]:
        return True
    return _RRN_CONTEXT.search(text[max(0, found.start() - 24) : found.start()]) is not None


def _product(weight: int, digit: int) -> int:
    return weight * digit
