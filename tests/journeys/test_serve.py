"""`holdfast serve` as a newcomer meets it: what it prints works, and it stops without breaking anything."""

import json
import re
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from holdfast.clock import SYSTEM_CLOCK
from holdfast.simulator import Stall
from holdfast.simulator.server import RunningSimulator
from tests.doors.running import eventually
from tests.doors.talking import QUESTION, Heard, ask, connected, request
from tests.journeys.commands import Desk, Server, holdfast, run_python, running, surroundings

README = Path(__file__).parents[2] / "README.md"
STREAM = {**QUESTION, "stream": True}


def is_ready(said: str) -> bool:
    """Whether all that is printed at the start is there."""
    return "\n\n" in said and said.endswith("content[0].text)\n\n")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running("serve", "--simulate", "--port", "0", home=tmp_path, ready=is_ready) as started:
        yield started


def calls(home: Path) -> list[tuple[str, int]]:
    """End and status of every call in the ledger of a gateway that has stopped."""
    with closing(sqlite3.connect(home / "simulator.db")) as db:
        return [(str(end), int(status)) for end, status in db.execute('SELECT "end", status FROM calls')]


def as_curl_would(command: str) -> Heard:
    """The answer to a curl command, also on a machine without curl."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[0] == "curl"
    options = list(zip(words[2::2], words[3::2], strict=True))
    headers = dict(value.split(": ", 1) for name, value in options if name == "-H")
    (data,) = (value for name, value in options if name == "-d")
    address, path = re.fullmatch(r"(http://[^/]+)(/.*)", words[1]).groups()  # type: ignore[union-attr]
    return ask(address, data.encode(), path=path, headers=headers)


def with_curl(command: str) -> dict[str, object] | None:
    """What real curl prints, if there is one."""
    if shutil.which("curl") is None:
        return None
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30)
    document: dict[str, object] = json.loads(done.stdout)
    return document


@pytest.mark.requirement("start:ready-line")
def test_one_line_says_where_which_key_and_what_to_paste(tmp_path: Path) -> None:
    started = SYSTEM_CLOCK.monotonic()
    with running("serve", "--simulate", "--port", "0", home=tmp_path, ready=is_ready) as server:
        assert SYSTEM_CLOCK.monotonic() - started < 20
        first = server.lines[0]
        assert re.search(r"ready at http://127\.0\.0\.1:\d+ ", first)
        assert "key: any text, such as `local`" in first
        assert "paste" in first
        assert ask(server.url, method="GET", path="/readyz").status == 200


@pytest.mark.requirement("start:snippet")
def test_the_printed_snippet_runs_as_printed(server: Server, tmp_path: Path) -> None:
    snippet = server.said.partition("\n\n")[2]
    printed = run_python(snippet, tmp_path, surroundings(tmp_path)).splitlines()
    assert len(printed) >= 3
    assert "Sunny, 21 degrees" in printed[-1]
    assert server.stop() == 0
    assert calls(tmp_path) == [("answered", 200)] * 4


@pytest.mark.requirement("start:curl")
def test_the_printed_curl_commands_work_as_printed(server: Server) -> None:
    printed = server.lines[1].strip()
    (block,) = re.findall(r"```console\n\$ (curl .*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    in_readme = block.replace("http://127.0.0.1:4180", server.url)
    for command in (printed, in_readme):
        answer = as_curl_would(command)
        assert answer.status == 200
        assert answer.json["content"][0]["type"] == "text"
        document = with_curl(command)
        assert document is None or document["type"] == "message"


def test_korean_readers_are_told_in_korean(tmp_path: Path) -> None:
    with running(
        "serve", "--simulate", "--port", "0", home=tmp_path, ready=is_ready, LANG="ko_KR.UTF-8"
    ) as server:
        assert "준비 완료" in server.lines[0]
        assert "붙여 넣으세요" in server.lines[0]
        assert as_curl_would(server.lines[1].strip()).status == 200


def test_the_log_is_one_json_object_a_line_even_about_broken_http(server: Server) -> None:
    before = len(server.lines)
    ask(server.url, QUESTION)
    with connected(server.url) as connection:
        connection.send(b"hello\r\n\r\n")
        assert connection.hear().status == 400
    eventually(lambda: len(server.lines) >= before + 2)
    said = {json.loads(line)["message"] for line in server.lines[before:]}
    assert said == {"response", "Invalid HTTP request received."}
    assert server.stop() == 0


def test_without_an_upstream_of_its_own_it_stands_before_the_real_api_and_says_so(tmp_path: Path) -> None:
    with running("serve", "--port", "0", home=tmp_path, ready=is_ready) as server:
        assert "· live ·" in server.lines[0]
        assert "at most 10 dollars a day" in server.lines[0]
        assert "key: your Anthropic key" in server.lines[0]
        assert ask(server.url, method="GET", path="/readyz").status == 200
        assert server.stop() == 0
    assert (tmp_path / "holdfast.db").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_an_idle_gateway_with_exit_code_0(tmp_path: Path, number: signal.Signals) -> None:
    with running("serve", "--simulate", "--port", "0", home=tmp_path, ready=is_ready) as server:
        with connected(server.url) as idle:
            idle.send(request(QUESTION))
            assert idle.hear().status == 200
            assert server.stop(number) == 0
        assert "Traceback" not in server.said
    assert calls(tmp_path) == [("answered", 200)]


def test_a_signal_lets_a_running_stream_end(simulator: RunningSimulator, tmp_path: Path) -> None:
    simulator.simulator.fault(Stall(after_events=6, seconds=0.5))
    with (
        running("serve", "--upstream", simulator.url, "--port", "0", home=tmp_path, ready=is_ready) as server,
        connected(server.url) as connection,
    ):
        connection.send(request(STREAM))
        assert connection.reader.readline().startswith(b"HTTP/1.1 200")
        server.process.send_signal(signal.SIGTERM)
        assert b"event: message_stop" in connection.reader.read()
        assert server.process.wait(10) == 0


def test_a_stream_that_does_not_end_gets_a_typed_error_by_the_second_signal(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    simulator.simulator.fault(Stall(after_events=6))
    with (
        running("serve", "--upstream", simulator.url, "--port", "0", home=tmp_path, ready=is_ready) as server,
        connected(server.url) as connection,
    ):
        connection.send(request(STREAM))
        assert connection.reader.readline().startswith(b"HTTP/1.1 200")
        server.process.send_signal(signal.SIGINT)
        eventually(lambda: not can_connect(server.url))
        server.process.send_signal(signal.SIGINT)
        assert b"event: error\n" in connection.reader.read()
        assert server.process.wait(10) == 0
        assert "Traceback" not in server.said
    with closing(sqlite3.connect(tmp_path / "holdfast.db")) as db:
        assert db.execute('SELECT "end" FROM calls').fetchall() == [("abandoned",)]


def can_connect(url: str) -> bool:
    try:
        with connected(url):
            return True
    except OSError:
        return False


def test_a_port_that_is_taken_is_told_and_not_waited_for(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for language, words in (("en_US.UTF-8", "is taken"), ("ko_KR.UTF-8", "이미 쓰이고 있습니다")):
            done = desk.holdfast("serve", "--simulate", "--port", port, LANG=language)
            assert (done.returncode, done.stdout) == (3, "")
            assert words in done.stderr
            assert "Traceback" not in done.stderr


def test_when_the_usual_port_is_taken_the_next_free_one_is_used(tmp_path: Path) -> None:
    try:
        taken = socket.create_server(("127.0.0.1", 4180))
    except OSError:
        taken = socket.socket()  # somebody else has it, which is as good
    with taken, running("serve", "--simulate", home=tmp_path, ready=is_ready) as server:
        assert 4180 < int(server.url.rpartition(":")[2]) < 4190
        assert ask(server.url, QUESTION).status == 200


def test_an_address_that_others_can_reach_is_refused_with_the_cure(desk: Desk) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.10", "example.com"):
        done = desk.holdfast("serve", "--simulate", "--host", host, "--port", "0")
        assert (done.returncode, done.stdout) == (3, "")
        assert "127.0.0.1" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = desk.holdfast("serve", "--simulate", "--host", "0.0.0.0", LANG="ko_KR.UTF-8")
    assert "다른 컴퓨터에서 접근할 수 있는데" in done.stderr


def test_other_names_of_this_machine_are_taken(tmp_path: Path) -> None:
    hosts = ["localhost", "127.0.0.2"] + (["::1"] if has_ipv6() else [])
    for host in hosts:
        arguments = ("serve", "--simulate", "--host", host, "--port", "0")
        with running(*arguments, home=tmp_path, ready=is_ready) as server:
            assert as_curl_would(server.lines[1].strip()).status == 200


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def test_a_mistake_in_the_configuration_is_told_with_file_and_line(desk: Desk) -> None:
    file = desk.home / "holdfast.toml"
    file.write_text('[gateway]\nport = 0\nhots = "127.0.0.1"\n', encoding="utf-8")
    for arguments in (("--config", str(file)), ()):
        done = desk.holdfast("serve", "--simulate", *arguments)
        assert (done.returncode, done.stdout) == (3, "")
        assert re.search(r"holdfast\.toml\D+3\b", done.stderr), done.stderr
        assert "host" in done.stderr
        assert "Traceback" not in done.stderr
    file.write_text("[gateway\n", encoding="utf-8")
    done = desk.holdfast("serve", "--simulate")
    assert (done.returncode, "holdfast.toml" in done.stderr) == (3, True)


def test_settings_that_cannot_be_are_told_and_are_no_traceback(desk: Desk) -> None:
    wrong: tuple[tuple[tuple[str, ...], dict[str, str], int], ...] = (
        (("--config", "nowhere.toml"), {}, 3),
        (("--simulate", "--upstream", "http://127.0.0.1:1"), {}, 2),
        (("--upstream", "127.0.0.1:1"), {}, 3),
        (("--port", "70000"), {}, 2),
        (("--simulate",), {"HOLDFAST__GATEWAY__PORT": "70000"}, 3),
        (("--simulate",), {"HOLDFAST__GATEWAY__PORT": "-5"}, 3),
        (("--simulate",), {"HOLDFAST__GATEWAY__HOST": "0.0.0.0"}, 3),
        (("--simulate", "--port", "0"), {"HOLDFAST_DATABASE_URL": "mysql://x"}, 3),
    )
    for arguments, more, code in wrong:
        done = desk.holdfast("serve", *arguments, **more)
        assert (done.returncode, done.stdout) == (code, ""), (arguments, more, done.stderr)
        assert "Traceback" not in done.stderr


def test_a_store_that_cannot_be_opened_is_told_before_anything_is_served(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    url = f"sqlite:///{tmp_path}/file/ledger.db"
    done = holdfast("serve", "--simulate", "--port", "0", home=tmp_path, HOLDFAST_DATABASE_URL=url)
    assert done.returncode == 1
    assert "ledger.db" in done.stderr
    assert "ready at" not in done.stderr
    assert "Traceback" not in done.stderr
