"""What is reviewed: lines with the numbers of an editor, of files that somebody has written."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import ConfigError
from holdfast.teams import Diff
from holdfast.teams.chunks import OVERLAP, chunked, size_of, tokens_in
from holdfast.teams.diffs import read_diff
from holdfast.teams.ignoring import is_ignored, rules_of
from holdfast.teams.sources import LARGEST, LONGEST_LINE, Source, gathered

DIFF = """\
diff --git a/app.py b/app.py
index 1..2 100644
--- a/app.py\t2026-01-01
+++ b/app.py\t2026-01-02
@@ -1,3 +1,4 @@ def f():
 one
-two
+2
+two and a half
 three
@@ -10 +11 @@
--- ten
+++ ten
\\ No newline at end of file
diff --git a/gone.py b/gone.py
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-all of it
diff --git a/pic.png b/pic.png
Binary files a/pic.png and b/pic.png differ
diff --git a/uv.lock b/uv.lock
--- a/uv.lock
+++ b/uv.lock
@@ -0,0 +1 @@
+x
diff --git "a/\\355\\225\\234.py" "b/\\355\\225\\234.py"
--- /dev/null
+++ "b/\\355\\225\\234.py"
@@ -0,0 +1,2 @@
+a

"""


def shown(source: Source) -> list[str]:
    return "\n".join(source.lines.values()).split("\n")


def test_a_diff_shows_lines_by_their_new_numbers_and_what_has_gone() -> None:
    sources, skipped = gathered(Diff(DIFF))
    app, korean = sources

    assert [source.path for source in sources] == ["app.py", "한.py"]
    assert shown(app) == [
        "     1  one",
        "       -two",
        "     2 +2",
        "     3 +two and a half",
        "     4  three",
        "       --- ten",
        "    11 +++ ten",
    ]
    assert [*korean.lines] == [1, 2]
    assert [one.path for one in skipped] == ["uv.lock"]


def test_lines_that_are_gone_at_the_end_are_shown_below_the_last() -> None:
    ((source,), _) = gathered(Diff("--- a/x\n+++ b/x\n@@ -1,2 +1 @@\n a\n-b\n"))
    assert shown(source) == ["     1  a", "       -b"]


def test_a_last_line_without_an_end_is_no_line_more() -> None:
    text = "--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n-a\n\\ No newline at end of file\n+a\n+b\n"
    ((source,), _) = gathered(Diff(text))
    assert shown(source) == ["       -a", "     1 +a", "     2 +b"]


def test_a_diff_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    ((source,), _) = gathered(Diff("--- a/x\n+++ b/x\n@@ -1,9 +1,9 @@\n a"))
    assert [*source.lines] == [1]
    assert read_diff("@@ -1 +1 @@\n-a\n+b\n") == []


def test_a_file_that_a_diff_deletes_hides_nothing_of_the_next() -> None:
    gone, kept = "--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n", "--- a/y\n+++ b/y\n@@ -1 +1 @@\n-a\n+b\n"
    assert [patch.path for patch in read_diff(gone + kept)] == ["y"]


def test_a_text_that_is_no_diff_is_refused_and_an_empty_one_has_nothing_to_say() -> None:
    with pytest.raises(ConfigError, match="unified diff"):
        gathered(Diff("hello"))
    assert gathered(Diff("")) == ([], [])


@given(st.text(alphabet='+-@ \\ab0,1/\n\t"', max_size=200))
def test_no_text_breaks_the_reader_of_diffs(text: str) -> None:
    for patch in read_diff(text):
        assert all(number >= 0 for number in patch.lines)


def test_lines_have_the_numbers_of_an_editor(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes("\ufeffa\r\n\x0cb\n\n  c  # \u2028\n".encode())
    ((source,), _) = gathered(file)

    assert shown(source) == ["     1  a", "     2  \x0cb", "     3  ", "     4    c  # \u2028"]


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file or folder"):
        gathered(tmp_path / "nothing")


def write(root: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def test_a_folder_gives_what_people_have_written_in_order(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "b.py": "b",
        "a/z.py": "z",
        "a/.gitignore": "secret.*\n",
        "a/secret.py": "s",
        "empty.py": "",
        ".gitignore": "*.log\n/local\n",
        "x.log": "x",
        "local/y.py": "y",
        "a/local/y.py": "y",
        ".hidden/h.py": "h",
        ".env": "KEY=secret",
        "node_modules/m.js": "m",
        "app.min.js": "m",
        "pic.bin": b"\0\1",
        "latin.py": b"\xe9",
        "big.py": "x\n" * LARGEST,
        "packed.js": "x" * (LONGEST_LINE + 1),
    }
    write(tmp_path, **files)
    (tmp_path / "link.py").symlink_to(tmp_path / "b.py")
    sources, skipped = gathered(tmp_path)

    assert [source.path for source in sources] == ["a/local/y.py", "a/z.py", "b.py"]
    assert [one.path for one in skipped] == ["big.py", "latin.py", "packed.js", "pic.bin"]


def test_what_the_repository_around_a_folder_ignores_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(
        tmp_path,
        **{
            ".git/config": "",
            ".gitignore": "*.log\n/src/made/\n",
            "src/.gitignore": "b.py\n",
            "src/made/m.py": "m",
            "src/deep/a.py": "a",
            "src/deep/b.py": "b",
            "src/deep/c.log": "c",
        },
    )
    monkeypatch.chdir(tmp_path)

    for folder, names in {
        "src": ["src/deep/a.py"],
        "src/deep": ["src/deep/a.py"],
        ".": ["src/deep/a.py"],
        str(tmp_path / "src"): ["deep/a.py"],
    }.items():
        assert [source.path for source in gathered(folder)[0]] == names


def test_a_file_is_skipped_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path, **{"pic.bin": b"\0\1"})
    sources, (skipped,) = gathered(tmp_path / "pic.bin")
    assert (sources, skipped.why.en, skipped.why.ko) == ([], "it is no text", "텍스트 파일이 아닙니다")


def test_a_file_that_cannot_be_read_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, **{"a.py": "a"})

    def refuse(path: Path, mode: str = "r", **options: object) -> None:
        raise OSError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    _, (skipped,) = gathered(tmp_path)
    assert "Permission denied" in skipped.why.en


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, **{"a/b.py": "b", "c.py": "c"})
    iterdir = Path.iterdir

    def refuse(path: Path) -> Iterator[Path]:
        if path.name == "a":
            raise OSError(13, "Permission denied")
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)
    sources, (skipped,) = gathered(tmp_path)
    assert ([source.path for source in sources], skipped.path) == (["c.py"], "a")
    assert "cannot be read" in skipped.why.en


def test_a_text_that_is_no_unicode_can_be_sent() -> None:
    ((patch,), _) = gathered(Diff("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+\udcff\n"))
    assert shown(patch)[-1].encode()


def test_a_folder_without_end_is_cut_and_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.teams.sources.MOST_FILES", 2)
    write(tmp_path, **{f"{name}.py": "x" for name in "abcd"})
    sources, skipped = gathered(tmp_path)

    assert ([source.path for source in sources], [one.path for one in skipped]) == (
        ["a.py", "b.py"],
        ["c.py"],
    )


@pytest.mark.parametrize(
    ("pattern", "path", "ignored"),
    [
        ("*.log", "a/b.log", True),
        ("*.log", "b.logs", False),
        ("/a.py", "a.py", True),
        ("/a.py", "b/a.py", False),
        ("b/a.py", "b/a.py", True),
        ("b/a.py", "c/b/a.py", False),
        ("**/a.py", "c/b/a.py", True),
        ("b/**", "b/c/d.py", True),
        ("b/**/d.py", "b/d.py", True),
        ("b/**/d.py", "b/c/c/d.py", True),
        ("a?.py", "ab.py", True),
        ("a[0-9].py", "a1.py", True),
        ("a[^0-9].py", "a1.py", False),
        ("a[!0-9].py", "ab.py", True),
        ("# a", "a", False),
        ("\\#a", "#a", True),
        ("a  ", "a", True),
        ("", "a", False),
        ("/", "a", False),
        ("**/**/**/**/**/a", "a", False),
        ("[", "a", False),
        ("x" * 501, "x" * 501, False),
        ("folder/", "folder", False),
    ],
)
def test_patterns_are_read_as_git_reads_them(pattern: str, path: str, *, ignored: bool) -> None:
    assert is_ignored(path, [("", rules_of(pattern))], is_folder=False) is ignored


def test_the_last_rule_decides_and_inner_files_come_last() -> None:
    outer, inner = rules_of("*.py\n!keep.py\nfolder/\n"), rules_of("keep.py\r\n")

    assert not is_ignored("a/keep.py", [("", outer)], is_folder=False)
    assert is_ignored("a/keep.py", [("", outer), ("a", inner)], is_folder=False)
    assert is_ignored("folder", [("", outer)], is_folder=True)


def numbered(name: str, lines: list[str]) -> Source:
    return Source(path=name, lines=dict(enumerate(lines, start=1)))


sources = st.lists(
    st.builds(
        numbered,
        st.sampled_from(["a.py", "b.py", "c.py"]),
        st.lists(st.text(max_size=40), min_size=1, max_size=30),
    ),
    max_size=6,
)


@given(sources, st.integers(1, 60))
def test_every_line_is_in_a_chunk_and_no_chunk_is_too_long(found: list[Source], tokens: int) -> None:
    chunks = chunked(found, tokens=tokens)
    pieces = [piece for chunk in chunks for piece in chunk.sources]
    wanted = [(source.path, number, line) for source in found for number, line in source.lines.items()]

    shown = {(piece.path, number, line) for piece in pieces for number, line in piece.lines.items()}
    assert shown == set(wanted)
    for chunk in chunks:
        is_one_line = len(chunk.sources) == 1 and len(chunk.sources[0].lines) == 1
        assert is_one_line or sum(map(size_of, chunk.sources)) <= tokens


def test_small_files_share_a_chunk_and_a_long_one_is_cut_with_an_overlap() -> None:
    small = [Source(path=f"{n}.py", lines={1: "x"}) for n in range(3)]
    assert [chunk.paths for chunk in chunked(small, tokens=100)] == [("0.py", "1.py", "2.py")]

    long = Source(path="l.py", lines={n: "x" * 27 for n in range(1, 31)})
    first, second, *_ = chunked([long], tokens=100)
    assert max(first.sources[0].lines) - min(second.sources[0].lines) == OVERLAP - 1


def test_korean_counts_by_its_syllables() -> None:
    assert tokens_in("한글") == 2
    assert tokens_in("") == 0


def test_the_paths_of_a_folder_have_slashes(tmp_path: Path) -> None:
    write(tmp_path, **{f"a{os.sep}b.py": "x"})
    assert [source.path for source in gathered(tmp_path)[0]] == ["a/b.py"]
