"""How a conversation began: what stays the same in every request of it."""

import msgspec


class _Block(msgspec.Struct, gc=False):
    text: str = ""


class _Message(msgspec.Struct, gc=False):
    role: str = ""
    content: str | list[_Block] = ""


class _Conversation(msgspec.Struct, gc=False):
    messages: list[msgspec.Raw] = []


_conversation = msgspec.json.Decoder(_Conversation).decode
_message = msgspec.json.Decoder(_Message).decode


def opening(body: bytes) -> str:
    """The text of the first user message, without the cache marks that clients move about; `""` if there is none."""
    try:
        for raw in _conversation(body).messages:
            message = _message(raw)
            if message.role == "user":
                content = message.content
                return content if isinstance(content, str) else "\n".join(block.text for block in content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return ""
