"""Forms of several parts, as files are uploaded in."""

import re
from dataclasses import dataclass

from holdfast.simulator.problems import invalid

_BOUNDARY = re.compile(r"boundary=(?:\"([^\"]{1,70})\"|([^;\s\"]{1,70}))", re.IGNORECASE)
_NAME = re.compile(r"[;\s]name=\"([^\"]*)\"")
_FILENAME = re.compile(r"filename=\"((?:[^\"\\]|\\.)*)\"")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part of a form: a field or, with a `filename`, a file."""

    name: str
    data: bytes
    filename: str | None = None
    mime_type: str = "application/octet-stream"


def parts(content_type: str, body: bytes) -> list[Part]:
    """The parts of a form; 400 for what is none."""
    found = _BOUNDARY.search(content_type)
    if not content_type.lower().startswith("multipart/form-data") or found is None:
        invalid("content-type: must be multipart/form-data with a boundary")
    fence = b"--" + (found[1] or found[2]).encode()
    sections = (b"\r\n" + body).split(b"\r\n" + fence)
    if len(sections) < 2 or not sections[-1].startswith(b"--"):
        invalid("The form does not end with its boundary")
    return [_part(section) for section in sections[1:-1]]


def _part(section: bytes) -> Part:
    head, gap, data = section.partition(b"\r\n\r\n")
    if not gap:
        invalid("A part of the form has no end of its headers")
    headers = _headers(head.decode("utf-8", "replace"))
    disposition = headers.get("content-disposition", "")
    name, filename = _NAME.search(disposition), _FILENAME.search(disposition)
    if name is None:
        invalid("A part of the form has no name")
    return Part(
        name=name[1],
        data=data,
        filename=None if filename is None else re.sub(r"\\(.)", r"\1", filename[1]),
        mime_type=headers.get("content-type", "application/octet-stream"),
    )


def _headers(text: str) -> dict[str, str]:
    lines = [line.partition(":") for line in text.split("\r\n") if ":" in line]
    return {name.strip().lower(): value.strip() for name, _, value in lines}
