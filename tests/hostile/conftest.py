"""A gateway under each parser that uvicorn may have, with little patience."""

import asyncio
from collections.abc import Iterator

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from holdfast.gateway.server import Patience
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import RunningGateway, quick_settings, serving

PARSERS: dict[str, type[asyncio.Protocol]] = {"h11": H11Protocol, "httptools": HttpToolsProtocol}
IMPATIENT = Patience(head=0.3, leftover=0.3, reader=0.3)


@pytest.fixture(params=PARSERS)
def gateway(request: pytest.FixtureRequest, simulator: RunningSimulator) -> Iterator[RunningGateway]:
    with serving(simulator, quick_settings(simulator), http=PARSERS[request.param]) as running:
        yield running


@pytest.fixture(params=PARSERS)
def impatient(
    request: pytest.FixtureRequest, simulator: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RunningGateway]:
    monkeypatch.setattr("holdfast.gateway.reading.SILENCE", 0.3)
    monkeypatch.setattr("holdfast.gateway.reading.SLOWEST", 100_000.0)
    settings = quick_settings(simulator)
    with serving(simulator, settings, http=PARSERS[request.param], patience=IMPATIENT) as running:
        yield running
