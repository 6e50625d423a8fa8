"""An MCP server of the older protocol in a few lines, quick to start, that misbehaves as a file of JSON says."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OBJECT: Json = {"type": "object", "properties": {"text": {"type": "string"}}}


class Server:
    """Reads lines, answers in lines; every call has a thread of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.calls = 0
        self.cancelled = 0
        self.answers: dict[str, Json] = {}
        self.heard = threading.Condition()
        self.writing = threading.Lock()

    def said(self) -> Json:
        """How to behave from now on."""
        return dict(json.loads(self.state.read_text() or "{}"))

    def run(self) -> None:
        """Serve until nobody writes any more."""
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if "method" not in message:
                with self.heard:
                    self.answers[str(message["id"])] = message
                    self.heard.notify_all()
            elif "id" not in message:
                self.cancelled += message["method"] == "notifications/cancelled"
            elif message["method"] == "tools/call":
                threading.Thread(target=self.call, args=(message,), daemon=True).start()
            else:
                self.answer(message)

    def send(self, **message: object) -> None:
        """Write one message."""
        line = json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n"
        with self.writing:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

    def answer(self, message: Json) -> None:
        """Answer whatever is no call."""
        match message["method"]:
            case "initialize":
                info = {"name": "plain", "version": "1"}
                version = message["params"]["protocolVersion"]
                self.send(
                    id=message["id"],
                    result={
                        "protocolVersion": version,
                        "capabilities": {"tools": {"listChanged": True}},
                        "serverInfo": info,
                    },
                )
            case "tools/list":
                self.send(id=message["id"], result=self.page(message.get("params") or {}))
            case _:
                self.send(id=message["id"], error={"code": -32601, "message": "Method not found"})

    def page(self, params: Json) -> Json:
        """One page of the tools."""
        said = self.said()
        if "bad_list" in said:
            return {"tools": said["bad_list"]}
        tools = [
            {"name": name, "description": tell.__doc__, "inputSchema": OBJECT} for name, tell in self.tools()
        ]
        changed = self.calls >= said.get("change_after", 1_000_000)
        tools += said.get("more", []) + (said.get("then", []) if changed else said.get("first", []))
        tools += [{"name": f"tool_{at}", "inputSchema": OBJECT} for at in range(said.get("count", 0))]
        size = said.get("page", 5_000)
        begin = int(params.get("cursor") or 0)
        following = {"nextCursor": str(begin + size)} if begin + size < len(tools) else {}
        return {"tools": tools[begin : begin + size], **following}

    def call(self, message: Json) -> None:
        """Run a tool."""
        self.calls += 1
        self.state.with_suffix(".called").touch()
        params = message["params"]
        tool = dict(self.tools()).get(params["name"], self.echo)
        result = tool(**(params.get("arguments") or {}))
        if self.said().get("notify"):
            self.send(method="notifications/tools/list_changed")
        self.send(id=message["id"], result=result)

    def tools(self) -> list[tuple[str, Callable[..., Json]]]:
        """The tools by their names."""
        found: list[Callable[..., Json]] = [
            self.echo, self.pid, self.env, self.sleep, self.die, self.big, self.odd,
            self.picture, self.structured, self.wrong, self.ask, self.cancellations,
        ]  # fmt: skip
        return [(one.__name__, one) for one in found]

    def echo(self, **given: object) -> Json:
        """Say it again."""
        return text(json.dumps(given, sort_keys=True))

    def pid(self) -> Json:
        """Tell the number of the process."""
        return text(str(os.getpid()))

    def env(self) -> Json:
        """Tell the names of the variables."""
        return text(json.dumps(sorted(os.environ)))

    def sleep(self, seconds: float = 0) -> Json:
        """Take a while."""
        pause(seconds)
        return text("awake")

    def die(self) -> Json:
        """End in the middle of a call."""
        sys.stderr.write("out of memory\n")
        sys.stderr.flush()
        os._exit(3)

    def big(self, size: int = 0) -> Json:
        """Give a long text."""
        return text("x" * size)

    def odd(self) -> Json:
        """Give what nobody can read."""
        return {"content": "hello"}

    def picture(self) -> Json:
        """Show a picture."""
        return {"content": [{"type": "image", "data": PIXEL, "mimeType": "image/png"}]}

    def structured(self) -> Json:
        """Give an object."""
        return {"content": [], "structuredContent": {"sum": 42}}

    def wrong(self) -> Json:
        """Fail."""
        return {**text("no such order"), "isError": True}

    def ask(self, method: str = "sampling/createMessage") -> Json:
        """Ask the client for something."""
        name = f"ask-{self.calls}"
        form: Json = {"message": "?", "requestedSchema": {"type": "object", "properties": {}}}
        message: Json = {"messages": [], "maxTokens": 9}
        self.send(id=name, method=method, params=form if method.startswith("elicit") else message)
        with self.heard:
            self.heard.wait_for(lambda: name in self.answers, timeout=5)
        return text(json.dumps(self.answers.get(name, {})))

    def cancellations(self) -> Json:
        """Tell how many calls were cancelled."""
        return text(str(self.cancelled))


def pause(seconds: float) -> None:
    """Do nothing for a while."""
    threading.Event().wait(seconds)


def text(said: str) -> Json:
    """A result that is a text."""
    return {"content": [{"type": "text", "text": said}]}


if __name__ == "__main__":
    server = Server(Path(sys.argv[1]))
    with server.state.with_suffix(".pids").open("a") as pids:
        pids.write(f"{os.getpid()}\n")
    behaviour = server.said()
    if "complaint" in behaviour:
        sys.exit(behaviour["complaint"])
    if "stubborn" in behaviour:
        import signal

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        threading.Thread(target=lambda: pause(60)).start()
    pause(behaviour.get("slow_start", 0))
    server.run()
