"""A journal of work on many things: what is done of it outlives the process, whatever ends that.

Every line is on its way to the disk when it has been added, so that a process that is killed loses none, and is
synced with others soon after, so that a machine that loses power loses a moment's. A line that was cut off had
not been promised to anybody.
"""

import asyncio
import fcntl
import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence

VERSION = 1
_NOWHERE = -1
_BEGINNING = b'{"journal":'


class Head(msgspec.Struct, kw_only=True):
    """The first line: which work this is the journal of, and the name that it goes by."""

    journal: int = VERSION
    run: str
    of: dict[str, str]


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line: what has become of thing `number`, for good unless it may be tried again; or a note."""

    number: int | None = None
    is_final: bool = True
    row: dict[str, object] = {}
    note: dict[str, object] | None = None


_read_head = msgspec.json.Decoder(Head).decode
_read_entry = msgspec.json.Decoder(Entry).decode
_write = msgspec.json.Encoder().encode


class Journal:
    """The newest row of every thing, by its number, and notes in their order.

    Attributes:
        run: the name of this work, the same whenever it is taken up again.
        notes: what was noted about the work as a whole.
    """

    def __init__(self, path: Path, file: BinaryIO, run: str) -> None:
        self.path = path
        self.run = run
        self.notes: list[dict[str, object]] = []
        self._file = file
        self._places = array("q")
        self._final = bytearray()
        self._end = 0
        self._is_dirty = False

    @classmethod
    def open(
        cls, path: Path, of: Mapping[str, str], *, run: str, cure: Sentence, fresh: bool = False
    ) -> Self:
        """Take the work up where it was left, or begin a journal under the name `run`.

        `of` is what work it is: the journal of another is refused, and `cure` is what to do then; with `fresh`
        it is overwritten. Raises `ConfigError`, also while another process has it open or the disk says no.
        """
        try:
            file = _locked(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            head = None if fresh else _head_of(file, path)
            if head is not None and head.of != of:
                raise _other(path, head.of, of, cure)
            journal = cls(path, file, run if head is None else head.run)
            journal._begin(head, of)
        except BaseException:
            file.close()
            raise
        return journal

    def add(self, number: int, row: Mapping[str, object], *, is_final: bool = True) -> None:
        """Write down what has become of a thing. Raises `ConfigError` when the disk does not take it."""
        self._append(Entry(number=number, is_final=is_final, row=dict(row)))

    def note(self, note: Mapping[str, object]) -> None:
        """Write down something about the work as a whole. Raises like `add`."""
        self._append(Entry(note=dict(note)))

    def is_done(self, number: int) -> bool:
        """Whether nothing is left to do about a thing."""
        return number < len(self._final) and self._final[number] == 1

    def row(self, number: int) -> dict[str, object] | None:
        """What has become of a thing, if anything."""
        if number >= len(self._places) or self._places[number] == _NOWHERE:
            return None
        self._file.seek(self._places[number])
        return _read_entry(self._file.readline()).row

    def rows(self) -> Iterator[tuple[int, dict[str, object]]]:
        """What has become of all things so far, by their numbers."""
        for number in range(len(self._places)):
            if (row := self.row(number)) is not None:
                yield number, row

    async def sync(self) -> None:
        """Return when all that was added is on the disk."""
        if self._is_dirty:
            self._is_dirty = False
            await asyncio.to_thread(os.fsync, self._file.fileno())

    def close(self) -> None:
        """Let the journal go, on the disk and for others."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def _begin(self, head: Head | None, of: Mapping[str, str]) -> None:
        self._file.seek(0)
        if head is None:
            self._file.truncate()
            self._write(_write(Head(run=self.run, of=dict(of))) + b"\n")
            return
        self._end = len(self._file.readline())
        while (line := self._file.readline()).endswith(b"\n"):
            self._take(line)
            self._end += len(line)
        self._file.truncate(self._end)  # what a crash has cut off

    def _take(self, line: bytes) -> None:
        try:
            self._keep(_read_entry(line), self._end)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return  # a line that a disk has spoilt: what it told is done once more

    def _keep(self, entry: Entry, place: int) -> None:
        if entry.note is not None:
            self.notes.append(entry.note)
        if entry.number is None:
            return
        missing = entry.number + 1 - len(self._places)
        if missing > 0:
            self._places.extend([_NOWHERE] * missing)
            self._final.extend(bytes(missing))
        self._places[entry.number] = place
        self._final[entry.number] = entry.is_final

    def _append(self, entry: Entry) -> None:
        place = self._end
        self._write(_write(entry) + b"\n")
        self._keep(entry, place)

    def _write(self, line: bytes) -> None:
        self._file.seek(self._end)
        try:
            written = self._file.write(line)
            while written < len(line):
                written += self._file.write(line[written:])
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._end += len(line)
        self._is_dirty = True


def _locked(path: Path) -> BinaryIO:
    """The file, for this process alone: unbuffered, so that what is written outlives the process."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(descriptor, "r+b", buffering=0)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise _busy(path) from error
    return file


def _head_of(file: BinaryIO, path: Path) -> Head | None:
    """The first line; `None` where there is none, or half of one."""
    line = file.readline()
    if not line.endswith(b"\n"):
        if not _BEGINNING.startswith(line[: len(_BEGINNING)]):
            raise _no_journal(path)
        return None
    try:
        return _read_head(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _no_journal(path) from error


def _other(path: Path, was: Mapping[str, str], now: Mapping[str, str], cure: Sentence) -> ConfigError:
    changed = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    told = ", ".join(f"{name}: {was.get(name, '-')[:40]} → {now.get(name, '-')[:40]}" for name in changed)
    return ConfigError(
        Sentence(
            f"{path.name} is the journal of other work ({told}). {cure.en}",
            ko=f"{path.name}은(는) 다른 작업의 기록입니다({told}). {cure.ko}",
        ),
        details={"changed": changed},
    )


def _busy(path: Path) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{path.name} is being written by another process. Wait until it has ended, or end it.",
            ko=f"다른 프로세스가 {path.name}에 쓰고 있습니다. 끝날 때까지 기다리거나 그 프로세스를 종료하세요.",
        )
    )


def _no_journal(path: Path) -> ConfigError:
    return ConfigError(
        Sentence(
            f"{path.name} is no journal of holdfast, and is left as it is. Choose another name for the output.",
            ko=f"{path.name}은(는) holdfast의 작업 기록이 아니어서 그대로 둡니다. 출력 파일 이름을 바꾸세요.",
        )
    )


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(
        Sentence(
            f"The journal {path.name} cannot be written: {error.strerror}. Check the folder and the disk.",
            ko=f"작업 기록 {path.name}에 쓸 수 없습니다: {error.strerror}. 폴더와 디스크를 확인하세요.",
        )
    )
