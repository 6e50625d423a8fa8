"""Claude Code without a terminal, as the wheel of the Claude Agent SDK brings it."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import claude_agent_sdk
from speaking import MODEL, STORY, TEXT, Seen, Task, speak

CLAUDE = Path(claude_agent_sdk.__file__).parent / "_bundled" / "claude"
TOOL = "Please use the tool Glob."
PATIENCE = 170.0


def run(task: Task, question: str, *options: str) -> list[dict[str, object]]:
    with TemporaryDirectory() as home:
        surroundings = {
            **os.environ,
            "HOME": home,
            "ANTHROPIC_BASE_URL": task.url,
            "ANTHROPIC_API_KEY": "local",
            "API_TIMEOUT_MS": str(round(task.timeout * 1000)),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        command = [
            str(CLAUDE),
            "-p",
            question,
            "--model",
            MODEL,
            "--output-format",
            "stream-json",
            "--verbose",
        ]
        done = subprocess.run(
            [*command, *options],
            env=surroundings,
            cwd=home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError(done.stderr or f"exit code {done.returncode}")
    return lines


def take(lines: list[dict[str, object]], seen: Seen) -> None:
    result = lines[-1]
    seen.text, seen.stop = str(result.get("result")), result.get("stop_reason") or None
    if result.get("is_error"):
        seen.error, seen.message = "is_error", seen.text[:500]
        seen.status = result.get("api_error_status")


def text(task: Task, seen: Seen) -> None:
    take(run(task, TEXT), seen)


def stream(task: Task, seen: Seen) -> None:
    lines = run(task, STORY, "--include-partial-messages")
    events = [line["event"] for line in lines if line["type"] == "stream_event"]
    seen.pieces = sum(event["type"] == "content_block_delta" for event in events)
    take(lines, seen)


def tool(task: Task, seen: Seen) -> None:
    lines = run(task, TOOL, "--allowedTools", "Glob")
    take(lines, seen)
    blocks = [block for line in lines if line["type"] == "user" for block in line["message"]["content"]]
    seen.pieces = sum(isinstance(block, dict) and block.get("type") == "tool_result" for block in blocks)


def version() -> str:
    done = subprocess.run([str(CLAUDE), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.split()[0]


if __name__ == "__main__":
    speak(version(), {"text": text, "stream": stream, "tool": tool})
