"""Stops and resumes: told to this machine first, then to everybody through the store."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from holdfast.errors import ConfigError, StoreUnavailable
from holdfast.language import Sentence
from holdfast.operations.desk import Desk, Report, instant, readable, unreported
from holdfast.orders import STOP
from holdfast.policy.stops import LONGEST_REASON, Stop, decoded, encoded
from holdfast.ports import Entry, SpendQuery
from holdfast.settings import Settings
from holdfast.stores.stop_file import read_stops, stop_file, write_stops

Stops = tuple[Stop, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who has heard of a stop.

    Attributes:
        here: whether this machine's file took it, so that its workers hear of it though the store be away.
        everywhere: whether the store took it, so that every worker hears of it.
        problem: why one of the two did not.
    """

    stop: Stop
    here: bool
    everywhere: bool
    problem: StoreUnavailable | None = None


def stops_of(entries: Iterable[Entry], text: bytes, now: datetime, report: Report = unreported) -> Stops:
    """The stops that hold now, of the register and of the file of this machine, which has the last word.

    What cannot be read is reported and left out.
    """
    found = [_read(entry, report) for entry in entries]
    by_name = {stop.name: stop for stop in (*found, *_in_text(text, report)) if stop is not None}
    return tuple(stop for stop in by_name.values() if not stop.is_over(now))


async def stops(desk: Desk) -> Stops:
    """Every stop that holds now, oldest first; those of this machine alone while the store does not answer."""
    path = stop_file(desk.settings.store_url)
    text = await asyncio.to_thread(_text, path)
    try:
        entries = await desk.store.entries(STOP)
    except StoreUnavailable as error:
        desk.report(error.sentence)
        entries = ()
    return tuple(sorted(stops_of(entries, text, desk.now, desk.report), key=lambda stop: stop.at))


def stops_here(settings: Settings, now: datetime, report: Report = unreported) -> Stops:
    """The stops that the file of this machine knows of."""
    return stops_of((), _text(stop_file(settings.store_url)), now, report)


async def put_stop(desk: Desk, word: Stop) -> Told:
    """Stop calls: those of this machine even while the store is away, and all others as soon as it has heard.

    Raises `StoreUnavailable` only when nobody could be told.
    """
    here = await stop_here(desk.settings, word, desk.now)
    try:
        await _drop_over(desk)
        await desk.store.put(STOP, word.name, encoded(word), actor=desk.actor, note=word.reason)
    except StoreUnavailable as error:
        if not here.here:
            raise
        return replace(here, problem=error)
    return replace(here, everywhere=True)


async def has_called(desk: Desk, word: Stop) -> bool:
    """Whether any call is on record that a stop names: one that nobody has made is often a slip of the keyboard.

    A store that does not answer has no doubts.
    """
    if word.scope == "everything":
        return True
    try:
        if word.scope == "run":
            return await desk.store.run(word.value) is not None
        return bool(await desk.store.spend(SpendQuery(where={word.scope: word.value})))
    except StoreUnavailable:
        return True


async def stop_here(settings: Settings, word: Stop, now: datetime) -> Told:
    """Stop the calls of this machine alone, by its file; never raises `StoreUnavailable`."""
    if len(word.reason) > LONGEST_REASON:
        raise _too_long(word.reason)
    path = stop_file(settings.store_url)
    if path is None:
        return Told(stop=word, here=False, everywhere=False)
    try:
        await asyncio.to_thread(_edit, path, lambda known: (*_others(known, word.name, now), word))
    except StoreUnavailable as error:
        return Told(stop=word, here=False, everywhere=False, problem=error)
    return Told(stop=word, here=True, everywhere=False)


async def drop_stop(desk: Desk, name: str, *, note: str = "") -> Stop | None:
    """End a stop by its name, here and everywhere; the stop that held, or `None`.

    Raises `StoreUnavailable` where it may go on to hold.
    """
    held = next((one for one in await stops(desk) if one.name == name), None)
    path, now = stop_file(desk.settings.store_url), desk.now
    if path is not None and path.exists():
        await asyncio.to_thread(_edit, path, lambda known: _others(known, name, now))
    await desk.store.drop(STOP, name, actor=desk.actor, note=note)
    return held


def stop_facts(word: Stop) -> dict[str, object]:
    """A stop as plain data for JSON."""
    return {
        "name": word.name,
        "scope": word.scope,
        "value": word.value,
        "reason": word.reason,
        "by": word.by,
        "at": instant(word.at),
        "until": instant(word.until),
    }


async def _drop_over(desk: Desk) -> None:
    for entry in await desk.store.entries(STOP):
        word = readable(desk, entry, decoded)
        if word is not None and word.is_over(desk.now):
            await desk.store.drop(STOP, entry.name, actor=desk.actor, note="over")


def _others(known: Stops, name: str, now: datetime) -> Stops:
    return tuple(one for one in known if one.name != name and not one.is_over(now))


def _edit(path: Path, change: Callable[[Stops], Stops]) -> None:
    """Change the file while nobody else does; one that cannot be read is written anew."""
    with _alone(path):
        text = _text(path)
        known = _in_text(text, unreported)
        changed = change(known)
        if changed != known or (text and not known):
            write_stops(path, changed)


@contextmanager
def _alone(path: Path) -> Generator[None]:
    """Hold the folder against other commands; the lock ends with its holder, whatever becomes of it."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _text(path: Path | None) -> bytes:
    try:
        return b"" if path is None else path.read_bytes()
    except OSError:
        return b""


def _in_text(text: bytes, report: Report) -> Stops:
    try:
        return read_stops(text)
    except ConfigError as error:
        report(error.sentence)
        return ()


def _read(entry: Entry, report: Report) -> Stop | None:
    try:
        return decoded(entry.body)
    except ConfigError as error:
        report(error.sentence)
        return None


def _unwritable(path: Path, error: OSError) -> StoreUnavailable:
    return StoreUnavailable(
        Sentence(
            f"The stop file {path.name} cannot be written: {error.strerror}. Check the folder and its permissions.",
            ko=f"정지 파일 {path.name}을(를) 쓸 수 없습니다: {error.strerror}. 폴더와 권한을 확인하세요.",
        )
    )


def _too_long(reason: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"reason: {len(reason)} characters are too many; say it in {LONGEST_REASON}",
            ko=f"reason: {len(reason)}자는 너무 깁니다. {LONGEST_REASON}자 안으로 적으세요",
        )
    )
