"""Places of keys, checked against the standard library's parser."""

import tomllib
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.wire.toml import Key, Place, places, shown

EVERYTHING = '''# a comment = with [brackets]
a = 1 # b = 2
"b.c" = "k = 2"
d . e = [ 1, # c = 3
  "[x]", [2], {q = 1},
 ]
m = """
[fake]
z = 1 \\""" """
lit = \'\'\'
y = "\'\'\'
inl = { p = 1, q.r = { s = "}" }, "t u" = [1, {v = 2}], last = 1.5 }
n = 1.5
when = 2026-01-01T00:00:00Z
neg = -inf
[tab]
\tx = 1
[ tab . "sub.k" ]   # end
v = true
[[arr]]
k = 1
[[arr]]
k = 2'''

EXPECTED: dict[Key, tuple[int, int, int]] = {
    ("a",): (2, 1, 1),
    ("b.c",): (3, 1, 5),
    ("d",): (4, 1, 1),
    ("d", "e"): (4, 1, 5),
    ("m",): (7, 1, 1),
    ("lit",): (10, 1, 3),
    ("inl",): (12, 1, 3),
    ("inl", "p"): (12, 9, 1),
    ("inl", "q"): (12, 16, 1),
    ("inl", "q", "r"): (12, 16, 3),
    ("inl", "q", "r", "s"): (12, 24, 1),
    ("inl", "t u"): (12, 35, 5),
    ("inl", "last"): (12, 57, 4),
    ("n",): (13, 1, 1),
    ("when",): (14, 1, 4),
    ("neg",): (15, 1, 3),
    ("tab",): (16, 2, 3),
    ("tab", "x"): (17, 2, 1),
    ("tab", "sub.k"): (18, 3, 13),
    ("tab", "sub.k", "v"): (19, 1, 1),
    ("arr",): (20, 3, 3),
    ("arr", "k"): (21, 1, 1),
}


def test_every_form_of_key_is_found_where_it_stands() -> None:
    tomllib.loads(EVERYTHING)

    found = {key: (place.line, place.column, place.length) for key, place in places(EVERYTHING).items()}
    assert found == EXPECTED


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "   \n\t"])
def test_a_text_without_keys_has_no_places(text: str) -> None:
    assert places(text) == {}


def test_the_first_place_of_a_table_counts() -> None:
    assert places("[a.b]\n[a]\nc = 1\n")["a",] == Place(line=1, column=2, length=1)


def test_a_large_text_takes_no_longer_than_its_size() -> None:
    text = "".join(f"key{n} = {n}\n" for n in range(20_000))

    assert places(text)["key19999",].line == 20_000


BARE = st.text("abcXYZ019_-", min_size=1, max_size=5)
QUOTED = st.text(st.characters(codec="utf-8", exclude_characters="\x7f", min_codepoint=32), max_size=6).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
VALUES = st.sampled_from(
    [
        "1",
        "-1.5",
        "true",
        '"x = 1"',
        "'[y]'",
        '"""\n[z]\nw = 2\n"""',
        "[1, [2],\n  3]",
        "{}",
        "{ i = 1 }",
        "1979-05-27",
    ]
)
GAP = st.sampled_from(["", " ", "\t", "  # c = 1 [d]"])


@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(BARE | QUOTED, min_size=1, max_size=3), VALUES, GAP), max_size=8
    )
)
def test_every_key_that_the_parser_finds_has_its_place(lines: list[tuple[bool, list[str], str, str]]) -> None:
    text = "\n".join(
        f"[{'.'.join(key)}]{gap}" if is_table else f"{' . '.join(key)} = {value}{gap}"
        for is_table, key, value, gap in lines
    )
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return

    assert set(places(text)) == set(keys_of(document))
    assert all(1 <= place.line <= text.count("\n") + 1 for place in places(text).values())


def keys_of(table: dict[str, Any], above: Key = ()) -> Iterator[Key]:
    for name, value in table.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from keys_of(cast("dict[str, Any]", value), (*above, name))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('key = "sk-ant-secret" # and another', 'key = "…"'),
        ("key = 5   # a secret", "key = 5"),
        ("key = '''begins here", 'key = "…"'),
        ('key = "a\\"b" # "', 'key = "…"'),
        ('key = ["a", "b"]', 'key = ["…", "…"]'),
        ("\tkey = 1", " key = 1"),
    ],
)
def test_a_line_is_shown_without_texts_and_comments(line: str, expected: str) -> None:
    place = places(line + ("'''" if line.count("'") == 3 else ""))["key",]
    excerpt, column = shown(line, place)

    assert (excerpt, excerpt[column - 1 : column + 2]) == (expected, "key")


def test_a_key_behind_a_secret_is_still_pointed_at() -> None:
    text = 'table = { url = "secret", "quoted key" = "hidden" }'

    assert shown(text, places(text)["table", "quoted key"]) == (
        'table = { url = "…", "quoted key" = "…" }',
        22,
    )
