"""The clients that `python3 dev.py clients` installs, as programs that are told what to do and say what they saw."""

import json
import os
import queue
import subprocess
import sysconfig
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

INSTALLED = "HOLDFAST_TEST_CLIENTS"
"""The variable in which dev.py says where each client is."""

TABLES: list[str] = []
"""What is printed behind the run."""

PROGRAMS = Path(__file__).with_name("programs")
PATIENCE = 180.0
"""Seconds for one turn of one client."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client by its name in the tables: where it is installed, and the program that drives it.

    One that waits long between its own retries runs in several `copies` at once.
    """

    name: str
    place: str
    program: str
    argument: str = ""
    copies: int = 1

    def __str__(self) -> str:
        return self.name


CLIENTS = (
    Client("anthropic 2.x, sync", "holdfast", "anthropic_blocking.py"),
    Client("anthropic 2.x, async", "holdfast", "anthropic_async.py"),
    Client("anthropic 2.x, aiohttp", "holdfast", "anthropic_async.py", "aiohttp"),
    Client("anthropic 2.x, tool runner", "holdfast", "anthropic_runner.py"),
    Client("anthropic 1.x", "anthropic-1", "anthropic_blocking.py"),
    Client("anthropic 0.125", "anthropic-0", "anthropic_blocking.py"),
    Client("Claude Code, headless", "holdfast", "claude_code.py", copies=2),
    Client("Pydantic AI", "pydantic-ai", "pydantic_agent.py"),
    Client("LangChain", "langchain", "langchain_chat.py"),
    Client("LiteLLM", "litellm", "litellm_completion.py"),
    Client("TypeScript SDK", "node", "javascript.mjs", "typescript"),
    Client("Vercel AI SDK", "node", "javascript.mjs", "vercel-ai", copies=4),
)
INSIDE = Client("Pydantic AI, in process", "pydantic-ai", "pydantic_inside.py")
"""Stands on `hold.anthropic()` and needs no gateway; here its upstream is one."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a client saw of one turn; one that broke has an error, and the text until then."""

    text: str = ""
    pieces: int = 0
    stop: str | None = None
    error: str | None = None
    status: int | None = None
    message: str = ""


class _Hello(msgspec.Struct, frozen=True):
    version: str


@dataclass
class Program:
    """A client's program while it runs."""

    process: "subprocess.Popen[str]"
    version: str = ""
    _lines: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue[str])

    def __post_init__(self) -> None:
        threading.Thread(target=self._listen, daemon=True).start()
        self.version = msgspec.json.decode(self._line(), type=_Hello).version

    def do(self, turn: str, url: str, *, timeout: float = 60.0) -> Seen:
        """Have it do one turn, with `timeout` seconds as its own patience."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"turn": turn, "url": url, "timeout": timeout}) + "\n")
        self.process.stdin.flush()
        return msgspec.json.decode(self._line(), type=Seen)

    def _line(self) -> str:
        """The next line; an empty one when the program has ended."""
        line = self._lines.get(timeout=PATIENCE)
        assert line, f"the program ended with exit code {self.process.wait(PATIENCE)}"
        return line

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # some libraries talk on stdout
                self._lines.put(line)
        self._lines.put("")


@dataclass
class Clients:
    """The programs of all clients, each started when it is first asked."""

    places: dict[str, str]
    home: Path
    versions: dict[str, str] = field(default_factory=dict[str, str])
    _started: list[Program] = field(default_factory=list[Program])
    _idle: dict[Client, queue.LifoQueue[Program | None]] = field(
        default_factory=dict[Client, queue.LifoQueue[Program | None]]
    )

    @classmethod
    @contextmanager
    def installed(cls) -> "Generator[Clients]":
        """Those that dev.py names; all are ended behind the block."""
        with TemporaryDirectory() as home:
            places = msgspec.json.decode(os.environ[INSTALLED], type=dict[str, str])
            clients = cls(places, Path(home))
            try:
                yield clients
            finally:
                clients.close()

    def __post_init__(self) -> None:
        for client in (*CLIENTS, INSIDE):
            self._idle[client] = queue.LifoQueue()
            for _ in range(client.copies):
                self._idle[client].put(None)

    def do(self, client: Client, turn: str, url: str, *, timeout: float = 60.0) -> Seen:
        """Have a client do one turn, as soon as a copy of it is idle."""
        program = self._idle[client].get()
        try:
            if program is None:
                program = Program(self._start(client))
                self._started.append(program)
                self.versions[client.name] = program.version
            return program.do(turn, url, timeout=timeout)
        finally:
            self._idle[client].put(program)

    def close(self) -> None:
        """End them all."""
        for program in self._started:
            program.process.terminate()
            program.process.wait(PATIENCE)
            for pipe in (program.process.stdin, program.process.stdout):
                if pipe is not None:
                    pipe.close()

    def _start(self, client: Client) -> "subprocess.Popen[str]":
        place, program = self.places[client.place], str(PROGRAMS / client.program)
        command = ["node", program, place] if client.place == "node" else [place, program]
        return subprocess.Popen(
            [*command, client.argument],
            env=self._surroundings(),
            cwd=self.home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _surroundings(self) -> dict[str, str]:
        """Nothing of who runs the suite; whatever is not for this machine is sent where nobody listens."""
        nowhere = "http://127.0.0.1:9"
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "HTTPS_PROXY": nowhere,
            "HTTP_PROXY": nowhere,
            "NO_PROXY": "127.0.0.1",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOLDFAST_SITE": sysconfig.get_path("purelib"),
        }
