"""Images and documents that go along with a message."""

import base64
import mimetypes
from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.toolloop import Block

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
LARGEST = 32 * 1024 * 1024
"""Bytes of one attachment; no request may be larger."""


def image(source: str | Path | bytes, *, media_type: str | None = None) -> Block:
    """An image for `chat([image("chart.png"), "What does it show?"])`: a file, its bytes, or an https address.

    Raises `ConfigError` for what is no png, jpeg, gif or webp, or cannot be read.
    """
    if isinstance(source, str) and source.startswith("https://"):
        return {"type": "image", "source": {"type": "url", "url": source}}
    data, kind = _read(source, media_type)
    if kind not in IMAGES:
        raise _unknown_kind(kind, "png, jpeg, gif, webp")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": _encoded(data)}}


def document(source: str | Path | bytes, *, media_type: str | None = None, title: str | None = None) -> Block:
    """A document for `chat`: a PDF or text file, its bytes, or an https address.

    Raises `ConfigError` for what is neither PDF nor UTF-8 text, or cannot be read.
    """
    named: dict[str, object] = {"title": title} if title else {}
    if isinstance(source, str) and source.startswith("https://"):
        return {"type": "document", "source": {"type": "url", "url": source}, **named}
    data, kind = _read(source, media_type)
    if kind == "application/pdf" or data.startswith(b"%PDF-"):
        pdf = {"type": "base64", "media_type": "application/pdf", "data": _encoded(data)}
        return {"type": "document", "source": pdf, **named}
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise _unknown_kind(kind, "PDF, UTF-8") from error
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}, **named}


def _read(source: str | Path | bytes, media_type: str | None) -> tuple[bytes, str]:
    if isinstance(source, bytes):
        data, kind = source, media_type or _guessed(source)
    else:
        path = Path(source)
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise _unreadable(str(path), error.strerror or str(error)) from error
        kind = media_type or mimetypes.guess_type(path.name)[0] or _guessed(data)
    if len(data) > LARGEST:
        raise _too_large()
    return data, kind


def _guessed(data: bytes) -> str:
    match data[:12]:
        case head if head.startswith(b"\x89PNG"):
            return "image/png"
        case head if head.startswith(b"\xff\xd8\xff"):
            return "image/jpeg"
        case head if head.startswith(b"GIF8"):
            return "image/gif"
        case head if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return "image/webp"
        case head if head.startswith(b"%PDF-"):
            return "application/pdf"
        case _:
            return "application/octet-stream"


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unknown_kind(kind: str, known: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"An attachment is {kind}, which the Messages API does not take here. Use {known}.",
            ko=f"첨부 파일 형식 {kind}은(는) Messages API가 받지 않습니다. 쓸 수 있는 형식: {known}.",
        )
    )


def _unreadable(path: str, why: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The attachment {path} cannot be read ({why}).",
            ko=f"첨부 파일 {path}을(를) 읽을 수 없습니다({why}).",
        )
    )


def _too_large() -> ConfigError:
    return ConfigError(
        Sentence(
            f"An attachment is larger than {LARGEST // 1024 // 1024} MB, the most that a request may hold.",
            ko=f"첨부 파일이 요청에 담을 수 있는 최대 크기 {LARGEST // 1024 // 1024}MB보다 큽니다.",
        )
    )
