"""Channels over real sockets: a webhook that is signed, one that speaks to Slack, and letters."""

import asyncio
import hmac
import json
import ssl
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from holdfast.language import Sentence
from holdfast.telemetry import channels
from holdfast.telemetry.channels import SIGNATURE, Email, Slack, Webhook
from holdfast.telemetry.delivery import Message, Undelivered

MESSAGE = Message(
    id="hfa_1",
    what="began",
    rule="overloaded",
    label="",
    text=Sentence("[holdfast] Alert: <Claude> & co", ko="[holdfast] 발생: 과부하"),
    at=datetime(2026, 11, 22, 12, 0, 1, tzinfo=UTC),
)


@dataclass
class Hook:
    """A server that takes one kind of HTTP request and remembers it."""

    status: int = 204
    heads: list[str] = field(default_factory=list[str])
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.partition(":")[2])
            for line in head.splitlines()
            if line.lower().startswith("content-length")
        )
        self.heads.append(head)
        self.bodies.append(await reader.readexactly(length))
        location = "location: /elsewhere\r\n" if self.status in (301, 302) else ""
        writer.write(
            f"HTTP/1.1 {self.status} X\r\n{location}content-length: 0\r\nconnection: close\r\n\r\n".encode()
        )
        await writer.drain()
        writer.close()

    def header(self, name: str) -> str | None:
        lines = [line.partition(":") for line in self.heads[-1].splitlines()]
        return next((value.strip() for key, _, value in lines if key.lower() == name), None)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncGenerator[int]:
    """A server on a real socket; its port."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_webhook_gets_the_alert_in_both_languages() -> None:
    hook = Hook()
    async with listening(hook.serve) as port:
        await Webhook(url=f"http://127.0.0.1:{port}/alerts").send(MESSAGE)
    assert json.loads(hook.bodies[0]) == {
        "type": "holdfast.alert",
        "id": "hfa_1",
        "what": "began",
        "rule": "overloaded",
        "label": "",
        "text": {"en": "[holdfast] Alert: <Claude> & co", "ko": "[holdfast] 발생: 과부하"},
        "at": "2026-11-22T12:00:01Z",
    }
    assert hook.heads[0].startswith("POST /alerts ")
    assert hook.header(SIGNATURE) is None


async def test_a_webhook_with_a_secret_can_tell_that_the_alert_is_ours() -> None:
    hook = Hook()
    async with listening(hook.serve) as port:
        await Webhook(url=f"http://127.0.0.1:{port}/", secret="shared").send(MESSAGE)
    signature = hook.header(SIGNATURE)
    seconds = int(MESSAGE.at.timestamp())
    expected = hmac.new(b"shared", f"{seconds}.".encode() + hook.bodies[0], sha256).hexdigest()
    assert signature == f"t={seconds},v1={expected}"


async def test_slack_gets_one_text_in_one_language_with_its_marks_escaped() -> None:
    hook = Hook(status=200)
    async with listening(hook.serve) as port:
        await Slack(url=f"http://127.0.0.1:{port}/").send(MESSAGE)
        await Slack(url=f"http://127.0.0.1:{port}/", language="ko").send(MESSAGE)
    assert [json.loads(body) for body in hook.bodies] == [
        {"text": "[holdfast] Alert: &lt;Claude&gt; &amp; co"},
        {"text": "[holdfast] 발생: 과부하"},
    ]


@pytest.mark.parametrize("status", [302, 404, 500])
async def test_what_a_webhook_does_not_take_is_undelivered(status: int) -> None:
    hook = Hook(status=status)
    async with listening(hook.serve) as port:
        with pytest.raises(Undelivered):
            await Webhook(url=f"http://127.0.0.1:{port}/secret-path").send(MESSAGE)
    assert len(hook.bodies) == 1


async def test_an_address_that_nobody_listens_at_is_not_told_in_the_error() -> None:
    with pytest.raises(Undelivered) as failed:
        await Webhook(url="http://127.0.0.1:9/secret-path").send(MESSAGE)
    assert "secret-path" not in str(failed.value)


@pytest.mark.requirement("alerts:hanging-webhook")
async def test_a_webhook_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    monkeypatch.setattr(channels, "TIMEOUT", 0.2)
    async with listening(hang) as port:
        with pytest.raises(Undelivered):
            await Webhook(url=f"http://127.0.0.1:{port}/").send(MESSAGE)


@dataclass
class MailServer:
    """Speaks as much SMTP as a letter needs."""

    greeting: bytes = b"220 mail ESMTP\r\n"
    heard: list[str] = field(default_factory=list[str])
    letter: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        while line := (await reader.readline()).decode().strip():
            self.heard.append(line)
            word = line.split()[0].upper()
            if word == "DATA":
                writer.write(b"354 go on\r\n")
                self.letter = (await reader.readuntil(b"\r\n.\r\n")).decode()
            writer.write(b"221 bye\r\n" if word == "QUIT" else b"250 fine\r\n")
            await writer.drain()
            if word == "QUIT":
                break
        writer.close()


def mailbox(port: int, *, starttls: bool = False) -> Email:
    return Email(
        host="127.0.0.1",
        port=port,
        sender="holdfast@example.com",
        to=("on-call@example.com",),
        starttls=starttls,
    )


async def test_a_letter_is_sent_with_the_alert_as_its_subject() -> None:
    server = MailServer()
    async with listening(server.serve) as port:
        await mailbox(port).send(MESSAGE)
    assert "Subject: [holdfast] Alert: <Claude> & co" in server.letter
    assert "Message-ID: <hfa_1.began@holdfast>" in server.letter
    assert any(line.upper().startswith("RCPT TO:<ON-CALL@EXAMPLE.COM>") for line in server.heard)


async def test_a_letter_that_must_be_encrypted_is_not_sent_in_the_clear() -> None:
    server = MailServer()
    async with listening(server.serve) as port:
        with pytest.raises(Undelivered):
            await mailbox(port, starttls=True).send(MESSAGE)
    assert server.letter == ""


async def test_a_mail_server_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "SMTP_TIMEOUT", 0.2)
    async with listening(MailServer(greeting=b"").serve) as port:
        with pytest.raises(Undelivered):
            await mailbox(port).send(MESSAGE)


def test_what_is_secret_is_not_shown() -> None:
    mail = Email(host="h", port=1, sender="a@b", to=("c@d",), user="user-x", password="word-x")
    shown = repr(
        (Webhook(url="https://x/secret-path", secret="key-x"), Slack(url="https://x/secret-path"), mail)
    )
    assert not any(text in shown for text in ("secret-path", "key-x", "user-x", "word-x"))


async def test_a_letter_goes_out_encrypted_and_with_the_password(tmp_path: Path) -> None:
    here, there = contexts(tmp_path)
    heard: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ESMTP\r\n")
        while line := (await reader.readline()).decode().strip():
            word = line.split()[0].upper()
            heard.append(line)
            if word == "EHLO":
                writer.write(b"250-mail\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n")
            elif word == "STARTTLS":
                writer.write(b"220 go on\r\n")
                await writer.drain()
                await writer.start_tls(there)
            elif word == "DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                writer.write(b"250 taken\r\n")
            else:
                writer.write({"AUTH": b"235 yes\r\n", "QUIT": b"221 bye\r\n"}.get(word, b"250 fine\r\n"))
            await writer.drain()
        writer.close()

    async with listening(serve) as port:
        await replace(
            mailbox(port, starttls=True), host="localhost", user="user-x", password="word-x", context=here
        ).send(MESSAGE)
    assert heard.index("STARTTLS") < next(
        at for at, line in enumerate(heard) if line.startswith("AUTH PLAIN")
    )


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A client that trusts a server, and that server."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"),
        ],
        check=True,
        capture_output=True,
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return ssl.create_default_context(cafile=str(folder / "cert.pem")), server


async def test_a_mail_server_whose_name_has_no_encoding_is_undelivered() -> None:
    letter = Email(host="mail." + "a" * 70, port=25, sender="a@b", to=("c@d",), starttls=False)
    with pytest.raises(Undelivered, match="UnicodeError"):
        await letter.send(MESSAGE)


async def test_a_password_that_no_mail_server_can_be_told_is_undelivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def spoken(self: Email, message: Message) -> None:
        (self.password or "").encode("ascii")

    monkeypatch.setattr(Email, "_send", spoken)
    letter = Email(host="mail", port=25, sender="a@b", to=("c@d",), user="u", password="비밀")
    with pytest.raises(Undelivered, match="UnicodeEncodeError") as caught:
        await letter.send(MESSAGE)
    assert "비밀" not in str(caught.value)


async def test_a_webhook_at_a_name_that_has_no_encoding_is_undelivered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for host in ("a" * 70 + ".example", "..", "\ud800"):
        with pytest.raises(Undelivered):
            await Webhook(url=f"https://{host}/x").send(MESSAGE)

    async def broken(*given: object, **others: object) -> None:
        raise UnicodeError

    monkeypatch.setattr(channels, "post_json", broken)
    with pytest.raises(Undelivered, match="UnicodeError"):
        await Webhook(url="https://alerts.example/x").send(MESSAGE)
