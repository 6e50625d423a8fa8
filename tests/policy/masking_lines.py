"""Whole lines as logs, files and traces have them, with made-up secrets put together at run time, and hard negatives."""

from base64 import b64encode
from dataclasses import dataclass
from string import digits

from tests.policy.masking_samples import HEX, KEYS, UPPER, body


@dataclass(frozen=True, slots=True)
class Line:
    """A line, what may not survive in it, and what must."""

    text: str
    gone: tuple[str, ...]
    kept: tuple[str, ...] = ()


def key(name: str) -> str:
    return "".join(KEYS[name])


def password() -> str:
    return f"{body(5)}!{body(5)}7"


def pem(kind: str, newline: str) -> str:
    """A private key of no use."""
    dashes = "-" * 5
    lines = [f"{dashes}BEGIN {kind}{dashes}", body(64), body(64), body(20), f"{dashes}END {kind}{dashes}"]
    return newline.join(lines)


LOWER = "abcdefghijkmnopqrstuvwxyz"


anthropic, openai, aws, gcp = key("anthropic"), key("openai project"), key("aws"), key("google")
github, gitlab, slack, stripe = key("github"), key("gitlab"), key("slack"), key("stripe")
sendgrid, npm, pypi, hf = key("sendgrid"), key("npm"), key("pypi"), key("hugging face")
databricks, jwt, azure = key("databricks"), key("jwt"), key("azure")
aws_secret, account_key = body(38) + "/+", body(86) + "=="
twilio_sid, twilio_token = "A" + "C" + body(32, HEX), body(32, HEX)
escaped = pem("PRIVATE KEY", "\\n")
temporary, token = "AS" + "IA" + body(16, UPPER), body(180) + "//"
PROVIDER = [
    Line(
        f"2026-11-22T09:14:03.120Z WARN retry 2/3 after 401, x-api-key: {anthropic} region=us-east-1",
        (anthropic,),
        ("retry 2/3 after 401", "region=us-east-1"),
    ),
    Line(
        f'{{"lvl":"debug","req":{{"h":{{"X-Api-Key":"{anthropic}","anthropic-version":"2023-06-01"}},"n":3}}}}',
        (anthropic,),
        ('"n":3', "2023-06-01"),
    ),
    Line(
        f"anthropic.AuthenticationError: Error code: 401 - key {anthropic[:40]}... is not valid",
        (anthropic[:40],),
        ("Error code: 401", "is not valid"),
    ),
    Line(
        f"openai:\n  organization: org-acme\n  api_key: {openai}\n  model: gpt-x",
        (openai,),
        ("org-acme", "model: gpt-x"),
    ),
    Line(
        f"Incorrect API key provided: {openai}. You can find it in your settings.",
        (openai,),
        ("You can find it",),
    ),
    Line(
        f"[default]\naws_access_key_id = {aws}\naws_secret_access_key = {aws_secret}\nregion = ap-northeast-2",
        (aws, aws_secret),
        ("ap-northeast-2",),
    ),
    Line(
        f'{{"Credentials":{{"AccessKeyId":"{temporary}","SecretAccessKey":"{aws_secret}","SessionToken":"{token}","Expiration":"2026-11-22T10:00:00Z"}}}}',
        (temporary, aws_secret, token),
        ("2026-11-22T10:00:00Z",),
    ),
    Line(f"https://maps.example.test/api/js?key={gcp}&v=weekly", (gcp,), ("v=weekly",)),
    Line(
        f'{{"type": "service_account", "project_id": "acme-1", "private_key_id": "{body(40, HEX)}", "private_key": '
        f'"{escaped}\\n", "client_id": "1"}}',
        (),
        ("acme-1", '"client_id": "1"'),
    ),
    Line(
        f"git clone https://x-access-token:{github}@github.com/acme/app.git --depth 1",
        (github,),
        ("github.com/acme/app.git --depth 1",),
    ),
    Line(
        f"remote: HTTP Basic: Access denied. oauth2:{gitlab}@gitlab.example.test",
        (gitlab,),
        ("Access denied",),
    ),
    Line(f"SLACK_BOT_TOKEN='{slack}' SLACK_CHANNEL='#ops'", (slack,), ("#ops",)),
    Line(f"curl https://api.stripe.com/v1/charges -u {stripe}: -d amount=2000", (stripe,), ("amount=2000",)),
    Line(
        f"TWILIO_ACCOUNT_SID={twilio_sid}\nTWILIO_AUTH_TOKEN={twilio_token}\nTWILIO_REGION=ie1",
        (twilio_token,),
        ("TWILIO_REGION=ie1",),
    ),
    Line(
        f"smtp: user=apikey pass={sendgrid} host=smtp.sendgrid.net",
        (sendgrid,),
        ("host=smtp.sendgrid.net",),
    ),
    Line(f"//registry.example.test/:_authToken={npm}\nalways-auth=true", (npm,), ("always-auth=true",)),
    Line(
        f"[pypi]\nusername = __token__\npassword = {pypi}\nrepository = main",
        (pypi,),
        ("repository = main",),
    ),
    Line(
        f'huggingface_hub.login(token="{hf}", add_to_git_credential=False)',
        (hf,),
        ("add_to_git_credential=False",),
    ),
    Line(
        f"databricks configure --host https://dbc.example.test --token {databricks} --profile dev",
        (databricks,),
        ("--profile dev",),
    ),
    Line(
        f"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={account_key};EndpointSuffix=core.test",
        (account_key,),
        ("AccountName=acme", "EndpointSuffix=core.test"),
    ),
    Line(
        f"az login --service-principal -u app --password {azure} --tenant contoso",
        (azure,),
        ("--tenant contoso",),
    ),
    Line(
        f"?sv=2024-11-04&ss=b&srt=co&sp=rl&se=2026-12-01T00:00:00Z&sig={body(43)}%3D&x=1",
        (),
        ("sv=2024-11-04", "x=1"),
    ),
    Line(
        f'ts=2026-11-22 level=info msg="exchanged" id_token={jwt} expires_in=3600',
        (jwt,),
        ("expires_in=3600", 'msg="exchanged"'),
    ),
    Line(f"Cookie: _ga=GA1.2.3; session={jwt}; theme=dark", (jwt,), ("Cookie:",)),
    Line(
        f"{pem('OPENSSH PRIVATE KEY', chr(10))}\nnext line",
        (),
        ("next line",),
    ),
]
"""Keys of providers in what carries them."""


