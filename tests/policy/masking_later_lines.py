"""Lines of the same classes that were written after the rules, and what of them was missed at first."""

from string import ascii_lowercase

from tests.policy.masking_lines import HARD, Line, password
from tests.policy.masking_samples import HEX, KEYS, body


def key(name: str) -> str:
    return "".join(KEYS[name])


pw, pl = password(), body(14, ascii_lowercase.replace("l", ""))
a, gh, jw, st, sl = (key(name) for name in ("anthropic", "github fine", "jwt", "stripe", "slack"))
aws, npm = key("aws"), key("npm")
LATER = [
    Line(f'event: error\ndata: {{"error":{{"message":"bad key {a}"}},"n":7}}\n\n', (a,), ('"n":7',)),
    Line(f'time=2026 level=warn api_key="{pl}" user=kim', (pl,), ("user=kim",)),
    Line(f"time=2026 level=warn api_key={pw} user=kim", (pw,), ("user=kim",)),
    Line(
        'Traceback (most recent call last):\n  File "x.py", line 3\n'
        f"    headers={{'Authorization': 'Bearer {pl}x9'}}\nKeyError: 'a'",
        (pl,),
        ("KeyError: 'a'",),
    ),
    Line(
        f"docker run -e POSTGRES_PASSWORD={pw} -p 5432:5432 postgres:16",
        (pw,),
        ("5432:5432 postgres:16",),
    ),
    Line(
        f"kubectl create secret generic db --from-literal=password={pw} --namespace prod",
        (pw,),
        ("--namespace prod",),
    ),
    Line(f"helm upgrade app --set auth.password={pl},replicas=3", (pl,), ("replicas=3",)),
    Line(f"password: |\n  {pl}\nuser: kim", (pl,), ("user: kim",)),
    Line(f"users:\n- name: kim\n  token: {pl}\n- name: lee\n  age: 3", (pl,), ("age: 3", "name: lee")),
    Line(f"<soap:Header><wsse:Password>{pl}</wsse:Password></soap:Header><b>1</b>", (pl,), ("<b>1</b>",)),
    Line(
        f'<connectionStrings><add name="db" connectionString="Server=s;User Id=kim;Password={pw}"/></connectionStrings>',
        (pw,),
        ('name="db"',),
    ),
    Line(f"jdbc:mysql://db:3306/app?user=kim&password={pw}&useSSL=true", (pw,), ("useSSL=true",)),
    Line(f"mongodb+srv://kim:{pl}@cluster0.x.test/app?w=majority", (pl,), ("w=majority",)),
    Line(f"ftp://kim:{pl}@files.test/a.txt", (pl,), ("files.test/a.txt",)),
    Line(f"sqlplus system/{pw}@orcl", (pw,), ()),
    Line(f"UPDATE users SET password = '{pl}' WHERE id = 7", (pl,), ("WHERE id = 7",)),
    Line(f"SELECT * FROM t WHERE api_token='{pl}' AND x=1", (pl,), ("x=1",)),
    Line(f"CREATE USER kim WITH PASSWORD '{pl}';", (pl,), ()),
    Line(f'config.password = "{pl}"  # set by kim', (pl,), ("set by kim",)),
    Line(f"const apiKey = '{pl}'; const n = 4;", (pl,), ("const n = 4;",)),
    Line(
        f'{{"headers":[{{"name":"authorization","value":"Bearer {pl}q1"}},{{"name":"x","value":"y"}}]}}',
        (pl,),
        ('"value":"y"',),
    ),
    Line(f'[["x-api-key","{a}"],["accept","*/*"]]', (a,), ('"accept"',)),
    Line(f"Cookie: sid={pl}; lang=ko", (pl,), ()),
    Line(f"set-cookie: refresh_token={jw}; Max-Age=60; SameSite=Lax", (jw,), ("Max-Age=60; SameSite=Lax",)),
    Line(f"callback?code=abc&state=1#access_token={pl}&expires_in=3600", (pl,), ("expires_in=3600",)),
    Line(f"GITHUB_TOKEN: {gh}\nCI: true", (gh,), ("CI: true",)),
    Line(f'STRIPE_SECRET_KEY="{st}"\nSTRIPE_MODE=live', (st,), ("STRIPE_MODE=live",)),
    Line(f"slack_sdk.errors: token {sl} invalid_auth", (sl,), ("invalid_auth",)),
    Line(f"비밀번호: {pl}\n아이디: kim", (pl,), ("아이디: kim",)),
    Line(f"비번은 {pw}이고 아이디는 kim", (pw,), ("아이디는 kim",)),
    Line("고객 홍길동 851203-2345678 님", ("851203-2345678",), ("님",)),
    Line("휴대폰 01000001234 인증", ("01000001234",), ("인증",)),
    Line("카드 5105-1051-0510-5100 승인", ("5105-1051-0510-5100",), ("승인",)),
    Line("면허번호: 서울 12-345678-90 확인", ("345678-90",), ("확인",)),
    Line("면허 11 - 12 - 345678 - 90 확인", ("345678",), ("확인",)),
    Line("계좌번호 3333-01-1234567 카카오뱅크", ("3333-01-1234567",), ("카카오뱅크",)),
    Line("국민 123456-04-123456 으로 입금", ("123456-04-123456",), ("으로",)),
    Line("social security number: 219099999", ("219099999",), ()),
    Line("여권 M70689098 발급", ("M70689098",), ("발급",)),
    Line("FR14 2004 1010 0505 0001 3M02 606 paid", ("2004 1010 0505",), ("paid",)),
    Line(
        f"X-Amz-Security-Token={body(120)}&X-Amz-Date=20261122T000000Z",
        (),
        ("X-Amz-Date=20261122T000000Z",),
    ),
    Line(f"aws configure set aws_secret_access_key {body(38)}/+", (), ()),
    Line(
        f"Authorization: AWS4-HMAC-SHA256 Credential={aws}/20261122/us-east-1/s3/aws4_request, "
        f"SignedHeaders=host, Signature={body(64, HEX)}",
        (aws,),
        (),
    ),
    Line(f"npm config set //r.test/:_authToken {npm}", (npm,), ()),
    Line(f"<td>Token</td>\n  <td><code>{pl}</code></td>", (pl,), ("<code>",)),
    Line(f"name,password,age\nkim,{pl},31\nlee,{pw},22", (pl, pw), ("kim", "lee", "31", "22")),
]
"""Carriers and forms that nobody had in mind."""


