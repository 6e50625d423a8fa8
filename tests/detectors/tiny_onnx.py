"""A classifier of a few hundred bytes in a folder, written byte by byte: one word is an attack, all others are not."""

import json
import struct
from collections.abc import Sequence
from pathlib import Path

WORDS = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "hello", "poison")
INT64, FLOAT = 7, 1


def _number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | bytes | str) -> bytes:
    """One member of a message of Protocol Buffers."""
    if isinstance(value, int):
        return _number(number << 3) + _number(value)
    data = value.encode() if isinstance(value, str) else value
    return _number(number << 3 | 2) + _number(len(data)) + data


def _node(kind: str, takes: Sequence[str], gives: str, *attributes: bytes) -> bytes:
    ends = b"".join(_field(1, name) for name in takes) + _field(2, gives)
    return ends + _field(4, kind) + b"".join(_field(5, one) for one in attributes)


def _floats(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    dims = b"".join(_field(1, size) for size in shape)
    return dims + _field(2, FLOAT) + _field(8, name) + _field(9, struct.pack(f"<{len(values)}f", *values))


def _value(name: str, kind: int, *dims: int | str) -> bytes:
    shape = b"".join(_field(1, _field(1, one) if isinstance(one, int) else _field(2, one)) for one in dims)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def model(*inputs: str) -> bytes:
    """The logits are 0, and 5 where the worst word of a row is `poison`, else -5."""
    axes = _field(1, "axes") + _field(8, 1) + _field(20, 7)
    graph = [
        _field(1, _node("Gather", ["weights", "input_ids"], "each")),
        _field(1, _node("ReduceMax", ["each"], "worst", axes)),
        _field(1, _node("MatMul", ["worst", "spread"], "logits")),
        _field(2, "tiny"),
        _field(5, _floats("weights", [len(WORDS)], [5.0 if word == "poison" else -5.0 for word in WORDS])),
        _field(5, _floats("spread", [1, 2], [0.0, 1.0])),
        *(_field(11, _value(name, INT64, "rows", "length")) for name in inputs),
        _field(12, _value("logits", FLOAT, "rows", 2)),
    ]
    return _field(1, 8) + _field(8, _field(1, "") + _field(2, 13)) + _field(7, b"".join(graph))


def tokenizer() -> str:
    marked = [
        {"SpecialToken": {"id": "[CLS]", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "[SEP]", "type_id": 0}},
    ]
    document: dict[str, object] = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": marked,
            "pair": marked,
            "special_tokens": {
                name: {"id": name, "ids": [WORDS.index(name)], "tokens": [name]}
                for name in ("[CLS]", "[SEP]")
            },
        },
        "decoder": None,
        "model": {
            "type": "WordLevel",
            "vocab": {word: at for at, word in enumerate(WORDS)},
            "unk_token": "[UNK]",
        },
    }
    return json.dumps(document)


def write(folder: Path, *inputs: str) -> Path:
    """Put the classifier there."""
    (folder / "model.onnx").write_bytes(model(*(inputs or ("input_ids", "attention_mask"))))
    (folder / "tokenizer.json").write_text(tokenizer(), "utf-8")
    labels = {"id2label": {"0": "SAFE", "1": "INJECTION"}, "pad_token_id": 0}
    (folder / "config.json").write_text(json.dumps(labels), "utf-8")
    return folder
