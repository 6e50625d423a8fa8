"""Channels: how an alert reaches a person, by webhook or by letter."""

import asyncio
import hmac
import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from hashlib import sha256

import msgspec

from holdfast.language import Language, Sentence
from holdfast.parts.fetching import Bounds, NotFetched, post_json
from holdfast.policy.address import AddressRefused
from holdfast.telemetry.delivery import Message, Undelivered

TIMEOUT = 10.0
"""Seconds for one delivery by webhook."""
SMTP_TIMEOUT = 5.0
"""Seconds for each answer of a mail server."""
LETTER_TIMEOUT = 30.0
"""Seconds for a whole letter."""
SIGNATURE = "x-holdfast-signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Posts JSON; signed, if there is a secret: `t=SECONDS,v1=HEX` of HMAC-SHA-256 over `SECONDS.BODY`."""

    url: str = field(repr=False)
    secret: str | None = field(default=None, repr=False)

    async def send(self, message: Message) -> None:
        """Deliver it, once. Raises `Undelivered`."""
        body = msgspec.json.encode(
            {
                "type": "holdfast.alert",
                "id": message.id,
                "what": message.what,
                "rule": message.rule,
                "label": message.label,
                "text": {"en": message.text.en, "ko": message.text.ko},
                "at": message.at.isoformat(timespec="seconds").replace("+00:00", "Z"),
            }
        )
        await _post(self.url, body, {} if self.secret is None else signed(body, self.secret, message.at))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """Posts what Slack takes, and whoever speaks its language."""

    url: str = field(repr=False)
    language: Language = "en"

    async def send(self, message: Message) -> None:
        """Deliver it, once. Raises `Undelivered`."""
        # Slack reads these three as its own marks.
        text = message.text.say(self.language).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        await _post(self.url, msgspec.json.encode({"text": text}), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Email:
    """Sends letters over SMTP, in a thread of their own; the password is never sent without encryption."""

    host: str
    port: int
    sender: str
    to: tuple[str, ...]
    starttls: bool = True
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    language: Language = "en"
    context: ssl.SSLContext | None = field(default=None, repr=False)

    async def send(self, message: Message) -> None:
        """Deliver it, once. Raises `Undelivered`."""
        try:
            async with asyncio.timeout(LETTER_TIMEOUT):
                await asyncio.to_thread(self._send, message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            # A ValueError is a host that has no encoding, or a password that is not ASCII.
            raise _undelivered(self.host, type(error).__name__) from error

    def _send(self, message: Message) -> None:
        with smtplib.SMTP(self.host, self.port, timeout=SMTP_TIMEOUT) as server:
            if self.starttls:
                server.starttls(context=self.context or ssl.create_default_context())
                if self.user is not None and self.password is not None:
                    server.login(self.user, self.password)
            server.send_message(self._letter(message))

    def _letter(self, message: Message) -> EmailMessage:
        text = message.text.say(self.language)
        letter = EmailMessage()
        letter["From"], letter["To"] = self.sender, ", ".join(self.to)
        letter["Subject"] = " ".join(text.split())[:150]
        letter["Message-ID"] = f"<{message.id}.{message.what}@holdfast>"
        letter.set_content(f"{text}\n\n{message.rule} {message.label}\n")
        return letter


def signed(body: bytes, secret: str, at: datetime) -> Mapping[str, str]:
    """The header that proves to whoever knows the secret that a body is ours, and how old it is."""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), b"%d.%b" % (seconds, body), sha256).hexdigest()
    return {SIGNATURE: f"t={seconds},v1={digest}"}


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> None:
    try:
        answer = await post_json(
            url, body, headers=headers, bounds=Bounds(timeout=TIMEOUT, allow_private=True)
        )
    except (NotFetched, AddressRefused) as error:
        # Not its words, which hold the address: that may be a secret.
        raise _undelivered("webhook", error.error_code) from error
    except ValueError as error:
        raise _undelivered("webhook", type(error).__name__) from error
    if not 200 <= answer.status < 300:
        raise _undelivered("webhook", f"status {answer.status}")


def _undelivered(place: str, why: str) -> Undelivered:
    return Undelivered(
        Sentence(
            f"The alert was not delivered ({place}: {why}). Check the channel with `holdfast alerts test`.",
            ko=f"알림을 전달하지 못했습니다({place}: {why}). `holdfast alerts test`로 채널을 확인하세요.",
        )
    )
