"""How lines reach their stream, or do not."""

import io
import json
import subprocess
import sys
import textwrap
import threading
from functools import partial
from time import perf_counter

import pytest

from holdfast.telemetry.logs import AgentLogger
from holdfast.telemetry.sink import Sink, drain, sink_of


def told(missing: int) -> str:
    return f"{missing} missing"


class Gate:
    """A stream that writes only while it is open."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        assert self.open.wait(10)
        self.lines.append(text)


class Broken:
    """A stream that fails until it is repaired."""

    def __init__(self) -> None:
        self.broken = True
        self.lines: list[str] = []

    def write(self, text: str) -> None:
        if self.broken:
            raise OSError("disk full")
        self.lines.append(text)


class Unflushable(io.StringIO):
    def flush(self) -> None:
        raise OSError("gone")


def test_a_stalled_stream_never_holds_up_who_logs_and_lost_lines_are_told() -> None:
    gate = Gate()
    sink = Sink(gate, report=told, capacity=10)
    began = perf_counter()
    for n in range(1_000):
        sink.put(partial(str, n))
    assert perf_counter() - began < 1
    assert not sink.flush(0.01)
    assert sink.dropped >= 1_000 - 10 - 128
    gate.open.set()
    assert sink.flush(10)
    sink.put(lambda: "last")
    assert sink.flush(10)
    missing = [int(line.split()[0]) for line in gate.lines if "missing" in line]
    assert sum(missing) == sink.dropped
    assert gate.lines[-1] == "last\n"
    assert len(gate.lines) - len(missing) + sink.dropped == 1_000 + 1


def test_a_failing_stream_loses_lines_counts_them_and_says_so_once_it_works() -> None:
    stream = Broken()
    sink = Sink(stream, report=told)
    sink.put(lambda: "1")
    assert sink.flush(10)
    assert sink.dropped == 1
    stream.broken = False
    sink.put(lambda: "2")
    assert sink.flush(10)
    assert stream.lines == ["1 missing\n", "2\n"]


def test_a_stream_that_cannot_be_flushed_has_lost_the_batch() -> None:
    sink = Sink(Unflushable(), report=told)
    sink.put(lambda: "1")
    assert sink.flush(10)
    assert sink.dropped == 1


def test_a_closed_stream_harms_nobody() -> None:
    stream = io.StringIO()
    stream.close()
    logger = AgentLogger(stream=stream)
    logger.info("x")
    assert logger.flush()
    assert logger.dropped == 1
    assert logger.entries[0]["message"] == "x"


def test_the_line_about_lost_lines_is_a_log_line_too() -> None:
    stream = Broken()
    logger = AgentLogger(stream=stream)
    logger.info("x")
    assert logger.flush()
    stream.broken = False
    logger.info("y")
    assert logger.flush()
    told_line = json.loads(stream.lines[0])
    assert (told_line["level"], told_line["metadata"]) == ("warn", {"dropped": 1})
    assert "1 log lines were dropped" in told_line["message"]


def test_without_a_standard_error_lines_are_lost_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink(None, report=told)
    monkeypatch.setattr(sys, "stderr", None)
    sink.put(lambda: "x")
    assert sink.flush(10)
    assert sink.dropped == 1


def test_an_old_code_page_gets_escapes_instead_of_losing_the_line() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    logger = AgentLogger(stream=stream)
    logger.info("한글 😀")
    assert logger.flush()
    assert json.loads(raw.getvalue())["message"] == "한글 😀"


def test_all_who_log_to_one_stream_share_its_writer() -> None:
    stream = io.StringIO()
    assert sink_of(stream, told) is sink_of(stream, told)
    assert sink_of(stream, told) is not sink_of(io.StringIO(), told)


def test_nothing_is_started_until_something_is_logged() -> None:
    before = threading.active_count()
    logger = AgentLogger(stream=io.StringIO())
    assert logger.flush()
    assert threading.active_count() == before


def test_an_idle_writer_goes_home_and_the_next_line_calls_another() -> None:
    stream = io.StringIO()
    sink = Sink(stream, report=told, idle=0.01)
    before = threading.active_count()
    for n in range(3):
        sink.put(partial(str, n))
        assert sink.flush(10)
        deadline = perf_counter() + 10
        while threading.active_count() > before and perf_counter() < deadline:
            threading.Event().wait(0.005)
    assert stream.getvalue() == "0\n1\n2\n"


def test_without_a_thread_to_be_had_lines_wait_for_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    stream = io.StringIO()
    sink = Sink(stream, report=told)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        sink.put(lambda: "1")
        assert not sink.flush(0.01)
    assert sink.flush(10)
    assert stream.getvalue() == "1\n"


def test_a_stream_that_logs_to_itself_does_not_wait_for_itself() -> None:
    answers: list[bool] = []

    class Echo:
        def write(self, _text: str) -> None:
            answers.append(sink.flush(10))

    sink = Sink(Echo(), report=told)
    sink.put(lambda: "1")
    assert sink.flush(10)
    assert answers == [False]


def test_many_threads_log_whole_lines() -> None:
    stream = io.StringIO()
    logger = AgentLogger(stream=stream)

    def work(name: int) -> None:
        for n in range(200):
            logger.info("x", name=name, n=n)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logger.flush(20)
    lines = [json.loads(line)["metadata"] for line in stream.getvalue().splitlines()]
    assert {(line["name"], line["n"]) for line in lines} == {(a, b) for a in range(8) for b in range(200)}


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_waits_at_exit_is_written() -> None:
    done = run("""
        from holdfast.telemetry.logs import AgentLogger
        logger = AgentLogger()
        for n in range(500):
            logger.info("x", n=n)
    """)
    assert done.returncode == 0
    assert len(done.stderr.splitlines()) == 500


def test_a_stream_that_never_returns_does_not_keep_the_process_alive() -> None:
    began = perf_counter()
    done = run("""
        import threading
        from holdfast.telemetry.logs import AgentLogger
        class Stuck:
            def write(self, text):
                threading.Event().wait()
        AgentLogger(stream=Stuck()).info("x")
    """)
    assert done.returncode == 0
    assert perf_counter() - began < 30


def test_a_forked_child_logs_its_own_lines_and_not_its_parents() -> None:
    done = run("""
        import os, warnings
        warnings.simplefilter("ignore")
        from holdfast.telemetry.logs import AgentLogger
        logger = AgentLogger()
        logger.info("parent before")
        logger.flush()
        child = os.fork()
        logger.info("child" if child == 0 else "parent after")
        logger.flush()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    """)
    messages = sorted(json.loads(line)["message"] for line in done.stderr.splitlines())
    assert messages == ["child", "parent after", "parent before"]


def test_draining_gives_every_sink_its_share() -> None:
    stream = io.StringIO()
    sink = Sink(stream, report=told)
    sink.put(lambda: "1")
    drain(10)
    assert stream.getvalue() == "1\n"
