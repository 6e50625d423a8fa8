"""Texts of which much makes a careless pattern slow: each looks again and again like the beginning of something."""

UNITS = [
    "a", "a@", "1-", "+1", "sk-", 'password="a",', "password=", '"password":"', '\\"password\\": \\"',
    "eyJ", "eyJa.", "-----BEGIN PRIVATE KEY-----", "://a:", "://a:b@", "bearer aaaaaaaa1 ", "\\",
    "password ", "<password>", 'key="password" value=', "insert into t (password) values (", "('a',",
    'password=["a",', "cookie: a=b;", "4111 ", "990307-", "비밀번호는 ", "-u a:b ", "password: |\n  a\n",
    "password='''", "%40", "계좌", "0123abcd", "GB29 ", "password={", "a1B2-", "-eyJ", '{"a":"',
    '"password: ', "\\u0041", "\\\\u0041", '":"', "\n- a", "password:\n  - a", "password:\n  - a\n",
    "Authorization: Bearer a ", "Authorization: x ", "[REDACTED:", "[REDACTED:secret:12345678]", "cio1",
    "ABSK", "02)", "phone ", "phone 2", "ssn 1", "전화", "-----BEGIN ", "insert into t(password) values('",
    "identified by 'x'", '{"name":"password","value":"', "키 ", "API 키 ", "password((((", "password))))",
    "{[", "https://a:b@", "eyJhbGci.", "a=b;", "%3D", "&quot;", "<password ", "password => ", "secret_key_",
    "--token ", "00 00", '; password = ", ',
    "mysql ", "mysql -p", "curl ", "curl -ua:", "login ", " -p ", "password' ", "password | ", "<td>password</td><td>",
    "password\">", "set password for ", "'password: '", "%22password%22%3A%22", "password: !a ", "- a\n",
]  # fmt: skip
