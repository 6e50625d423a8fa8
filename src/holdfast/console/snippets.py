"""What people paste: a first call through this gateway, and how to ask for what a page shows."""

import json
import shlex
from urllib.parse import quote


def curl(address: str, model: str) -> str:
    """A first call in a shell."""
    body = json.dumps({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]})
    return (
        f"curl {shlex.quote(f'{address}/v1/messages')} -H 'x-api-key: local' -H 'anthropic-version: 2023-06-01' "
        f"-H 'content-type: application/json' -d {shlex.quote(body)}"
    )


def python(address: str, model: str) -> str:
    """A first call with the official SDK."""
    return "\n".join(
        (
            "import anthropic",
            "",
            f'client = anthropic.Anthropic(base_url="{address}", api_key="local")',
            "answer = client.messages.create(",
            f'    model="{model}", max_tokens=100, messages=[{{"role": "user", "content": "Hello"}}]',
            ")",
            "print(answer.content[0].text)",
        )
    )


def request_as(address: str, name: str) -> dict[str, str]:
    """How to ask for one request: with curl, from Python, on the command line."""
    url = f"{address}/api/v1/requests/{quote(name, safe='')}"
    return {
        "curl": f'curl {shlex.quote(url)} -H "x-api-key: $HOLDFAST_ADMIN_TOKEN"',
        "python": "\n".join(
            (
                "import json, os, urllib.request",
                "",
                f"request = urllib.request.Request({json.dumps(url)})",
                'request.add_header("x-api-key", os.environ["HOLDFAST_ADMIN_TOKEN"])',
                "print(json.load(urllib.request.urlopen(request)))",
            )
        ),
        "cli": f"holdfast requests show {shlex.quote(name)}",
    }