HARDER = [
    *HARD,
    "pytest::test_password_reset PASSED [ 12%]",
    "class TokenBucket(KeyedLimiter): pass",
    "import secrets, tokenize, keyword",
    "secrets: []",
    "tokens_per_second=41.2 key_count=7",
    "GET /static/app.3f2a9c1d.js 304",
    'etag: "33a64df551425fcc55e4d42a148795d9f25f89d4"',
    "x-request-id: req_01E2VasbTQtc3w27P8BoaiPd",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "price: $12.50, tax 10%",
    "token bucket refill 10/s",
    "signature verification failed",
    "session expired after 30 minutes",
    "auth: disabled, cookie: none",
    "key: value",
    "<password/>",
    "password=",
    "PASSWORD: *****",
    "secret: null",
    "비밀번호 변경 안내 메일을 보냈습니다",
    "계좌 이체 기능이 추가되었습니다",
    "pip install torch==2.4.1 # 12345678",
    "mac 00:1B:44:11:3A:B7",
    "ip 2001:db8:85a3::8a2e:370:7334 port 443",
    "max_tokens: 4096, stop_sequences: []",
    "id=5f2b6c7d8e9f0a1b2c3d4e5f",
    "cron 0 12 * * 1-5",
    "lat=37.566535 lon=126.9779692",
    "9780306406157",
    "2026-11-22 12:34:56.789 [main] INFO c.a.AuthService - ok",
    "commit 462bd1c: Name the steps",
    "a:b:c:d:e",
    "level:info:app:main:started",
    "tcp:5432:open:postgresql:PostgreSQL",
    "10.0.0.5:9092:kafka:broker:online",
]