one, two, plain = password(), password(), body(14, LOWER)
basic = b64encode(f"svc:{one}".encode()).decode()
NAMED = [
    Line(f"db.internal:5432:orders:svc_app:{one}", (one,), ("db.internal:5432:orders:svc_app",)),
    Line(f"*:*:*:postgres:{plain}", (plain,), ("*:*:*:postgres",)),
    Line(
        f"# pgpass\nlocalhost:5433:app:kim:{one}\n10.0.0.7:*:*:backup:{two}\n",
        (one, two),
        ("localhost:5433:app:kim", "10.0.0.7:*:*:backup"),
    ),
    Line(
        f"~/.pgpass says pg-1.example.test:6432:billing:ro:{plain} and psql still asks",
        (plain,),
        ("pg-1.example.test:6432:billing:ro", "psql still asks"),
    ),
    Line(
        f"<tr><th>Name</th><th>Password</th></tr><tr><td>kim</td><td>{plain}</td></tr>",
        (plain,),
        ("<td>kim</td>", "<th>Password</th>"),
    ),
    Line(
        f"<tr><td>API key</td><td>{plain}</td></tr><tr><td>Region</td><td>seoul</td></tr>",
        (plain,),
        ("<td>seoul</td>",),
    ),
    Line(
        f"<dt>Client secret</dt><dd>{plain}</dd><dt>Client id</dt><dd>web-app</dd>",
        (plain,),
        ("<dd>web-app</dd>",),
    ),
    Line(
        f"<dict><key>password</key><string>{plain}</string><key>user</key><string>kim</string></dict>",
        (plain,),
        ("<string>kim</string>",),
    ),
    Line(
        f'<entry key="db.password">{plain}</entry><entry key="db.user">kim</entry>',
        (plain,),
        ('"db.user">kim',),
    ),
    Line(
        f'<add key="SmtpPassword" value="{plain}"/><add key="SmtpHost" value="mail"/>',
        (plain,),
        ('value="mail"',),
    ),
    Line(
        f"<config><dbPassword>{plain}</dbPassword><retries>3</retries></config>",
        (plain,),
        ("<retries>3</retries>",),
    ),
    Line(
        f'<property name="hibernate.connection.password" value="{one}" /><property name="show_sql" value="true" />',
        (one,),
        ('"show_sql" value="true"',),
    ),
    Line(
        f"<ns:Password Type='PasswordText'>{plain}</ns:Password><ns:Username>kim</ns:Username>",
        (plain,),
        ("kim</ns:Username>",),
    ),
    Line(f"| user | password |\n|---|---|\n| kim | {one} |", (one,), ("| kim |",)),
    Line(
        f"postgresql+asyncpg://svc:{one}@db.internal/app?sslmode=require",
        (one,),
        ("db.internal/app?sslmode=require",),
    ),
    Line(f"redis://:{two}@cache:6379/0 timed out", (two,), ("cache:6379/0 timed out",)),
    Line(f"amqp://guest:{plain}@mq/%2F connection refused", (plain,), ("connection refused",)),
    Line(f"proxy-authorization: Basic {basic}\r\nhost: x.test", (basic,), ("host: x.test",)),
    Line(
        f'{{"body":"{{\\"grant_type\\":\\"password\\",\\"username\\":\\"kim\\",\\"password\\":\\"{one}\\"}}","status":400}}',
        (one,),
        ('"status":400', "kim"),
    ),
    Line(
        f"spring.datasource.password={plain}\nspring.datasource.url=jdbc:postgresql://db/app",
        (plain,),
        ("jdbc:postgresql://db/app",),
    ),
    Line(
        f"INSERT INTO users (name, password, age) VALUES ('kim', '{plain}', 31);",
        (plain,),
        ("'kim'", "31"),
    ),
    Line(
        f"ALTER USER svc WITH ENCRYPTED PASSWORD '{plain}' VALID UNTIL '2027-01-01';",
        (plain,),
        ("VALID UNTIL '2027-01-01'",),
    ),
    Line(f"mysql -h db -u root -p{one} -e 'select 1'", (one,), ("select 1",)),
    Line(
        f'  File "app.py", line 12, in connect\n    client = Client(user="kim", password="{one}", timeout=5)\nValueError: no',
        (one,),
        ("timeout=5", "line 12"),
    ),
    Line(f"KeyError: {{'client_secret': '{plain}', 'client_id': 'web'}}", (plain,), ("'client_id': 'web'",)),
    Line(f"kim님 비밀번호는 {one} 입니다. 로그인 후 바꾸세요", (one,), ("로그인 후 바꾸세요",)),
    Line(f"인증키={body(24)}&지역=서울", (), ("지역=서울",)),
    Line(f"POST /login username=kim&password={plain}&remember=1", (plain,), ("username=kim", "remember=1")),
    Line(
        f"Set-Cookie: JSESSIONID={body(32, UPPER)}; Path=/app; Secure; HttpOnly",
        (),
        ("Path=/app; Secure; HttpOnly",),
    ),
    Line(f"export DB_PASS={one} DB_HOST=db-1", (one,), ("DB_HOST=db-1",)),
    Line(
        f"secretKeyRef:\n  name: app\nstringData:\n  webhook-secret: {plain}\n  log-level: info",
        (plain,),
        ("log-level: info",),
    ),
    Line(
        f"data:\n  password: {b64encode(one.encode()).decode()}\n  user: a2lt",
        (b64encode(one.encode()).decode(),),
        ("user: a2lt",),
    ),
]
"""Secrets without a shape, known by the names before them."""


