"""Made-up secrets, built at run time so that no scanner takes this file for a leak."""

from random import Random
from string import ascii_letters, ascii_uppercase, digits

HEX = "0123456789abcdef"
_dice = Random(20261122)


def body(length: int, alphabet: str = ascii_letters + digits) -> str:
    return "".join(_dice.choice(alphabet) for _ in range(length))


UPPER = ascii_uppercase + digits

KEYS: dict[str, tuple[str, str]] = {
    "anthropic": ("sk-" + "ant-api03-", body(93)),
    "anthropic oauth": ("sk-" + "ant-oat01-", body(80)),
    "anthropic, cut": ("sk-" + "ant-api03-", body(18)),
    "holdfast": ("hf_" + "live_", body(32)),
    "openai": ("sk-", body(48)),
    "openai project": ("sk-" + "proj-", body(120)),
    "openrouter": ("sk-" + "or-v1-", body(64, HEX)),
    "hugging face": ("hf_", body(34)),
    "github": ("gh" + "p_", body(36)),
    "github fine": ("github_" + "pat_", body(22) + "_" + body(59)),
    "gitlab": ("glpat" + "-", body(20)),
    "slack": ("xox" + "b-", body(12, digits) + "-" + body(12, digits) + "-" + body(24)),
    "stripe": ("sk_" + "live_", body(24)),
    "stripe hook": ("wh" + "sec_", body(32)),
    "toss": ("live_" + "sk_", body(32)),
    "npm": ("npm" + "_", body(36)),
    "pypi": ("pypi-" + "AgE", body(80)),
    "docker": ("dckr_" + "pat_", body(27)),
    "aws": ("AK" + "IA", body(16, UPPER)),
    "google": ("AI" + "za", body(35)),
    "google oauth": ("ya" + "29.", body(60)),
    "twilio": ("S" + "K", body(32, HEX)),
    "sendgrid": ("S" + "G.", body(22) + "." + body(43)),
    "mailchimp": ("", body(32, HEX) + "-us14"),
    "telegram": ("", body(9, "123456789") + ":" + body(35)),
    "vault": ("hv" + "s.", body(24)),
    "azure": ("", "a1" + body(1) + "8" + "Q~" + body(34)),
    "databricks": ("da" + "pi", body(32, HEX)),
    "replicate": ("r8" + "_", body(37)),
    "airtable": ("pat" + body(14) + ".", body(64, HEX)),
    "terraform": (body(14) + ".atlas" + "v1.", body(64)),
    "bcrypt": ("$2b" + "$12$", body(53)),
    "jwt": ("ey" + "J" + body(20) + ".eyJ" + body(40) + ".", body(43)),
}

CARRIERS = {
    "text": "2026-11-20T01:02:03Z ERROR no to {} ok",
    "json": '{{"msg": "pasted: {}", "n": 5, "s": "ok"}}',
    "json in json": '{{"body": "{{\\"msg\\": \\"{}\\", \\"s\\": \\"ok\\"}}"}}',
    "escaped line": '{{"log": "line one\\n{}\\nok"}}',
    "sse": 'event: delta\ndata: {{"text":"{}"}}\n\nok',
    "xml": "<a><b>{}</b><c>ok</c></a>",
    "query": "GET /x?t={}&s=ok HTTP/1.1",
    "percent": "next=https%3A%2F%2Fx.io%2F%3Ft%3D{}%26s%3Dok",
    "Korean": "키는 {}입니다. ok",
    "markdown": "use `{}` ok",
}

FORMS = {
    "json": '{{"id": 5, "{n}": "{v}", "s": "ok"}}',
    "pretty json": '{{\n  "{n}": "{v}",\n  "s": "ok"\n}}',
    "json in json": '{{"body": "{{\\"{n}\\": \\"{v}\\", \\"s\\": \\"ok\\"}}"}}',
    "twice escaped": '"{{\\"a\\": \\"{{\\\\\\"{n}\\\\\\": \\\\\\"{v}\\\\\\"}}\\", \\"s\\": \\"ok\\"}}"',
    "repr": "{{'id': 5, '{n}': '{v}', 's': 'ok'}}",
    "keyword": "connect(host='db', {n}='{v}', s='ok')",
    "yaml": "db:\n  {n}: {v}\n  host: ok\n",
    "yaml, quoted": 'db:\n  {n}: "{v}"\n  host: ok\n',
    "yaml, below": "db:\n  {n}:\n    {v}\n  host: ok\n",
    "yaml, below, quoted": "db:\n  {n}:\n    '{v}'\n  host: ok\n",
    "yaml, block": "db:\n  {n}: |\n    {v}\n  host: ok\n",
    "env": "{n}={v}\nHOST=ok",
    "export": 'export {n}="{v}" && ok',
    "logfmt": "level=info {n}={v} host=ok",
    "xml": "<db><{n}>{v}</{n}><host>ok</host></db>",
    "cdata": "<db><{n}><![CDATA[{v}]]></{n}><host>ok</host></db>",
    "xml attribute": '<db {n}="{v}" host="ok"/>',
    "key and value": '<add key="{n}" value="{v}" s="ok"/>',
    "name and value": '{{"name": "{n}", "value": "{v}"}}, ok',
    "kubernetes": "- name: {n}\n  value: {v}\n- name: ok\n",
    "header": "Host: ok\n{n}: {v}\nAccept: */*",
    "flag": "run --{n} {v} --host ok",
    "flag with sign": "run --{n}={v} --host ok",
    "connection string": "Server=ok;{n}={v};Database=x",
    "php": "$config['{n}'] = '{v}'; // ok",
    "arrow": "'{n}' => '{v}', 'host' => 'ok'",
    "in a sentence": "got {n}: {v}, ok",
    "annotated": '{n}: str = "{v}"  # ok',
    "triple quotes": '{n} = """{v}"""  # ok',
    "pairs": "[('{n}', '{v}'), ('host', 'ok')]",
    "html": "{{&quot;{n}&quot;: &quot;{v}&quot;, &quot;host&quot;: &quot;ok&quot;}}",
    "query": "GET /?{n}={v}&host=ok",
    "form": '--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n--b-- ok',
    "cut": 'ok {{"{n}": "{v}',
    "cut, escaped": 'ok "{{\\"{n}\\": \\"{v}',
    "cut, then a line": '{{"{n}": "{v}\nok',
    "bytes": "{{b'{n}': b'{v}', b'host': b'ok'}}",
}

NAMES = [
    "password", "DB_PASSWORD", "dbPassword", "client_secret", "api_key", "x-api-key", "apiKey", "access_token",
    "refreshToken", "aws_secret_access_key", "PGPASSWORD", "SMTP_PASS", "password_2", "OPENAI_API_KEY",
    "secret_key_base", "npassword", "password_hash",
]  # fmt: skip
VALUES = ["hunter2!x", "8f0d026d6b934f1e4659", "correct-Horse9"]
