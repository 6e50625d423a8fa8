"""Small bodies that unfold into large ones: not unfolded on the way in, and bounded on the way back."""

import gzip
import resource
import socket
import threading
import zlib
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from holdfast.policy.retry import RetryConfig
from holdfast.policy.routing import UpstreamConfig
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving
from tests.doors.talking import QUESTION, ask

ZEROS = gzip.compress(b"\0" * 10_000_000)
CODED = {
    "gzip": ZEROS,
    "gzip, gzip": gzip.compress(ZEROS),
    "deflate": zlib.compress(b"\0" * 10_000_000),
    "br": b"\x5b\xff\xff\x0f\x00\x00\x24\x1c",
    "zstd": b"\x28\xb5\x2f\xfd\x04\x00\x00\x00",
    "identity, gzip": ZEROS,
    "x-gzip": ZEROS,
    "GZIP": ZEROS,
}
MEGABYTE = 1024 * 1024
UNFOLDED = 2_000 * MEGABYTE
MOST_MEMORY = 600 * MEGABYTE


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_a_coded_body_is_unfolded_within_its_bounds_or_not_at_all(gateway: RunningGateway, path: str) -> None:
    for coding, body in CODED.items():
        answer = ask(gateway.url, body, path=path, headers={"content-encoding": coding})
        told = {400: "invalid_request_error", 413: "request_too_large"}
        assert answer.error_type == told[answer.status]
        is_read = coding.lower() in ("gzip", "x-gzip", "deflate")
        assert is_read or "content-encoding" in answer.json["error"]["message"]
    assert gateway.simulator.simulator.requests == ()


def test_a_coded_body_that_does_not_say_so_is_no_json(gateway: RunningGateway) -> None:
    for body in CODED.values():
        assert ask(gateway.url, body).error_type == "invalid_request_error"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("status", [200, 400, 529])
def test_an_upstream_that_answers_with_a_bomb_fills_no_memory(
    simulator: RunningSimulator, kind: str, status: int
) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    settings = replace(quick_settings(simulator), retry=RetryConfig(attempts=1))
    with bombing(kind, status) as url:
        upstream = {"bomber": UpstreamConfig(url=url)}
        with serving(simulator, replace(settings, upstreams=upstream)) as gateway:
            answer = ask(gateway.url, {**QUESTION, "stream": kind != "application/json"})
    assert answer.status == 200 or answer.error_type
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before < MOST_MEMORY


@contextmanager
def bombing(kind: str, status: int) -> Generator[str]:
    """A server that answers everything with zeros, gigabytes of them in a few megabytes."""
    head = (
        f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-encoding: gzip\r\nconnection: close\r\n\r\n"
    ).encode()
    packer = zlib.compressobj(9, wbits=31)
    first = packer.compress(b"\0" * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    further = packer.compress(b"\0" * MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)

    def answer() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, suppress(OSError):
                client.recv(65_536)
                client.sendall(head + first)
                for _ in range(UNFOLDED // MEGABYTE):
                    client.sendall(further)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
