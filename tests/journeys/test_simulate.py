"""`holdfast simulate`: a Messages API of one's own in one command."""

import signal
import socket
from pathlib import Path

import anthropic
import pytest

from tests.doors.talking import QUESTION, ask
from tests.journeys.commands import Desk, running


def is_ready(said: str) -> bool:
    return said.endswith("\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_official_sdk_talks_to_it_until_a_signal_ends_it(tmp_path: Path, number: signal.Signals) -> None:
    arguments = ("simulate", "--port", "0", "--time-scale", "0")
    with running(*arguments, home=tmp_path, ready=is_ready) as server:
        assert "key: any text" in server.lines[0]
        with anthropic.Anthropic(api_key="local", base_url=server.url) as client:
            message = client.messages.create(
                model="claude-sonnet-5-5", max_tokens=300, messages=[{"role": "user", "content": "Hello?"}]
            )
        assert message.stop_reason == "end_turn"
        assert server.stop(number) == 0
        assert "Traceback" not in server.said


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(tmp_path: Path) -> None:
    ids: list[object] = []
    for seed in ("1", "1", "2"):
        arguments = ("simulate", "--port", "0", "--seed", seed, "--time-scale", "0")
        with running(*arguments, home=tmp_path, ready=is_ready) as server:
            ids.append(ask(server.url, QUESTION).json["id"])
    assert ids[0] == ids[1] != ids[2]


def test_korean_readers_are_told_in_korean(tmp_path: Path) -> None:
    with running("simulate", "--port", "0", home=tmp_path, ready=is_ready, LANG="ko_KR.UTF-8") as server:
        assert "시뮬레이터" in server.lines[0]


def test_an_address_that_cannot_be_taken_is_told_with_exit_code_3(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for arguments, words in (
            (("--port", port), "is taken"),
            (("--port", "0", "--host", "0.0.0.0"), "can be reached from other machines"),
        ):
            done = desk.holdfast("simulate", *arguments)
            assert (done.returncode, done.stdout) == (3, "")
            assert words in done.stderr
            assert "Traceback" not in done.stderr
