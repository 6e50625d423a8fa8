"""The code that is to be reviewed, line by line: a diff, a file, or what a person has written in a folder."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.policy.sanitation import whole
from holdfast.teams.diffs import Patch, read_diff
from holdfast.teams.ignoring import Rule, is_generated, is_ignored, is_nobodys, rules_of

LARGEST = 256 * 1024
"""Bytes of a file that a person may have written."""
LONGEST_LINE = 5_000
MOST_FILES = 5_000
_HEAD = 8_192


@dataclass(frozen=True, slots=True)
class Diff:
    """A unified diff to review, as `git diff` writes it."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file as reviewers see it: what stands in each line, by its number."""

    path: str
    lines: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file that nobody reviews, and why."""

    path: str
    why: Sentence


Gathered = tuple[list[Source], list[Skipped]]
Rules = tuple[tuple[str, tuple[Rule, ...]], ...]
"""What each folder says is ignored, by its place in the repository, the outermost first."""

_BINARY = Sentence("it is no text", ko="텍스트 파일이 아닙니다")
_LARGE = Sentence(f"it is larger than {LARGEST // 1024} KB", ko=f"{LARGEST // 1024}KB보다 큽니다")
_PACKED = Sentence(
    "its lines are too long to be written by hand", ko="사람이 쓴 코드로 보기에는 줄이 너무 깁니다"
)
_MANY = Sentence(f"there are more than {MOST_FILES} files", ko=f"파일이 {MOST_FILES}개를 넘습니다")
_GENERATED = Sentence("it is generated", ko="자동으로 만들어진 파일입니다")


def gathered(source: str | Path | Diff) -> Gathered:
    """The files to review, in the order of their paths; raises `ConfigError` for what is not there."""
    if isinstance(source, Diff):
        return _of_diff(whole(source.text))
    path = Path(source)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise _missing(str(path))
    found = _read(path, whole(path.name if path.is_absolute() else path.as_posix()))
    return ([found], []) if isinstance(found, Source) else ([], [found])


def _of_diff(text: str) -> Gathered:
    patches = read_diff(text)
    if not patches and text.strip():
        raise _no_diff()
    sources, skipped = list[Source](), list[Skipped]()
    for patch in sorted(patches, key=lambda patch: patch.path):
        if is_generated(patch.path):
            skipped.append(Skipped(path=patch.path, why=_GENERATED))
        else:
            sources.append(Source(path=patch.path, lines=_shown(patch)))
    return sources, skipped


def _shown(patch: Patch) -> Mapping[int, str]:
    """The lines of a patch; what has gone stands above the line that came in its place."""
    last = max(patch.lines)
    shown: dict[int, str] = {}
    for number, line in sorted(patch.lines.items()):
        gone = "".join(f"{' ' * 7}-{text}\n" for text in patch.removed.get(number, ()))
        shown[number] = f"{gone}{number:>6} {line}"
    tail = [text for number, texts in patch.removed.items() if number > last for text in texts]
    shown[last] += "".join(f"\n{' ' * 7}-{text}" for text in tail)
    return shown


def _of_folder(root: Path) -> Gathered:
    sources, skipped = list[Source](), list[Skipped]()
    for path in _walk(root, *_surroundings(root)):
        # As it was typed, so that a terminal can open it; but nothing of where on this machine it is.
        name = whole((path.relative_to(root) if root.is_absolute() else path).as_posix())
        if len(sources) >= MOST_FILES:
            skipped.append(Skipped(path=name, why=_MANY))
            break
        found = _read(path, name)
        if isinstance(found, Source):
            sources.append(found)
        else:
            skipped.append(found)
    return [source for source in sources if source.lines], skipped


def _surroundings(root: Path) -> tuple[str, Rules]:
    """Where a folder is in its repository, and what the folders above it there say is ignored."""
    place = root.resolve()
    top = next((folder for folder in (place, *place.parents) if (folder / ".git").exists()), place)
    inside = place.relative_to(top)
    above = [top / parent for parent in reversed(inside.parents)] if place != top else []
    rules = tuple((_name(folder.relative_to(top)), _rules(folder / ".gitignore")) for folder in above)
    return _name(inside), rules


def _name(inside: Path) -> str:
    return "" if inside == Path() else inside.as_posix()


def _walk(folder: Path, name: str, above: Rules) -> Iterator[Path]:
    """The files that git would keep, by name; links are not followed."""
    rules = (*above, (name, _rules(folder / ".gitignore")))
    entries = _entries(folder)
    if entries is None:
        yield folder  # which cannot be read either, and is then told with the reason
        return
    for path in entries:
        is_folder = path.is_dir()
        inside = f"{name}/{path.name}" if name else path.name
        if path.is_symlink() or is_nobodys(path.name, is_folder=is_folder):
            continue
        if is_ignored(inside, rules, is_folder=is_folder):
            continue
        if is_folder:
            yield from _walk(path, inside, rules)
        elif path.is_file():
            yield path


def _entries(folder: Path) -> list[Path] | None:
    try:
        return sorted(folder.iterdir(), key=lambda path: path.name)
    except OSError:
        return None


def _rules(path: Path) -> tuple[Rule, ...]:
    try:
        return rules_of(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ()


def _read(path: Path, name: str) -> Source | Skipped:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        why = error.strerror or type(error).__name__
        return Skipped(path=name, why=Sentence(f"it cannot be read ({why})", ko=f"읽을 수 없습니다({why})"))
    if len(data) > LARGEST:
        return Skipped(path=name, why=_LARGE)
    return _lines(data, name)


def _lines(data: bytes, name: str) -> Source | Skipped:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return Skipped(path=name, why=_BINARY)
    if "\0" in text[:_HEAD]:
        return Skipped(path=name, why=_BINARY)
    # Lines end where editors end them: `splitlines` knows further ends, and the numbers would not be theirs.
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    if max(map(len, lines), default=0) > LONGEST_LINE:
        return Skipped(path=name, why=_PACKED)
    return Source(
        path=name, lines={number: f"{number:>6}  {line}" for number, line in enumerate(lines, start=1)}
    )


def _missing(path: str) -> ConfigError:
    return ConfigError(
        Sentence(
            f"There is no file or folder {path[:200]} to review.",
            ko=f"리뷰할 파일이나 폴더 {path[:200]}이(가) 없습니다.",
        )
    )


def _no_diff() -> ConfigError:
    return ConfigError(
        Sentence(
            "What was given changes no text file, or is no unified diff. Write one with `git diff`.",
            ko="변경된 텍스트 파일이 없거나 unified diff 형식이 아닙니다. `git diff`로 만드세요.",
        )
    )
