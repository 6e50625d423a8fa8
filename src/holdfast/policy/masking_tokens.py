"""Secrets that are recognised by their own shape: provider keys, JWTs, private keys, URL and scheme credentials.

Prefix and a minimum length, never an exact length: exact rules miss cut keys and newer kinds.
"""

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator

from holdfast.policy.masking_findings import Finding, SecretKind
from holdfast.policy.masking_names import is_slug

_RUN = re.compile(r"[\w\-.~/:+=$]{16,}+", re.ASCII)
_LONG = re.compile(r"[A-Za-z0-9_\-]{12}")

# Distinct enough to need no boundary on the left.
_DISTINCT = (
    "sk-ant-", "sk-proj-", "sk-svcacct-", "sk-admin-", "sk-or-v1-", "sk-lf-", "hf_live_", "hf_test_", "api_org_",
    "github_pat_", "glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "gloas-",
    "glsoat-", "glffct-", "GR1348941", "xoxb-", "xoxp-", "xoxa-", "xoxe-", "xoxr-", "xoxs-", "xoxc-", "xoxd-",
    "xapp-", "xwfp-", "AIza", "GOCSPX-", "sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_", "live_sk_",
    "test_sk_", "live_gsk_", "test_gsk_", "pypi-AgE", "dckr_pat_", "dckr_oat_", "dop_v1_", "doo_v1_", "dor_v1_",
    "shpat_", "shpss_", "shpca_", "shppa_", "sq0atp-", "sq0csp-", "sq0idp-", "lin_api_", "lin_oauth_", "PMAK-",
    "pul-", "glsa_", "NRAK-", "NRJS-", "NRII-", "sntrys_", "sntryu_", "pscale_tkn_", "pscale_pw_",
    "pscale_oauth_", "sbp_", "sb_secret_", "HRKU-", "AGE-SECRET-KEY-1", "lsv2_pt_", "lsv2_sk_", "pcsk_",
    "tgp_v1_", "nvapi-", "pplx-", "tvly-", "figd_", "figo_", "ATATT3", "ATCTT3", "ATBB", "rubygems_", "CLOJARS_",
    "phx_", "phs_", "shippo_live_", "shippo_test_", "EZAK", "EZTK", "duffel_live_", "duffel_test_",
    "FLWSECK-", "FLWSECK_TEST-", "rzp_live_", "rzp_test_", "tfp_", "zpka_", "CFPAT-", "bkua_", "CCIPAT_",
    "tskey-", "sgp_", "sm_aat_", "rdme_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "npm_", "secret_live_",
    "access-sandbox-", "access-production-", "pat-na1-", "pat-eu1-", "vault_token_", "nfp_", "gsk_", "xai-",
    "cfut_", "cfat_", "v1.0-", "ops_eyJ", "xkeysib-", "xsmtpsib-", "dapi", "cio_", "pnu_", "e2b_", "hrku-",
    "AKCp", "FlyV1", "fm2_", "fo1_", "vcp_", "vck_", "vca_", "aio_", "ntn_", "ico-", "dt0c01", "ctx7sk-",
    "glc_eyJ", "AQ.Ab8", "sk-ws-", "glwt-", "vapi_",
)  # fmt: skip
# Short enough to occur inside words: a boundary on the left, a digit in the body.
_BOUNDED = ("sk-", "sk_", "hf_", "rk_", "r8_", "fw_", "fc-", "pa-", "key-", "secret_", "pat_", "fio-u-", "up_", "nv-",
            "sqp_", "squ_", "sqa_", "lip_", "tk-us-", "API-", "EAAA", "EAAC", "EAAG", "oy2", "LTAI", "AKID", "AQVN",
            "cmVmdGtu")  # fmt: skip
_EDGE = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"


def _any(prefixes: tuple[str, ...]) -> str:
    """An alternation grouped by first letter: the engine then tries thirty branches a letter, not two hundred."""
    groups: dict[str, list[str]] = {}
    for prefix in sorted(prefixes, key=len, reverse=True):
        groups.setdefault(prefix[0], []).append(re.escape(prefix[1:]))
    return "|".join(f"{re.escape(first)}(?:{'|'.join(rest)})" for first, rest in groups.items())


