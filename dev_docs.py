"""Builds the pages into `site/`: two languages, a Markdown twin of each page, and what programs read of them."""

from __future__ import annotations

import hashlib
import re
import shutil
from functools import partial
from typing import TYPE_CHECKING

from dev_steps import ROOT, Failed, must, say, succeeds, surroundings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PAGES = ROOT / "docs"
SITE = ROOT / "site"
KOREAN = "ko"
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
FRONT = re.compile(r"\A---\n.*?\n---\n+", re.DOTALL)
TRANSLATES = re.compile(r"^translates: (\w+)$", re.MULTILINE)
LOADS = (
    re.compile(
        r"""<(?:script|img|iframe|source|link(?! rel="?(?:canonical|alternate)))\b"""
        r"""[^>]*?(?:src|href)=["']?((?:https?:)?//[^"' >]+)"""
    ),
    re.compile(r"""(?:@import|url\()[\s("']*((?:https?:)?//[^"')\s;]+)"""),
)
"""What a browser fetches by itself; links that a person may follow are no part of it."""
HREF = re.compile(r'href="([^":#]+)\.md(#[^"]*)?"')
ABOUT = """\
# holdfast

> The production runtime for Claude agents in Python: a library, a gateway and a simulator behind one guarded pipeline.

Every page is Markdown beside its HTML. `llms-full.txt` has all of them in one file.
"""


def docs(tool: Callable[[str], Path], arguments: Sequence[str]) -> int:
    """Write the reference anew and build the site.

    With `--check` it only says what is stale, with `--translated PAGE...` it notes that those Korean pages are of the
    English text that is there now.
    """
    if arguments[:1] == ["--translated"]:
        for name in arguments[1:]:
            stamp((ROOT / name).resolve())
        return 0
    if unknown := [argument for argument in arguments if argument != "--check"]:
        raise Failed(f"this command does not take {' '.join(unknown)}; see python3 dev.py help", 2)
    settings = surroundings(PYTHONUTF8="1")
    for page in outdated():
        say(f"stale: {page.relative_to(ROOT)} translates an English text that has changed since")
    must(tool("python"), ROOT / "dev_reference.py", *arguments, env=settings)
    if not arguments:
        must(tool("zensical"), "build", "--clean", "--strict", "--config-file", "mkdocs.yml", env=settings)
        # Not strict: Korean pages lead to English ones, which this build does not know and `finish` mends.
        korean = (tool("zensical"), "build", "--clean", "--config-file", "mkdocs.ko.yml")
        if not succeeds(*korean, env=settings):
            must(*korean, env=settings)
        finish(SITE)
        if called := strangers(SITE):
            raise Failed("\n".join(["the pages load from other hosts:", *called]))
        say("site/index.html, site/ko/index.html, site/llms.txt")
    return 0


def finish(site: Path) -> None:
    """Add to the built pages what zensical does not make."""
    for page in pages(PAGES):
        twin = site / page.relative_to(PAGES)
        twin.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(page, twin)
    for built in site.rglob("*.html"):
        text = built.read_text("utf-8")
        if (mended := HREF.sub(partial(to_page, built), text)) != text:
            built.write_text(mended, "utf-8")
    (site / "llms.txt").write_text(index(), "utf-8")
    (site / "llms-full.txt").write_text("\n\n".join(whole()), "utf-8")


def to_page(built: Path, link: re.Match[str]) -> str:
    """A link to the Markdown of a page in the other language, turned to its HTML."""
    name = re.sub(r"(^|/)README$", r"\1index", link[1])
    there = (built.parent / f"{name}.html").exists()
    return f'href="{name}.html{link[2] or ""}"' if there else link[0]


def pages(folder: Path) -> list[Path]:
    """Every page, in the order of its path."""
    return sorted(folder.rglob("*.md"))


def plain(page: Path) -> str:
    """A page without what stands before its title."""
    return FRONT.sub("", page.read_text("utf-8"))


def title(page: Path) -> str:
    """The first heading of a page."""
    found = TITLE.search(plain(page))
    return found[1] if found else page.stem


def english() -> list[Path]:
    """The pages in English."""
    return [page for page in pages(PAGES) if page.relative_to(PAGES).parts[0] != KOREAN]


def index() -> str:
    """What `llms.txt` says: every page by its title, the Korean ones apart."""
    korean = pages(PAGES / KOREAN)
    parts = (("Pages", english()), ("한국어", korean))
    listed = [f"## {name}\n\n" + "\n".join(map(line, some)) for name, some in parts]
    return "\n\n".join([ABOUT.rstrip(), *listed]) + "\n"


def line(page: Path) -> str:
    """A page in the list."""
    return f"- [{title(page)}]({page.relative_to(PAGES).as_posix()})"


def whole() -> Iterator[str]:
    """What `llms-full.txt` says: all English pages, one after the other."""
    for page in english():
        yield f"<!-- {page.relative_to(PAGES).as_posix()} -->\n\n{plain(page).rstrip()}"


def translations() -> list[Path]:
    """The Korean pages that somebody wrote, the README among them."""
    korean = [page for page in pages(PAGES / KOREAN) if page.parent.name != "reference"]
    readme = ROOT / "README.ko.md"
    return [*korean, readme] if readme.exists() else korean


def original(page: Path) -> Path:
    """The English page that a Korean one translates."""
    if page.parent == ROOT:
        return ROOT / "README.md"
    return PAGES / page.relative_to(PAGES / KOREAN)


def fingerprint(page: Path) -> str:
    """What a translation notes of its original."""
    return hashlib.sha256(page.read_bytes()).hexdigest()[:12]


def outdated() -> list[Path]:
    """The Korean pages whose English text has changed since, or is not there."""
    return [page for page in translations() if not is_current(page)]


def is_current(page: Path) -> bool:
    """Whether a Korean page notes the fingerprint of its English text."""
    noted = TRANSLATES.search(page.read_text("utf-8"))
    return noted is not None and original(page).exists() and noted[1] == fingerprint(original(page))


def stamp(page: Path) -> None:
    """Note that a Korean page is of the English text that is there now."""
    noted = f"translates: {fingerprint(original(page))}"
    text = page.read_text("utf-8")
    if TRANSLATES.search(text):
        page.write_text(TRANSLATES.sub(noted, text, count=1), "utf-8")
    elif page.parent == ROOT:
        page.write_text(f"{text.rstrip()}\n\n<!--\n{noted}\n-->\n", "utf-8")
    else:
        page.write_text(f"---\n{noted}\n---\n\n{text}", "utf-8")


def strangers(site: Path) -> list[str]:
    """What the built pages would load from another host."""
    return sorted(
        f"{file.relative_to(site).as_posix()}: {address}"
        for file in site.rglob("*")
        if file.suffix in {".html", ".css"}
        for pattern in LOADS
        for address in pattern.findall(file.read_text("utf-8"))
    )