tail = body(4, digits)
PERSONAL = [
    Line("주민등록번호 990213-1234567 확인 완료", ("990213-1234567",), ("확인 완료",)),
    Line('{"rrn":"0102033456789","name":"test"}', ("0102033456789",), ('"name":"test"',)),
    Line(f"연락처: 010-0000-{tail}, 주소는 서울", (f"010-0000-{tail}",), ("주소는 서울",)),
    Line(f"tel=+82 10 0000 {tail} ext=3", (f"10 0000 {tail}",), ("ext=3",)),
    Line(f"call (415) 555-01{tail[:2]} before 18:00", (f"555-01{tail[:2]}",), ("before 18:00",)),
    Line("운전면허 11-19-123456-70 갱신", ("11-19-123456-70",), ("갱신",)),
    Line("여권번호: M12345678 만료 2031-01-01", ("M12345678",), ("2031-01-01",)),
    Line("passport no. M123A4567, seat 12A", ("M123A4567",), ("seat 12A",)),
    Line("card=4242 4242 4242 4242 exp=12/29", ("4242 4242 4242 4242",), ("exp=",)),
    Line('{"pan":"5555555555554444","brand":"mc"}', ("5555555555554444",), ('"brand":"mc"',)),
    Line("amex 3782-822463-10005 declined (05)", ("3782-822463-10005",), ("declined (05)",)),
    Line("입금 계좌 110-234-567890 (신한) 예금주 김", ("110-234-567890",), ("예금주 김",)),
    Line("account number: 1002345678901, branch 7", ("1002345678901",), ("branch 7",)),
    Line("IBAN GB82 WEST 1234 5698 7654 32 ref 9", ("WEST 1234 5698 7654 32",), ("ref 9",)),
    Line("iban=DE89370400440532013000;bic=COBADEFF", ("DE89370400440532013000",), ("bic=COBADEFF",)),
    Line("SSN 078-05-1120 on file", ("078-05-1120",), ("on file",)),
    Line("to: Kim <kim.dev+ops@example.co.kr>, cc: -", ("kim.dev+ops@example.co.kr",), ("cc: -",)),
    Line("GET /u?email=kim%40example.com&x=1", ("kim%40example.com",), ("x=1",)),
    Line('{"email":"a\\uae40","to":"lee@example.org"}', ("lee@example.org",), ('"to":',)),
]
"""What tells who somebody is."""


