"""`holdfast doctor`: what it finds against real sockets, each with its cure."""

import json
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.cli.conftest import Ended, Holdfast


class Models(BaseHTTPRequestHandler):
    """Answers every question with one status and one date."""

    answer: ClassVar[int] = 200
    date: ClassVar[str | None] = None
    keys: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.keys.append(self.headers.get("x-api-key"))
        self.send_response_only(self.answer)
        self.send_header("date", self.date or self.date_time_string())
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def models() -> Generator[str]:
    Models.answer, Models.date = 200, None
    Models.keys.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def looked(ended: Ended) -> dict[str, dict[str, Any]]:
    return {finding["name"]: finding for finding in json.loads(ended.out)}


def write(folder: Path, url: str, more: str = "") -> None:
    (folder / "holdfast.toml").write_text(
        f'[upstreams.main]\nurl = "{url}"\nkey_env = "ANTHROPIC_API_KEY"\n[budgets.team]\nusd = 5\n{more}'
    )


@pytest.mark.requirement("cli:doctor")
def test_with_everything_right_every_look_is_good(
    holdfast: Holdfast, models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-test-key")
    write(tmp_path, models)
    ended = holdfast("doctor", "--json")
    found = looked(ended)

    assert ended.code == 0
    assert {name: finding["state"] for name, finding in found.items()} == {
        "holdfast": "good",
        "upstreams.main": "good",
        "clock": "good",
        "store": "good",
    }
    assert Models.keys == ["sk-ant-test-key"]


def test_a_key_that_is_refused_is_bad_and_never_said(
    holdfast: Holdfast, models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-api03-refused-key-of-mine")
    Models.answer = 401
    write(tmp_path, models)
    ended = holdfast("doctor")

    assert ended.code == 7
    assert "■ upstreams.main: 127.0.0.1 refuses the key (401)" in ended.out
    assert "make a new key" in ended.out
    assert "refused-key-of-mine" not in ended.out + ended.err


def test_an_upstream_without_a_key_and_one_that_is_ill_are_weak(
    holdfast: Holdfast, models: str, tmp_path: Path
) -> None:
    Models.answer = 401
    write(tmp_path, models)
    assert looked(holdfast("doctor", "--json"))["upstreams.main"]["state"] == "weak"

    Models.answer = 529
    told = looked(holdfast("doctor", "--json"))["upstreams.main"]
    assert (told["state"], told["message"]) == ("weak", "127.0.0.1 answers with 529")


def test_an_address_that_nobody_answers_is_bad(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:9")
    told = looked(holdfast("doctor", "--json"))["upstreams.main"]

    assert told["state"] == "bad"
    assert "cannot be reached" in told["message"]


def test_a_clock_that_is_off_is_weak(holdfast: Holdfast, models: str, tmp_path: Path) -> None:
    Models.date = "Sun, 06 Nov 1994 08:49:37 GMT"
    write(tmp_path, models)
    assert looked(holdfast("doctor", "--json"))["clock"]["state"] == "weak"

    Models.date = "yesterday"
    assert "clock" not in looked(holdfast("doctor", "--json"))


def test_a_key_that_cannot_be_one_is_bad(
    holdfast: Holdfast, models: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "키가 아님")
    write(tmp_path, models)
    assert looked(holdfast("doctor", "--json"))["upstreams.main"]["state"] == "bad"


def test_a_gateway_that_would_ask_itself_is_bad(holdfast: Holdfast, tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:4999", "[gateway]\nport = 4999\n")
    assert looked(holdfast("doctor", "--json"))["loop"]["state"] == "bad"


def test_a_shell_that_goes_through_the_gateway_is_good(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_UPSTREAM", "simulator")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:4180")
    assert looked(holdfast("doctor", "--json"))["loop"]["state"] == "good"


def test_a_store_that_cannot_be_opened_is_bad(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_UPSTREAM", "simulator")
    (tmp_path / "not-a-folder").write_text("")
    (tmp_path / "holdfast.toml").write_text(f'[store]\nurl = "sqlite:///{tmp_path}/not-a-folder/x.db"\n')
    assert looked(holdfast("doctor", "--json"))["store"]["state"] == "bad"


def test_a_redis_that_answers_is_good_and_one_that_does_not_is_weak(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setenv("HOLDFAST_UPSTREAM", "simulator")
    monkeypatch.setenv("OUR_REDIS", redis_url)
    (tmp_path / "holdfast.toml").write_text('[fleet]\nredis_url_env = "OUR_REDIS"\n')
    assert looked(holdfast("doctor", "--json"))["redis"]["state"] == "good"

    monkeypatch.setenv("OUR_REDIS", "redis://127.0.0.1:9/0")
    assert looked(holdfast("doctor", "--json"))["redis"]["state"] == "weak"


def test_advice_that_warns_is_told_too(
    holdfast: Holdfast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_UPSTREAM", "simulator")
    (tmp_path / "holdfast.toml").write_text("[screen]\nenabled = false\n")
    ended = holdfast("doctor")

    assert ended.code == 7
    assert "holdfast rule HF208" in ended.out
