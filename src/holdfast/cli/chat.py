"""`holdfast chat`: one question, one answer, what it used and what it cost."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import click
import msgspec

from holdfast.agent.reply import Reply
from holdfast.agent.stream import ReplyStream
from holdfast.assembly import has_key
from holdfast.cli.main import language
from holdfast.errors import StreamInterrupted
from holdfast.hold import Holdfast
from holdfast.language import Sentence
from holdfast.policy.routing import SIMULATOR, UpstreamConfig
from holdfast.settings import Settings


@click.command(epilog="Example: holdfast chat 'What is a circuit breaker?'")
@click.argument("message")
@click.option("--model", help="Model id; the configured standard model when left out.")
@click.option("--system", help="System prompt.")
@click.option("--config", type=click.Path(), help="Configuration file.")
@click.option("--simulate", is_flag=True, help="Ask the embedded simulator: no key, no network, no cost.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def chat(
    message: str, *, model: str | None, system: str | None, config: str | None, simulate: bool, as_json: bool
) -> None:
    """Ask MESSAGE through the guarded pipeline."""
    settings = _settings(config, simulate=simulate)
    asyncio.run(_chat(settings, message, model, system, as_json=as_json))


def _settings(config: str | None, *, simulate: bool) -> Settings:
    settings = Settings.load(config)
    keyless = not settings.upstreams and not has_key()
    if keyless and not simulate:
        notice = Sentence(
            "No key found (ANTHROPIC_API_KEY): the embedded simulator answers, nothing leaves this machine.",
            ko="키가 없습니다(ANTHROPIC_API_KEY). 내장 시뮬레이터가 답하며, 아무것도 이 컴퓨터 밖으로 나가지 않습니다.",
        )
        click.echo(notice.say(language()), err=True)
    if simulate or keyless:
        settings = replace(settings, upstreams={SIMULATOR: UpstreamConfig(url=SIMULATOR)})
    return settings


async def _chat(
    settings: Settings, message: str, model: str | None, system: str | None, *, as_json: bool
) -> None:
    async with Holdfast(settings) as hold:
        agent = hold.agent(model, system=system, fallback=None, language=language())
        if as_json:
            reply = await _read(agent.stream(message), lambda text: None)
            click.echo(msgspec.json.encode(_facts(reply)))
        else:
            reply = await _read(agent.stream(message), lambda text: click.echo(text, nl=False))
            click.echo(f"\n\n{_summary(reply).say(language())}")


async def _read(answer: ReplyStream, show: Callable[[str], None]) -> Reply:
    shown = False
    async with answer:
        try:
            async for text in answer:
                show(text)
                shown = True
        except StreamInterrupted:
            show("\n" if shown else "")
            raise
    return answer.reply


def _facts(reply: Reply) -> dict[str, object]:
    return {
        "text": reply.text,
        "model": reply.model,
        "stop_reason": reply.stop_reason,
        "usage": reply.usage.as_mapping(),
        "cost": None if reply.cost is None else f"{reply.cost:f}",
        "attempts": reply.attempts,
        "request_id": reply.request_id,
    }


def _summary(reply: Reply) -> Sentence:
    usage = reply.usage
    if reply.cost is None:
        cost = Sentence("price unknown", ko="가격 알 수 없음")
    else:
        cost = Sentence(f"${reply.cost:f}", ko=f"${reply.cost:f}")
    return Sentence(
        f"{usage.prompt_tokens} tokens in, {usage.output_tokens} out · {cost.en} · {reply.model}",
        ko=f"입력 {usage.prompt_tokens} 토큰, 출력 {usage.output_tokens} 토큰 · {cost.ko} · {reply.model}",
    )