HARD = [
    '{"usage":{"input_tokens":1200,"output_tokens":87,"total_tokens":1287,"cache_read_input_tokens":0}}',
    "author=kim authority=registry authored_at=2026-11-22",
    "request 3f2504e0-4f89-41d3-9a0c-0305e82c3301 took 12 ms",
    "HEAD is now at 9fceb02d0ae598e95dc970b74767f19372d61af8 fix: tokens",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ISBN 978-3-16-148410-0, 2nd edition",
    "2026-11-22T21:47:59.123456+09:00 started pid=48213 port=4180",
    "Authorization: Bearer ${TOKEN}",
    "password: <your password>",
    "api_key = os.environ['ANTHROPIC_API_KEY']",
    "token_count=512 max_tokens=1024 tokenizer=bpe",
    "password_policy: min_length=12 rotation_days=90",
    "secret_name: prod/db, key_id: 12, keyboard: ko",
    "primary key (id), foreign key (user_id) references users(id)",
    "the password must have 12 characters and a digit",
    "비밀번호는 12자 이상이어야 합니다",
    "models: claude-sonnet-5-5, claude-haiku-5-5, claude-opus-5-5",
    "host:port:db:user",
    "10.0.0.1:5432:LISTEN:postgres:12",
    "src/app.py:12:5: E501 line too long",
    "12:34:56:78 elapsed, 00:1b:44:11:3a:b7 eth0",
    "urn:isbn:0451450523 urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66",
    "arn:aws:iam::123456789012:role/deploy",
    "registry.example.test:5000/team/app:1.2.3",
    "<th>Password</th><th>Last changed</th><td>never</td>",
    "<td>Password</td><td>Required</td>",
    "<th>Token type</th><td>bearer</td>",
    "<td>API key</td><td>Optional, from the console</td>",
    "<td>Author</td><td>kimminji</td><td>Tokens</td><td>many</td>",
    "<label>Password</label><input type='password' name='password'>",
    "<tr><th>Name</th><th>Password</th></tr></table>",
    "| field | type |\n|---|---|\n| password | string |",
    "order 1234-5678-9012 shipped, 3 of 12",
    "amount=123456789012 KRW, ref=2026112200001",
    "version 1.2.3-rc.4+build.567, commit 1a2b3c4",
    "bearer of bad news: the tokens expired",
    "sort_key=created_at partition_key=tenant cache_key=v3",
    "csrf protection enabled; cookies accepted: yes",
    "GET /v1/models/claude-sonnet-5-5?beta=true HTTP/1.1 200",
    "$TOKEN $SECRET_KEY {{ db_password }} %(password)s",
]
"""Lines in which nothing may change."""
