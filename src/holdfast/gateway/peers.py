"""The other workers of this machine: each tells what it counts over a socket in a folder that they share."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.telemetry import names

TIMEOUT = 1.0
"""Seconds that another worker may take; one that is just dying is left out."""
PIECE = 64 * 1024
STORE_WIDE = (names.RESERVED,)
"""What every worker would say of the same store: it is said once."""
_SAMPLE = re.compile(rb"([a-zA-Z_:][\w:]*)(?:\{(.*)\})?( .+)")


@dataclass(slots=True)
class Peers:
    """The workers with a socket in `folder`; this one is `number`."""

    folder: Path
    number: int
    _server: asyncio.Server | None = field(default=None, init=False)

    async def open(self, tell: Callable[[], Awaitable[bytes]]) -> None:
        """Tell whoever connects."""

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError):
                writer.write(await tell())
                await writer.drain()
            writer.close()

        place = self._place(self.number)
        place.unlink(missing_ok=True)  # of the worker that had this number before
        self._server = await asyncio.start_unix_server(answer, place)
        place.chmod(0o600)

    async def others(self) -> Mapping[int, bytes]:
        """What the others tell, by their numbers; who does not answer is left out."""
        numbers = [int(place.stem) for place in self.folder.glob("*.sock") if place.stem.isdecimal()]
        asked = sorted(number for number in numbers if number != self.number)
        told = await asyncio.gather(*(self._ask(number) for number in asked))
        return {number: text for number, text in zip(asked, told, strict=True) if text is not None}

    async def aclose(self) -> None:
        """Tell nobody any more; may be called twice."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    async def _ask(self, number: int) -> bytes | None:
        try:
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_unix_connection(self._place(number))
                try:
                    return await _whole(reader)
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return None

    def _place(self, number: int) -> Path:
        return self.folder / f"{number}.sock"


async def _whole(reader: asyncio.StreamReader) -> bytes:
    chunks: list[bytes] = []
    while chunk := await reader.read(PIECE):
        chunks.append(chunk)
    return b"".join(chunks)


def together(texts: Mapping[int, bytes], own: int) -> bytes:
    """Metrics of all workers in Prometheus' text format, each series with the number of its worker.

    Nothing is added up: a worker that is started anew begins at 0, and a sum that falls would be taken for a
    whole fleet that did.
    """
    families: dict[bytes, tuple[list[bytes], list[bytes]]] = {}
    for number, text in texts.items():
        family = b""
        for line in text.splitlines():
            if line.startswith((b"# HELP ", b"# TYPE ")):
                family = line.split(b" ", 3)[2]
                heads, _ = families.setdefault(family, ([], []))
                if line.split(b" ", 2)[:2] not in [head.split(b" ", 2)[:2] for head in heads]:
                    heads.append(line)
            elif (found := _SAMPLE.fullmatch(line)) is not None:
                families.setdefault(family, ([], []))[1].extend(_labelled(found, number, own))
    lines = [line for heads, samples in families.values() if samples for line in (*heads, *samples)]
    return b"\n".join([*lines, b""])


def _labelled(found: "re.Match[bytes]", number: int, own: int) -> list[bytes]:
    name, labels, value = found.groups()
    if name.decode() in STORE_WIDE:
        return [found[0]] if number == own else []
    worker = b'worker="%d"' % number
    return [b"%s{%s}%s" % (name, worker if not labels else worker + b"," + labels, value)]
