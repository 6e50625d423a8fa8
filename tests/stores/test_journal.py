"""A journal: nothing that was added is lost, whatever ends the process, and none is taken for another's."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.stores.journal import Journal

CURE = Sentence("Start anew.", ko="새로 시작하세요.")
OF = {"file": "abc", "model": "m"}


def opened(path: Path, *, fresh: bool = False, **of: str) -> Journal:
    return Journal.open(path, {**OF, **of}, run="run_1", cure=CURE, fresh=fresh)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "work.journal"


async def test_what_was_added_is_there_when_it_is_taken_up_again(path: Path) -> None:
    first = opened(path)
    first.add(3, {"text": "three"})
    first.add(0, {"text": "nothing yet"}, is_final=False)
    first.note({"batch": "b"})
    await first.sync()
    first.close()
    first.close()
    second = Journal.open(path, OF, run="another", cure=CURE)
    assert second.run == "run_1"
    assert list(second.rows()) == [(0, {"text": "nothing yet"}), (3, {"text": "three"})]
    assert [second.is_done(number) for number in range(5)] == [False, False, False, True, False]
    assert (second.row(1), second.row(99)) == (None, None)
    assert second.notes == [{"batch": "b"}]
    second.close()


def test_the_newest_row_of_a_thing_counts(path: Path) -> None:
    journal = opened(path)
    journal.add(0, {"text": "failed"}, is_final=False)
    journal.add(0, {"text": "done"})
    assert (journal.row(0), journal.is_done(0)) == ({"text": "done"}, True)
    journal.close()
    again = opened(path)
    assert (again.row(0), again.is_done(0)) == ({"text": "done"}, True)
    again.close()


def test_what_was_added_outlives_a_process_that_is_killed(path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from holdfast.language import Sentence
from holdfast.stores.journal import Journal
journal = Journal.open(Path({str(path)!r}), {OF!r}, run="run_1", cure=Sentence("", ko=""))
for number in range(100):
    journal.add(number, {{"text": "x" * number}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], check=False, timeout=30)
    journal = opened(path)
    assert len(list(journal.rows())) == 100
    journal.close()


@given(cut=st.integers(0, 400))
def test_of_a_file_cut_off_anywhere_whole_lines_are_kept_and_it_goes_on(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "journal"
    journal = opened(path)
    for number in range(5):
        journal.add(number, {"text": f"row {number}"})
    journal.close()
    whole = path.read_bytes()[:cut]
    path.write_bytes(whole)
    again = opened(path)
    kept = max(0, whole.count(b"\n") - 1)
    assert [number for number, _ in again.rows()] == list(range(kept))
    again.add(kept, {"text": "more"})
    again.close()
    assert all(json.loads(line) for line in path.read_bytes().splitlines())
    last = opened(path)
    assert last.row(kept) == {"text": "more"}
    last.close()


def test_a_line_that_a_disk_has_spoilt_is_as_if_it_had_not_been(path: Path) -> None:
    journal = opened(path)
    journal.add(0, {"text": "zero"})
    journal.add(1, {"text": "one"})
    journal.close()
    path.write_bytes(path.read_bytes().replace(b'{"number":0', b'{"num\xffer":0'))
    again = opened(path)
    assert [number for number, _ in again.rows()] == [1]
    again.close()


def test_the_journal_of_other_work_is_refused_with_the_way_out(path: Path) -> None:
    opened(path).close()
    with pytest.raises(ConfigError) as refused:
        opened(path, model="another")
    assert "(model: m → another). Start anew." in str(refused.value)
    assert refused.value.say("ko").endswith("새로 시작하세요.")
    assert refused.value.details == {"changed": ["model"]}


def test_a_fresh_journal_forgets_other_work(path: Path) -> None:
    journal = opened(path)
    journal.add(0, {"text": "old"})
    journal.close()
    fresh = opened(path, fresh=True, model="another")
    assert list(fresh.rows()) == []
    fresh.close()
    opened(path, model="another").close()


def test_two_processes_do_not_write_the_same_journal(path: Path) -> None:
    first = opened(path)
    with pytest.raises(ConfigError, match="another process"):
        opened(path)
    first.close()
    opened(path).close()


@pytest.mark.parametrize("content", [b"my notes\n", b"my notes", b'{"a": 1}\n'])
def test_a_file_that_is_no_journal_is_left_as_it_is(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="no journal of holdfast"):
        opened(path)
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        opened(tmp_path / "nowhere" / "journal")


def test_a_full_disk_is_told_and_what_was_written_before_is_there(path: Path) -> None:
    journal = opened(path)
    journal.add(0, {"text": "fits"})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        with pytest.raises(ConfigError, match="File too large"):
            journal.add(1, {"text": "x" * 5_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    journal.close()
    again = opened(path)
    assert list(again.rows()) == [(0, {"text": "fits"})]
    again.close()


def test_nobody_else_may_read_a_journal(path: Path) -> None:
    opened(path).close()
    assert os.stat(path).st_mode & 0o077 == 0
