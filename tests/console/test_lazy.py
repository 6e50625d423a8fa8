"""The console costs nobody anything who does not open it."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, json, sys
from holdfast.hold import Holdfast
from holdfast.settings import Settings, StoreConfig
from holdfast.policy.routing import SIMULATOR, UpstreamConfig

async def ask(app, path):
    heard = []
    said = [{"type": "http.request", "body": b"", "more_body": False}]
    async def receive():
        return said.pop() if said else await asyncio.Event().wait()
    async def send(message):
        heard.append(message)
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [(b"host", b"127.0.0.1:4180")], "scheme": "http", "server": None, "client": None}
    await app(scope, receive, send)
    return heard[0]["status"]

async def main():
    settings = Settings(store=StoreConfig(url="memory:"), upstreams={"s": UpstreamConfig(url=SIMULATOR)})
    async with Holdfast(settings) as hold:
        app = hold.asgi()
        before = await ask(app, "/healthz"), await ask(app, "/consoles")
        loaded = [name for name in ("jinja2", "holdfast.console.app") if name in sys.modules]
        print(json.dumps([before[0], loaded, await ask(app, "/console/login"), "jinja2" in sys.modules]))

asyncio.run(main())
"""


@pytest.mark.requirement("console:lazy")
def test_nothing_of_the_console_is_loaded_before_somebody_asks_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [200, [], 200, True]
