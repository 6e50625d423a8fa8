"""The lines a newcomer pastes: curl, and the official SDK, plain, streamed, and with a tool."""

_CURL = """\
curl {address}/v1/messages -H 'content-type: application/json' -H 'x-api-key: local' \
-H 'anthropic-version: 2023-06-01' -d '{{"model": "{model}", "max_tokens": 300, \
"messages": [{{"role": "user", "content": "Hello! Who are you?"}}]}}'"""

_SNIPPET = """\
import anthropic

client = anthropic.Anthropic(base_url="{address}", api_key="local")
ask = {{"model": "{model}", "max_tokens": 300}}

# A plain answer.
message = client.messages.create(**ask, messages=[{{"role": "user", "content": "Hello! Who are you?"}}])
print(message.content[0].text)

# The same, streamed.
with client.messages.stream(**ask, messages=[{{"role": "user", "content": "Count to five."}}]) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()

# A tool turn.
weather = {{
    "name": "weather",
    "description": "The weather in a city.",
    "input_schema": {{"type": "object", "properties": {{"city": {{"type": "string"}}}}, "required": ["city"]}},
}}
turns = [{{"role": "user", "content": "Please use the tool weather for Seoul."}}]
asked = client.messages.create(**ask, tools=[weather], messages=turns)
call = next(block for block in asked.content if block.type == "tool_use")
result = {{"type": "tool_result", "tool_use_id": call.id, "content": "Sunny, 21 degrees"}}
turns += [{{"role": "assistant", "content": asked.content}}, {{"role": "user", "content": [result]}}]
print(client.messages.create(**ask, tools=[weather], messages=turns).content[0].text)
"""


def curl(address: str, model: str) -> str:
    """One shell command that talks to the gateway at `address`, ready to paste."""
    return _CURL.format(address=address, model=model)


def snippet(address: str, model: str) -> str:
    """Python that talks to the gateway at `address`, ready to paste."""
    return _SNIPPET.format(address=address, model=model)
