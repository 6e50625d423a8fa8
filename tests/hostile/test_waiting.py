"""Clients that take their time: each waits on its own, and not for ever."""

import contextlib

import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.simulator.server import RunningSimulator
from holdfast.upstream.inprocess import InProcessClient
from tests.doors.running import RunningGateway, eventually, over, quick_settings, serving
from tests.doors.talking import QUESTION, Connection, ask, connected, request
from tests.doors.test_gateway_streams import Endless
from tests.hostile.conftest import IMPATIENT, PARSERS

HEAD = b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n"
HALF_OPEN = 200
SOON = 2.0
"""Seconds in which a patience of 0.3 s is certainly over."""


def closes(connection: Connection) -> bool:
    """Whether the other side hangs up soon, whatever it says before."""
    connection.socket.settimeout(SOON)
    with contextlib.suppress(ConnectionError):
        while connection.socket.recv(65_536):
            pass
    return True


def test_a_connection_on_which_nothing_comes_is_closed(impatient: RunningGateway) -> None:
    with connected(impatient.url) as connection:
        assert closes(connection)


def test_a_head_that_stops_is_told_and_closed(impatient: RunningGateway) -> None:
    with connected(impatient.url) as connection:
        connection.send(HEAD)
        answer = connection.hear()
        assert (answer.status, answer.error_type) == (408, "timeout_error")
        assert connection.is_closed()


def test_a_head_that_comes_drop_by_drop_is_given_up_all_the_same(impatient: RunningGateway) -> None:
    started = SYSTEM_CLOCK.monotonic()
    with connected(impatient.url) as connection, contextlib.suppress(ConnectionError):
        connection.send(HEAD + b"x-long: ")
        connection.socket.settimeout(0.02)
        while SYSTEM_CLOCK.monotonic() - started < SOON:
            connection.send(b"x")
            with contextlib.suppress(TimeoutError):
                if connection.socket.recv(100):
                    break
    assert SYSTEM_CLOCK.monotonic() - started < SOON


def test_the_second_head_of_a_connection_is_not_waited_for_either(impatient: RunningGateway) -> None:
    with connected(impatient.url) as connection:
        connection.send(request(QUESTION))
        assert connection.hear().status == 200
        connection.send(HEAD)
        assert connection.hear().status == 408
        assert connection.is_closed()


def test_a_pause_between_requests_is_no_slowness(impatient: RunningGateway) -> None:
    with connected(impatient.url) as connection:
        connection.send(request(QUESTION))
        assert connection.hear().status == 200
        connection.socket.settimeout(0.6)
        with contextlib.suppress(TimeoutError):
            assert connection.socket.recv(1) != b""
        connection.socket.settimeout(SOON)
        connection.send(request(QUESTION))
        assert connection.socket.recv(12) == b"HTTP/1.1 200"


def test_a_body_that_comes_drop_by_drop_is_given_up(impatient: RunningGateway) -> None:
    started = SYSTEM_CLOCK.monotonic()
    with connected(impatient.url) as connection:
        connection.send(request(QUESTION)[:-100])
        connection.socket.settimeout(0.05)
        while SYSTEM_CLOCK.monotonic() - started < SOON:
            connection.send(b" ")
            with contextlib.suppress(TimeoutError):
                assert connection.socket.recv(12) == b"HTTP/1.1 408"
                break
    assert SYSTEM_CLOCK.monotonic() - started < SOON
    assert impatient.totals().calls == 0


def test_the_rest_of_a_refused_body_is_not_waited_for(impatient: RunningGateway) -> None:
    with connected(impatient.url) as connection:
        connection.send(HEAD + b"content-length: 99999999\r\n\r\n{")
        answer = connection.hear()
        assert answer.status == 413
        assert closes(connection)


def test_the_rest_of_a_refused_body_in_chunks_is_hardly_waited_for(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
        assert connection.hear().status == 404
        assert closes(connection)


def test_a_flood_of_tiny_chunks_is_refused_and_closed(gateway: RunningGateway) -> None:
    with connected(gateway.url) as connection:
        connection.send(HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 5_000)
        answer = connection.hear()
        assert (answer.status, answer.error_type) == (400, "invalid_request_error")
        assert closes(connection)
    assert ask(gateway.url, QUESTION).status == 200


@pytest.mark.parametrize("parser", PARSERS)
def test_a_client_that_never_reads_is_cut_off_and_its_call_settled(
    simulator: RunningSimulator, parser: str
) -> None:
    upstream = Endless()
    opened = over(InProcessClient(upstream))
    with (
        serving(
            simulator, quick_settings(simulator), opened=opened, http=PARSERS[parser], patience=IMPATIENT
        ) as gateway,
        connected(gateway.url) as connection,
    ):
        connection.send(request({**QUESTION, "stream": True}))
        eventually(lambda: upstream.cancelled)
        assert upstream.sent < 32 * 1024 * 1024  # what the buffers of two sockets hold
        (record,) = gateway.records()
        assert record.end == "abandoned"


def test_two_hundred_half_open_connections_keep_nobody_else_waiting(gateway: RunningGateway) -> None:
    with contextlib.ExitStack() as stack:
        for n in range(HALF_OPEN):
            connection = stack.enter_context(connected(gateway.url))
            connection.send((HEAD, b"", request(QUESTION)[:-50], HEAD + b"content-length: 10\r\n\r\n")[n % 4])
        started = SYSTEM_CLOCK.monotonic()
        assert ask(gateway.url, QUESTION).status == 200
        assert SYSTEM_CLOCK.monotonic() - started < 5
    eventually(lambda: gateway.app is not None and gateway.app.under_way == 0)
    assert gateway.totals().calls == 1
