"""`holdfast rule CODE`: what a code means, why it comes, and what to do."""

import click

from holdfast.catalogue.codes import EXPLANATIONS, explained, resembling
from holdfast.catalogue.entry import MENDERS, Explanation
from holdfast.cli.desk import show
from holdfast.cli.main import language
from holdfast.language import Sentence

LABELS = {
    "what": Sentence("What", ko="무슨 일"),
    "why": Sentence("Why", ko="이유"),
    "cure": Sentence("Do", ko="할 일"),
    "who": Sentence("Who can mend it", ko="고칠 수 있는 쪽"),
    "http": Sentence("HTTP status", ko="HTTP 상태"),
}
AGAIN = {
    True: Sentence("worth sending again", ko="다시 보낼 만함"),
    False: Sentence("sending it again does not help", ko="다시 보내도 소용없음"),
}


@click.command(epilog="Example: holdfast rule holdfast_budget_exhausted")
@click.argument("code", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rule(code: str | None, *, as_json: bool) -> None:
    """Explain a code of an error or of `holdfast check`; without one, list them all."""
    if code is None:
        _all(as_json=as_json)
        return
    found = explained(code)
    if found is None:
        raise click.UsageError(_unknown(code).say(language()))
    if as_json:
        show(_plain(found))
        return
    click.echo("\n".join(_lines(found)))


def _all(*, as_json: bool) -> None:
    if as_json:
        show([_plain(entry) for entry in EXPLANATIONS.values()])
        return
    longest = max(map(len, EXPLANATIONS))
    for entry in EXPLANATIONS.values():
        click.echo(f"{entry.code.ljust(longest)}  {entry.what.say(language())}")


def _lines(entry: Explanation) -> list[str]:
    tongue = language()
    said = {
        "what": entry.what.say(tongue),
        "why": entry.why.say(tongue),
        "cure": entry.cure.say(tongue),
        "who": MENDERS[entry.who].say(tongue),
    }
    if entry.status:
        said["http"] = f"{entry.status}, {AGAIN[entry.retry].say(tongue)}"
    return [entry.code, *(f"  {LABELS[name].say(tongue)}: {text}" for name, text in said.items())]


def _plain(entry: Explanation) -> dict[str, object]:
    tongue = language()
    return {
        "code": entry.code,
        "status": entry.status or None,
        "retry": entry.retry,
        "what": entry.what.say(tongue),
        "why": entry.why.say(tongue),
        "do": entry.cure.say(tongue),
        "who": entry.who,
    }


def _unknown(code: str) -> Sentence:
    near = resembling(code)
    if near:
        return Sentence(
            f"No code is called `{code}`; did you mean {', '.join(near)}?",
            ko=f"`{code}`라는 코드는 없습니다. 혹시 {', '.join(near)}인가요?",
        )
    return Sentence(
        f"No code is called `{code}`; `holdfast rule` lists them all",
        ko=f"`{code}`라는 코드는 없습니다. `holdfast rule`로 전체 목록을 볼 수 있습니다",
    )
