"""How six clients are pointed here: what people paste, with a key in it or with the place for one."""

import json
import shlex
from collections.abc import Mapping

PLACEHOLDER = "YOUR_HOLDFAST_KEY"
NAMES: Mapping[str, str] = {
    "python": "Python",
    "typescript": "TypeScript",
    "curl": "curl",
    "claude_code": "Claude Code",
    "agent_sdk": "Claude Agent SDK",
    "langchain": "LangChain",
}
"""Names of products, which are the same in every language."""


def clients(address: str, model: str, key: str = PLACEHOLDER) -> list[dict[str, str]]:
    """A first call with each client; `address` is of the gateway, without `/v1`."""
    texts = {
        "python": _python(address, model, key),
        "typescript": _typescript(address, model, key),
        "curl": _curl(address, model, key),
        "claude_code": f"{_exports(address, key)}\nclaude",
        "agent_sdk": _agent_sdk(address, key),
        "langchain": _langchain(address, model, key),
    }
    return [{"name": name, "label": label, "text": texts[name]} for name, label in NAMES.items()]


def _exports(address: str, key: str) -> str:
    return f"export ANTHROPIC_BASE_URL={shlex.quote(address)}\nexport ANTHROPIC_AUTH_TOKEN={shlex.quote(key)}"


def _python(address: str, model: str, key: str) -> str:
    return "\n".join(
        (
            "import anthropic",
            "",
            f"client = anthropic.Anthropic(base_url={json.dumps(address)}, api_key={json.dumps(key)})",
            "answer = client.messages.create(",
            f'    model={json.dumps(model)}, max_tokens=100, messages=[{{"role": "user", "content": "Hello"}}]',
            ")",
            "print(answer.content[0].text)",
        )
    )


def _typescript(address: str, model: str, key: str) -> str:
    return "\n".join(
        (
            'import Anthropic from "@anthropic-ai/sdk";',
            "",
            f"const client = new Anthropic({{ baseURL: {json.dumps(address)}, apiKey: {json.dumps(key)} }});",
            "const answer = await client.messages.create({",
            f"  model: {json.dumps(model)},",
            "  max_tokens: 100,",
            '  messages: [{ role: "user", content: "Hello" }],',
            "});",
            "console.log(answer.content);",
        )
    )


def _curl(address: str, model: str, key: str) -> str:
    body = json.dumps({"model": model, "max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]})
    return (
        f"curl {shlex.quote(f'{address}/v1/messages')} -H {shlex.quote(f'x-api-key: {key}')} "
        f"-H 'anthropic-version: 2023-06-01' -H 'content-type: application/json' -d {shlex.quote(body)}"
    )


def _agent_sdk(address: str, key: str) -> str:
    env = json.dumps({"ANTHROPIC_BASE_URL": address, "ANTHROPIC_AUTH_TOKEN": key})
    return "\n".join(
        (
            "import asyncio",
            "from claude_agent_sdk import ClaudeAgentOptions, query",
            "",
            f"options = ClaudeAgentOptions(env={env})",
            "",
            "async def main():",
            '    async for message in query(prompt="Hello", options=options):',
            "        print(message)",
            "",
            "asyncio.run(main())",
        )
    )


def _langchain(address: str, model: str, key: str) -> str:
    return "\n".join(
        (
            "from langchain_anthropic import ChatAnthropic",
            "",
            f"model = ChatAnthropic(model={json.dumps(model)}, base_url={json.dumps(address)}, api_key={json.dumps(key)})",
            'print(model.invoke("Hello").content)',
        )
    )
