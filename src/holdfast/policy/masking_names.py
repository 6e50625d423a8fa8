"""Which names say that their value is a secret, and which values cannot be one.

A name is split into words (snake, kebab, camel case, Hangul) and judged by the last of them: that is the
difference between `access_token` and `token_count`, between `authorization` and `author`.
"""

import re
from functools import lru_cache
from typing import Literal

Strength = Literal["always", "text", "maybe"]
"""`always`: numbers too; `text`: anything but plain numbers; `maybe`: only what looks like a secret."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


def _listed(names: str) -> frozenset[str]:
    return frozenset(names.split())


_ALWAYS = _listed(
    "password passwords passwd passphrase passcode pwd secret secrets pgpassword mnemonic "
    "cvv cvc cvv2 ssn rrn otp totp passwort kennwort contraseña senha パスワード 密码 密碼"
)
_TEXT = _listed(
    "apikey apikeys token pw authtoken accesstoken credential credentials creds authorization cookie cookies "
    "jwt bearer phpsessid jsessionid sessid requirepass connstr xauth privatekey secretkey accesskey"
)
_MAYBE = _listed("auth pass pat sig signature salt sas hmac pin key keys code 키")
_ENDINGS = ("password", "passwd", "passphrase", "secret")
_TEXT_ENDINGS = ("token", "apikey")

_KEY_OWNERS = _listed(
    "api access secret private auth encryption encrypt encrypted signing sign master account shared storage "
    "subscription ssh client service server admin license hmac webhook deploy root app application consumer "
    "anthropic openai claude gemini azure aws gcp google stripe github gitlab slack sendgrid twilio datadog "
    "mailgun cohere mistral groq huggingface hf pinecone supabase firebase kakao naver upstage toss jwt aes "
    "rsa wrapping crypto cipher decryption fernet symmetric rest role anon 인증 접근 액세스 비밀 서비스 시크릿 마스터 암호화"
)
_SHY_KEY_OWNERS = _listed("session security activation product recovery 보안")
_HARMLESS_TOKENS = _listed(
    "next prev previous page pagination continuation stop eos bos pad unk sep cls mask special first last max "
    "min per total input output prompt completion cached sync start end cursor time to image audio"
)
_TOKEN_OWNERS = _listed("access refresh auth bearer api csrf xsrf session id user bot")
_NO_PASS_OWNERS = _listed("first second third single multi one two render boarding by")
_CODE_OWNERS = _listed("pin mfa otp verification security backup recovery auth sms totp cvv cvc")
_PAIRS: tuple[tuple[frozenset[str], frozenset[str], Strength], ...] = (
    (_listed("key keys 키"), _KEY_OWNERS, "text"),
    (_listed("key keys 키"), _SHY_KEY_OWNERS, "maybe"),
    (_listed("phrase"), _listed("seed recovery backup secret mnemonic"), "always"),
    (_listed("code"), _CODE_OWNERS, "maybe"),
    (_listed("string"), _listed("connection"), "text"),
    (_listed("string binary"), _listed("secret"), "always"),
    (_listed("answer"), _listed("security secret recovery"), "text"),
    (_listed("number"), _listed("card"), "always"),
    (_listed("hash digest salt"), _ALWAYS, "always"),
)

_TRAILERS = _listed(
    "value confirm confirmation repeat again plain plaintext raw encoded base64 b64 prod production dev staging "
    "live primary secondary old new current previous"
)
"""Words behind a name that leave its meaning as it is: `passwordConfirm`, `API_KEY_PROD`."""

_HANGUL_ALWAYS = (
    "비밀번호", "비번", "패스워드", "암호", "주민등록번호", "주민번호", "외국인등록번호", "카드번호", "계좌번호",
    "인증번호", "보안코드", "시크릿", "비밀키",
)  # fmt: skip
_HANGUL_TEXT = ("토큰", "인증키", "접근키", "액세스키", "개인키", "서비스키", "쿠키")
_PARTICLES = "은는이가을를"


def words(name: str) -> list[str]:
    """The words of an identifier, lower case: `dbPassword_2` is `db`, `password`, `2`."""
    return [word.lower() for word in _WORD.findall(name)]


@lru_cache(maxsize=4096)
def judge(name: str) -> Strength | None:
    """How strongly `name` says that its value is a secret; `None` if it does not."""
    if len(name) > 120:
        return None
    parts = words(name)
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _TRAILERS):
        parts.pop()
    return _judge_parts(parts) if parts else None


def _judge_parts(parts: list[str]) -> Strength | None:
    last, owner = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last == "token" and owner in _HARMLESS_TOKENS:
        return None
    if not last.isascii():
        return _judge_pair(owner, last, parts) or _judge_foreign(last) or _judge_word(last)
    if last == "tokens":
        return "text" if owner in _TOKEN_OWNERS else None
    if last == "pass" and owner:
        return None if owner in _NO_PASS_OWNERS else "text"
    return _judge_pair(owner, last, parts) or _judge_word(last)


def _judge_word(last: str) -> Strength | None:
    if last in _ALWAYS or last.endswith(_ENDINGS):
        return "always"
    if last in _TEXT or last.endswith(_TEXT_ENDINGS):
        return "text"
    return "maybe" if last in _MAYBE and last not in {"key", "keys", "code"} else None


def _judge_pair(owner: str, last: str, parts: list[str]) -> Strength | None:
    if parts[-3:] == ["secret", "key", "base"]:
        return "always"
    return next((strength for names, owners, strength in _PAIRS if last in names and owner in owners), None)


def _judge_foreign(last: str) -> Strength | None:
    stem = last.rstrip(_PARTICLES) if last[-1] in _PARTICLES else last
    if stem.endswith(_HANGUL_ALWAYS):
        return "always"
    if stem == "키" or stem.endswith(_HANGUL_TEXT):
        return "text" if stem != "키" else "maybe"
    return None


_NOTHING = _listed(
    "true false null none nil undefined yes no on off 0 1 empty missing required optional invalid expired "
    "unknown unset set str string int bytes bool any text varchar char secretstr type object number revoked "
    "redacted masked hidden filtered removed omitted present absent rejected accepted ok failed incorrect "
    "wrong bearer basic raise return pass continue break yield await assert print if for not must is are was "
    "should shall can cannot may might will would has have had does did do the a an at in of to too and or "
    "with from by as your my our this that it be been required. optional. changeme example value include omit "
    "same-origin"
)
_PLACEHOLDER = re.compile(
    "|".join(
        (
            r"\$[A-Z_][A-Z0-9_]*|\$\{[^}\s]*\}|\$\([^)]*\)|\{\{[^}]*\}\}|\{[\w.!:]*\}|%\(?\w*\)?s|%\w+%",
            r"<[^<>]{1,48}>|\[[A-Za-z_ :\-]{2,40}\]|\[REDACTED:[a-z_]+:[0-9a-f]{8}\]",
            r"\.{0,2}/?[a-z_.\-]+(?:/[a-z_.\-]+){2,}|\.{0,2}(?:/[a-z_.\-]+){2,}",
            r"[*•·.…#?_-]+|[xX*]{3,}|.*\*{4,}|.*\bEXAMPLE(?:KEY)?|.*[\-_][xX]{4,}|:[a-z_]{2,24}|[:$][0-9]{1,2}",
            r"(?i:(?:your|my|the|an?|some|test)[-_ ][\w\- ]*(?:key|token|password|secret|here|value))",
        )
    )
)
_CODE = re.compile(
    r"[A-Za-z_]\w*(?:\.\w+)*\(.*|(?:self|cls|this|os|sys|process|settings|config|cfg|env|args|opts|options|"
    r"request|req|user|row|data|params|ctx|context|secrets|vault|st|app|kwargs)(?:\.[A-Za-z_]\w*|\[).*"
    r"|(?:typing\.)?(?:Optional|Union|Annotated|Literal|list|dict|SecretStr)\[.*"
    r"|[A-Z]\w*\[[A-Za-z][\w, .|]*\]|[a-z_]\w*\[(?:-?[0-9]{1,3}|-?[0-9]*:-?[0-9]*|['\"].*)\]|[a-z]+(?:_[a-z]+)+"
)


def is_placeholder(value: str) -> bool:
    """Whether the value only stands for one: `${TOKEN}`, `<your key>`, `****`, `None`, an earlier mark."""
    short = value.strip()[:256]
    return (
        not short.rstrip("):,;")
        or short.rstrip("):,;").lower() in _NOTHING
        or _PLACEHOLDER.fullmatch(short) is not None
    )


def is_code(value: str) -> bool:
    """Whether an unquoted value is an expression (`os.environ[...]`, `password`) and not the thing itself."""
    bare = value.rstrip(",;):}")
    if _CODE.fullmatch(value[:256]) or _CODE.fullmatch(bare[:256]):
        return True
    bare = bare.lstrip("${")
    return bare.isidentifier() and not any(letter.isdigit() for letter in bare) and judge(bare) is not None


_LOOKS = re.compile(r"[!-~]{6,}")
_DIGIT = re.compile(r"[0-9]")
_LETTER = re.compile(r"[A-Za-z]")
_SYMBOL = re.compile(r"[!@#$%^&*+=?~]")
_MIXED = re.compile(r"[a-z][A-Z].*[a-z][A-Z]|[A-Z]{2}[a-z].*[A-Z]")


_SLUG = re.compile(r"[a-z]+(?:[-_.][a-z0-9]+)+")


def is_slug(value: str) -> bool:
    """Whether this is words with dashes, such as a model's id, and no random string."""
    return _SLUG.fullmatch(value) is not None and len(value) < 48


def looks_secret(value: str) -> bool:
    """Whether a word mixes letters with digits or symbols as passwords and keys do."""
    if not _LOOKS.fullmatch(value):
        return False
    if not _LETTER.search(value):
        return False
    if _DIGIT.search(value) or _SYMBOL.search(value):
        return True
    return len(value) >= 8 and _MIXED.search(value) is not None