_PREFIXED = (
    # The tail is the checksum of Atlassian's tokens and the filling of base64.
    re.compile(
        rf"({_any(_DISTINCT)})[A-Za-z0-9_\-]{{12,}}+(?:=[0-9A-F]{{8}}(?![\w\-])|={{1,2}}(?![\w=\-]))?"
    ),
    re.compile(rf"{_EDGE}({_any(_BOUNDED)})[A-Za-z0-9_\-]{{16,}}+"),
)
_SHAPED = re.compile(
    rf"{_EDGE}(?:(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{{12,}}+(?::[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+=]))?|SK[0-9a-f]{{32}}+"
    r"|[0-9a-f]{32}-us[0-9]{1,2}|cio(?=[A-Za-z]*[0-9])[A-Za-z0-9]{32}|ABSK[A-Za-z0-9+/]{40,}+={0,2})"
    r"(?![A-Za-z0-9])"
)
_DOTTED = re.compile(
    rf"{_EDGE}(?:SG\.[\w\-]{{16,64}}+(?:\.[\w\-]{{16,64}}+)?|ya29\.[\w\-.]{{20,}}+|hv[sbr]\.[\w\-]{{20,}}+"
    r"|1//0[\w\-]{20,}+|dp\.(?:pt|st|ct|sa|scim|audit)\.[\w\-.]{20,}+|sl\.[\w\-]{40,}+|t1\.[A-Z0-9a-z_\-]{20,}+[\w\-.=]*"
    r"|[A-Za-z0-9]{14}\.atlasv1\.[\w\-=]{40,}+|dt0[cs]01\.[A-Z0-9]{16,}+(?:\.[A-Z0-9]{16,}+)?"
    r"|pat[A-Za-z0-9]{14}\.[0-9a-f]{32,}+|[sp]k\.eyJ[\w\-]{20,}+\.[\w\-]{10,}+|sha256~[\w\-]{30,}+"
    r"|[0-9]{8,10}:[A-Za-z0-9_\-]{35}(?![\w\-])|[MNO][A-Za-z0-9_\-]{23,27}\.[\w\-]{6}\.[\w\-]{25,}+"
    r"|[\w~.]{3}[0-9]Q~[\w~.\-]{30,}+|v1\.0-[0-9a-f]{20,}+-[0-9a-f]{60,}+)"
)
_HOOK = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows)/|discord(?:app)?\.com/api/webhooks/[0-9]+/"
    r"|webhook\.office\.com/webhookb2/|api\.telegram\.org/bot)([\w\-/@:]{16,}+)",
    re.ASCII,
)
_JWT = re.compile(
    r"(?:(?<![\w\-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))(?=eyJ)"
    r"(?:[\w\-]{11,}+(?:\.[\w\-]{4,}+){1,4}+|eyJ(?:hbGci|0eXAi|raWQi)[\w\-=]{8,}+)",
    re.ASCII,
)
_HASH = re.compile(
    r"\$(?:2[abxy]|argon2(?:id|i|d)|scrypt|pbkdf2[\w\-]*|[156y])\$[\w./+$=,\-]{16,}+", re.ASCII
)
_PEM = re.compile(r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END = re.compile(r"-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----")
_PEM_BODY = re.compile(
    r"(?:(?:\\+[nr]|\s)*+[A-Z][A-Za-z\-]{2,20}: [^\n\\]{0,100})*+(?:(?:\\+[nr]|[\s\"'+,])*+[A-Za-z0-9+/=]{16,}+)*+"
    r"(?:(?:\\+[nr]|\s)*+[A-Za-z0-9+/]+={0,2}(?=\\+[nr]|[\r\n]|\Z))?"
)
_PEM_REACH = 16_384
_URL = re.compile(r":(?:\\?/){2}([^\s/:@\"'<>\\]{0,128}+):([^\s/\"'<>\\]{1,256})@")
_URL_USER = re.compile(r":(?:\\?/){2}([A-Za-z0-9_\-]{16,128}+)@")
_SCHEMES = ("bearer", "basic", "token", "apikey", "api-key", "kakaoak", "negotiate", "ntlm", "digest", "bot ",
            "sso-key", "geniekey")  # fmt: skip
_SCHEME = re.compile(
    rf"(?i:\b({'|'.join(scheme.strip() for scheme in _SCHEMES)}))"
    r"(?:\s|%20|\+){1,3}(?=[A-Za-z0-9])([A-Za-z0-9._~+/\-]{8,}+=*)"
)
_CURL = re.compile(r"(?<=\s)(?:-u|--user|--proxy-user)[ =]['\"]?[^\s:'\"]{1,64}+:([^\s'\"]{1,128}+)")

_TOOLS = (
    re.compile(r"\b(?:mysql[a-z]{0,8}|mariadb)\b[^\n;|]{0,160}?\s-p['\"]?([^\s'\"=\-][^\s'\"]{3,128})"),
    re.compile(r"\bredis-cli\b[^\n;|]{0,160}?\s-a\s+['\"]?([^\s'\"\-][^\s'\"]{3,128})"),
    re.compile(r"\b(?:sshpass|login)\b[^\n;|]{0,160}?\s-p\s*['\"]?([^\s'\"\-][^\s'\"]{3,128})"),
    re.compile(r"\bcurl\b[^\n;|]{0,160}?\s-u([A-Za-z0-9_.\-]{1,64}+:[^\s'\"]{1,128})"),
    re.compile(r"\bsqlplus\b[^\n;|]{0,160}?\s['\"]?[\w$#]{1,64}/([^\s'\"@/]{1,128})@"),
    re.compile(r"\s-pass(?:in|out)?\s+pass:([^\s'\"]{1,128})"),
)
_TOOL_NAMES = (" -p", " -a ", "curl", "sqlplus")


_CROSSES = frozenset("xX0*#._-")
"""What people write in place of a key."""


def find_tokens(text: str, prefixes: tuple[str, ...] = ()) -> Iterator[Finding]:
    """Everything in `text` that is a secret by its own shape; `prefixes` are further key prefixes."""
    for run in _RUN.finditer(text):
        if _LONG.search(text, *run.span()):
            yield from _keys(text, *run.span())
    yield from _own_keys(text, prefixes)
    yield from _shapes(text)
    if "-----BEGIN" in text:
        yield from _private_keys(text)
    if ":/" in text or ":\\/" in text:
        yield from _url_credentials(text)
    yield from _schemes(text)


def _keys(text: str, start: int, end: int) -> Iterator[Finding]:
    for pattern in _PREFIXED:
        for found in pattern.finditer(text, start, end):
            if not _is_words(found.group()):
                yield Finding("key", *found.span(), rule=f"prefix {found[1]}")
    for pattern in (_SHAPED, _DOTTED):
        for found in pattern.finditer(text, start, end):
            if not found.group().endswith("EXAMPLE"):
                yield Finding("key", *found.span(), rule="shape of a key")


def _own_keys(text: str, prefixes: tuple[str, ...]) -> Iterator[Finding]:
    for prefix in prefixes:
        pattern = re.compile(re.escape(prefix) + r"[A-Za-z0-9_\-]{4,}+")
        rule = f"prefix {prefix}"
        yield from (Finding("key", *found.span(), rule=rule) for found in pattern.finditer(text))


def _is_words(token: str) -> bool:
    """A slug or a placeholder and no key: no digit and no inner capital, or nothing but crosses at the end.

    Other letters that repeat are masked: whoever tries a mask out tries it with those.
    """
    body = token[8:] if len(token) > 24 else token[4:]
    if set(body[-12:]) <= _CROSSES:
        return True
    return body.islower() and not any(letter.isdigit() for letter in body)


def _shapes(text: str) -> Iterator[Finding]:
    if "eyJ" in text:
        yield from (Finding("jwt", *found.span(), rule="shape of a JWT") for found in _JWT.finditer(text))
    if "$" in text:
        yield from (Finding("secret", *found.span(), rule="password hash") for found in _HASH.finditer(text))
    if ".com/" in text or ".org/" in text:
        yield from (Finding("key", *found.span(1), rule="webhook address") for found in _HOOK.finditer(text))


def _private_keys(text: str) -> Iterator[Finding]:
    place = 0
    while begin := _PEM.search(text, place):
        following = text.find("-----BEGIN", begin.end())
        limit = min(begin.end() + _PEM_REACH, len(text) if following < 0 else following)
        end = _PEM_END.search(text, begin.end(), limit)
        body = _PEM_BODY.match(text, begin.end())
        place = end.end() if end else body.end() if body else begin.end()
        yield Finding("private_key", begin.start(), place, rule="private key block")


def _url_credentials(text: str) -> Iterator[Finding]:
    for found in _URL.finditer(text):
        yield Finding("secret", *found.span(2), rule="credentials in a URL")
    for found in _URL_USER.finditer(text):
        if any(letter.isdigit() for letter in found.group(1)):
            yield Finding("secret", *found.span(1), rule="credentials in a URL")


def _schemes(text: str) -> Iterator[Finding]:
    lower = text.lower()
    if any(scheme in lower for scheme in _SCHEMES):
        for found in _SCHEME.finditer(text):
            if _is_credential(found.group(1).lower(), found.group(2)):
                kind: SecretKind = "key" if found.group(1)[:2].lower() == "be" else "secret"
                yield Finding(kind, *found.span(2), rule=f"scheme {found[1].lower()}")
    if any(name in text for name in _TOOL_NAMES):
        for pattern in _TOOLS:
            yield from (
                Finding("secret", *found.span(1), rule="option of a command")
                for found in pattern.finditer(text)
            )
    if " -u" in text or "user" in text:
        yield from (Finding("secret", *found.span(1), rule="user of curl") for found in _CURL.finditer(text))


def _is_credential(scheme: str, value: str) -> bool:
    if scheme == "basic" and _decodes_to_pair(value):
        return True
    digits = sum(letter.isdigit() for letter in value)
    if scheme in {"token", "bot", "digest"}:
        return digits > 0 and len(value) >= 16 and not is_slug(value)
    return digits > 0 or (len(value) >= 20 and not value.islower() and not value.isupper())


def _decodes_to_pair(value: str) -> bool:
    try:
        plain = a2b_base64(value + "=" * (-len(value) % 4))
    except Error:
        return False
    return b":" in plain and plain.isascii()
