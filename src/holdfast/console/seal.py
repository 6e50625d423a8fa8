"""The seal under what browsers carry for the console: nobody else can make or change it, and every worker knows it."""

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from hmac import compare_digest, new

LONGEST = 4_000
"""Letters of what is opened; browsers keep no longer cookies."""


class Seal:
    """Seals bytes for one purpose; workers that were forked from one process have one secret."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def sealed(self, purpose: str, content: bytes) -> str:
        """The content as a text for a cookie or a link, which anybody can read and nobody can make."""
        return f"{_letters(content)}.{_letters(self._mark(purpose, content))}"

    def opened(self, purpose: str, text: str) -> bytes | None:
        """What was sealed for that purpose; `None` for anything else."""
        if len(text) > LONGEST:
            return None
        try:
            content, mark = (_bytes(part) for part in text.split("."))
        except ValueError:
            return None
        return content if compare_digest(mark, self._mark(purpose, content)) else None

    def derived(self, purpose: str, content: bytes) -> str:
        """A text that only whoever has the secret knows, always the same for the same content."""
        return _letters(self._mark(purpose, content))

    def _mark(self, purpose: str, content: bytes) -> bytes:
        return new(self._secret, purpose.encode() + b"\0" + content, sha256).digest()


def _letters(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(letters: str) -> bytes:
    return urlsafe_b64decode(letters.encode("ascii") + b"=" * (-len(letters) % 4))
