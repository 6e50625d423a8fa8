"""The entry of the command line: commands are loaded when called, errors become exit codes."""

import difflib
import importlib
import io
import os
import sys

import click

from holdfast.cli.crash import told
from holdfast.errors import (
    ConfigError,
    DeadlineExceeded,
    HoldfastError,
    KeyMissing,
    Refused,
    StreamInterrupted,
    UpstreamError,
    UpstreamUnavailable,
)
from holdfast.language import Language, Sentence, preferred
from holdfast.version import __version__

COMMANDS = {
    "batch": (
        "holdfast.cli.batch:batch",
        Sentence(
            "Send a file of requests, and go on where it was left, whatever ended it.",
            ko="파일에 적힌 요청을 한꺼번에 보내고, 중단되면 그 자리에서 이어 갑니다.",
        ),
    ),
    "alerts": (
        "holdfast.cli.alerts:group",
        Sentence(
            "See what is going on, who is told of it, and silence it.",
            ko="진행 중인 사건과 알림 설정을 보고, 알림을 잠시 끕니다.",
        ),
    ),
    "budgets": (
        "holdfast.cli.budgets:group",
        Sentence(
            "Set what may be spent, and see how it stands.", ko="예산을 설정하고 사용 현황을 확인합니다."
        ),
    ),
    "chat": (
        "holdfast.cli.chat:chat",
        Sentence(
            "Ask one question through the guarded pipeline.", ko="보호된 파이프라인으로 질문 하나를 합니다."
        ),
    ),
    "guard": (
        "holdfast.cli.guard:guard",
        Sentence(
            "See what the screen makes of texts; train and calibrate its detector.",
            ko="검사가 글을 어떻게 판단하는지 보고, 탐지기를 학습하고 보정합니다.",
        ),
    ),
    "memory": (
        "holdfast.cli.memory:group",
        Sentence(
            "See, hand out and delete what agents remember of a user.",
            ko="에이전트가 사용자에 대해 기억하는 내용을 보고, 내보내고, 지웁니다.",
        ),
    ),
    "prices": (
        "holdfast.cli.prices:prices",
        Sentence(
            "Show prices, check them, and explain what a message costs.",
            ko="요금을 보여 주고 점검하며, 메시지 하나의 비용을 설명합니다.",
        ),
    ),
    "keys": (
        "holdfast.cli.keys:group",
        Sentence(
            "Make, list, rotate and revoke the keys of callers.",
            ko="호출자의 키를 만들고, 조회하고, 교체하고, 폐기합니다.",
        ),
    ),
    "mcp": (
        "holdfast.cli.mcp:mcp",
        Sentence(
            "Let an assistant ask for status, spending and requests, over MCP.",
            ko="MCP로 상태, 지출, 요청 내역을 조회하게 합니다.",
        ),
    ),
    "redact": (
        "holdfast.cli.redact:redact",
        Sentence(
            "Take secrets and personal data out of texts.", ko="텍스트에서 비밀 정보와 개인정보를 지웁니다."
        ),
    ),
    "requests": (
        "holdfast.cli.requests:group",
        Sentence(
            "Show the calls that are over: a list, one of them, or all as a file.",
            ko="끝난 호출을 목록, 상세, 파일로 보여 줍니다.",
        ),
    ),
    "resume": (
        "holdfast.cli.stop:resume",
        Sentence("End a stop, so that its calls are served again.", ko="중지를 풀어 호출을 다시 처리합니다."),
    ),
    "review": (
        "holdfast.cli.review:review",
        Sentence(
            "Let several reviewers read code, and tell what they find.",
            ko="여러 리뷰어에게 코드를 맡기고 지적 사항을 보여 줍니다.",
        ),
    ),
    "runs": (
        "holdfast.cli.runs:group",
        Sentence("Show the runs that calls belong to.", ko="호출이 속한 실행과 그 비용을 보여 줍니다."),
    ),
    "serve": (
        "holdfast.cli.serve:serve",
        Sentence(
            "Run the gateway that any Anthropic client can point at.",
            ko="어떤 Anthropic 클라이언트든 연결할 수 있는 게이트웨이를 실행합니다.",
        ),
    ),
    "spend": (
        "holdfast.cli.spend:group",
        Sentence(
            "Show what was spent and what it will come to.", ko="지출과 앞으로의 예상 금액을 보여 줍니다."
        ),
    ),
    "status": (
        "holdfast.cli.status:status",
        Sentence(
            "Say whether a running gateway is all right, and who is to blame if not.",
            ko="실행 중인 게이트웨이의 상태와 문제의 원인을 한 줄로 알려 줍니다.",
        ),
    ),
    "stop": (
        "holdfast.cli.stop:stop",
        Sentence(
            "End calls at once, and refuse new ones.", ko="진행 중인 호출을 바로 끊고 새 호출을 거절합니다."
        ),
    ),
    "tail": (
        "holdfast.cli.tail:tail",
        Sentence("Follow calls as they end.", ko="호출이 끝나는 대로 실시간으로 보여 줍니다."),
    ),
    "simulate": (
        "holdfast.cli.simulate:simulate",
        Sentence(
            "Run a Messages API that needs no key and misbehaves on request.",
            ko="키가 필요 없고, 시키면 장애도 내는 Messages API를 실행합니다.",
        ),
    ),
}
FAILED, CONFIG, KEY_MISSING, UNREACHABLE, REFUSED, INTERRUPTED = 1, 3, 4, 5, 6, 130


def language() -> Language:
    """The language of whoever sits at this terminal."""
    return preferred(os.environ)


class LazyGroup(click.Group):
    """Imports a command only when it is called, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, COMMANDS[name][1].say(language())) for name in self.list_commands(ctx)]
            )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            raise click.UsageError(_unknown(args[0]).say(language()), ctx)
        return super().resolve_command(ctx, args)


def _unknown(command: str) -> Sentence:
    near = difflib.get_close_matches(command, COMMANDS, n=1)
    if near:
        meant = Sentence(f"did you mean `{near[0]}`?", ko=f"혹시 `{near[0]}`인가요?")
    else:
        known = ", ".join(sorted(COMMANDS))
        meant = Sentence(f"there are: {known}", ko=f"쓸 수 있는 명령: {known}")
    return Sentence(
        f"There is no command `{command}`; {meant.en}", ko=f"`{command}`라는 명령은 없습니다. {meant.ko}"
    )


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: holdfast serve --simulate",
)
@click.version_option(__version__, prog_name="holdfast")
def cli() -> None:
    """Keep Claude agents up, within budget, guarded and explained."""


def exit_code(error: HoldfastError) -> int:
    """The exit code that stands for an error."""
    match error:
        case KeyMissing():
            return KEY_MISSING
        case ConfigError():
            return CONFIG
        case Refused():
            return REFUSED
        case UpstreamUnavailable() | DeadlineExceeded() | StreamInterrupted():
            return UNREACHABLE
        case UpstreamError() if error.status >= 500:
            return UNREACHABLE
        case _:
            return FAILED


def main() -> None:
    """Run the command line and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without Korean still gets its answer
    try:
        with told():
            code = cli(prog_name="holdfast", standalone_mode=False)
    except HoldfastError as error:
        click.echo(error.say(language()), err=True)
        code = exit_code(error)
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        _stop_writing()
        code = FAILED
    sys.exit(code)


def _stop_writing() -> None:
    """Whoever read our output has left; the interpreter would complain once more when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
