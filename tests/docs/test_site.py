"""The pages as a whole: the reference is what the code says, translations are of the text that is there, nothing calls out."""

import re
import tomllib
from pathlib import Path

import pytest

import dev_docs
import dev_reference

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
KOREAN = DOCS / "ko"
TRANSLATED = sorted(page for page in KOREAN.rglob("*.md") if page.parent.name != "reference")


@pytest.mark.requirement("docs:reference")
def test_the_reference_is_what_the_code_says_now() -> None:
    behind = [str(path.relative_to(ROOT)) for path in dev_reference.stale()]
    assert behind == [], "python3 dev.py docs writes them anew"


def test_a_page_of_the_reference_that_was_edited_by_hand_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_reference, "FOLDERS", {"en": tmp_path / "en", "ko": tmp_path / "ko"})
    monkeypatch.setattr(dev_reference, "PAGES", {"metrics": dev_reference.PAGES["metrics"]})
    assert dev_reference.main([]) == 0
    assert dev_reference.stale() == []
    (page,) = dev_reference.written()
    page.write_text(page.read_text("utf-8") + "By hand.\n", "utf-8")
    assert dev_reference.stale() == [page]


@pytest.mark.requirement("docs:korean")
def test_every_korean_page_is_of_the_english_text_that_is_there() -> None:
    assert [str(page.relative_to(ROOT)) for page in dev_docs.outdated()] == []


def test_a_korean_page_whose_english_text_has_changed_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_docs, "ROOT", tmp_path)
    monkeypatch.setattr(dev_docs, "PAGES", tmp_path / "docs")
    (tmp_path / "docs" / "ko").mkdir(parents=True)
    english, korean = tmp_path / "docs" / "a.md", tmp_path / "docs" / "ko" / "a.md"
    english.write_text("# A\n", "utf-8")
    korean.write_text("# 가\n", "utf-8")
    assert dev_docs.outdated() == [korean]
    dev_docs.stamp(korean)
    assert dev_docs.outdated() == []
    assert korean.read_text("utf-8").endswith("\n# 가\n")
    english.write_text("# A, in other words\n", "utf-8")
    assert dev_docs.outdated() == [korean]


@pytest.mark.parametrize("page", TRANSLATED, ids=lambda page: str(page.relative_to(KOREAN)))
def test_a_korean_page_has_the_commands_and_keys_of_its_english_one(page: Path) -> None:
    def shown(path: Path) -> list[str]:
        text = dev_docs.plain(path)
        return re.findall(r"^\$ ((?:holdfast|docker|helm) [\w-]+)", text, re.MULTILINE)

    assert shown(page) == shown(DOCS / page.relative_to(KOREAN))


@pytest.mark.parametrize(("file", "folder"), [("mkdocs.yml", DOCS), ("mkdocs.ko.yml", KOREAN)])
def test_every_page_has_its_place_in_the_navigation(file: str, folder: Path) -> None:
    listed = re.findall(r"- (?:[^:\n]+: )?([\w./-]+\.md)$", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    there = [path.relative_to(folder).as_posix() for path in folder.rglob("*.md")]
    assert sorted(listed) == sorted(page for page in there if folder == KOREAN or not page.startswith("ko/"))


def test_programs_find_every_page_in_one_list() -> None:
    links = re.findall(r"\]\((\S+)\)", dev_docs.index())
    assert sorted(links) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
    assert "# Budgets: how money is held" in "\n".join(dev_docs.whole())


@pytest.mark.requirement("docs:no-outside-host")
def test_a_built_page_that_loads_from_another_host_is_found(tmp_path: Path) -> None:
    page = tmp_path / "index.html"
    page.write_text('<a href="https://example.com/">a link</a><script src="a.js"></script>', "utf-8")
    assert dev_docs.strangers(tmp_path) == []
    page.write_text('<link rel="stylesheet" href="https://fonts.example.com/css">', "utf-8")
    assert dev_docs.strangers(tmp_path) == ["index.html: https://fonts.example.com/css"]
    page.write_text("<p>ok</p>", "utf-8")
    (tmp_path / "a.css").write_text("@import url(//cdn.example.com/a.css);", "utf-8")
    assert dev_docs.strangers(tmp_path) == ["a.css: //cdn.example.com/a.css"]


def test_a_link_to_the_markdown_of_another_language_leads_to_its_page(tmp_path: Path) -> None:
    (tmp_path / "ko").mkdir()
    (tmp_path / "budgets.html").write_text("", "utf-8")
    built = tmp_path / "ko" / "index.html"
    link = dev_docs.HREF.search('<a href="../budgets.md#stopping">')
    lost = dev_docs.HREF.search('<a href="../gone.md">')
    assert link is not None
    assert lost is not None
    assert dev_docs.to_page(built, link) == 'href="../budgets.html#stopping"'
    assert dev_docs.to_page(built, lost) == 'href="../gone.md"'


def test_the_pages_are_built_by_what_is_locked() -> None:
    locked = (ROOT / "requirements" / "docs.txt").read_text("utf-8")
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["docs"]
    assert all(f"\n{re.split('[<>=]', group)[0]}==" in locked for group in groups)
