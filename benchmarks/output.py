"""What looking through an answer costs, per 1,000 characters: only flagged, and held back to be redacted."""

import json
from functools import partial

from benchmarks.measure import Figure, measure, table
from holdfast.policy.inspection import Inspection, Surroundings
from holdfast.policy.leak_index import Prompt
from holdfast.policy.masking import SECRET_KINDS, MaskingConfig, find
from holdfast.policy.output import OutputConfig
from holdfast.wire.answer import JudgedStream
from holdfast.wire.sse import emit

ENGLISH = (
    "The main point is to begin with the smallest part that works, check the result, and only then add the next "
    "one. In most cases the simple choice is right; measure before you change it, and keep a way back. "
)
KOREAN = (
    "우선 동작하는 가장 작은 부분부터 시작해서 결과를 확인한 다음, 하나씩 더해 가는 것이 좋습니다. "
    "대부분은 단순한 방법이 정답입니다. 바꾸기 전에 먼저 측정하고, 되돌릴 방법을 남겨 두세요. "
)
LENGTH = 10_000
PIECE = 20
"""Characters of one delta, as a model writes them."""
SYSTEM = " ".join(
    f"Rule {at}: the heron at pond {at * 7} eats {at % 9} frogs before noon." for at in range(150)
)


def answer(words: str) -> str:
    """Ten thousand characters of an answer."""
    return (words * (LENGTH // len(words) + 1))[:LENGTH]


def events(text: str) -> list[bytes]:
    """The same as the events of a stream."""
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    deltas = [
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": text[at : at + PIECE]},
        }
        for at in range(0, len(text), PIECE)
    ]
    return [emit(str(event["type"]), json.dumps(event).encode()) for event in (start, *deltas)]


def inspect(chunks: list[bytes], config: OutputConfig, prompt: Prompt) -> None:
    """A whole stream, piece by piece."""
    stream = JudgedStream(Inspection(config, Surroundings(prompt=prompt)))
    for chunk in chunks:
        stream.feed(chunk)
    stream.end()


def figures(words: str) -> list[Figure]:
    """The parts and the whole, over one answer; a figure per 10,000 characters is a tenth per 1,000."""
    text, prompt = answer(words), Prompt.of(SYSTEM)
    chunks = events(text)
    secrets = MaskingConfig(kinds=SECRET_KINDS)
    none = OutputConfig(leak="off", secrets="off", egress="off")
    redact = OutputConfig(leak="redact", secrets="redact", egress="redact")
    run = partial(measure, calls=10)
    return [
        run("masking.find over the whole text, for comparison", partial(find, text, secrets)),
        run("events only, nothing looked for", partial(inspect, chunks, none, prompt)),
        run("leak", partial(inspect, chunks, OutputConfig(secrets="off", egress="off"), prompt)),
        run("secrets", partial(inspect, chunks, OutputConfig(leak="off", egress="off"), prompt)),
        run("everything flagged, the default", partial(inspect, chunks, OutputConfig(), prompt)),
        run("everything redacted, held back", partial(inspect, chunks, redact, prompt)),
    ]


def main() -> None:
    """Print the tables."""
    for name, words in (("English", ENGLISH), ("Korean", KOREAN)):
        print(table(f"one answer of {LENGTH:,} characters, {name}", figures(words)))
    print(
        table(
            f"a system prompt of {len(SYSTEM):,}", [measure("Prompt.of", partial(Prompt.of, SYSTEM), calls=5)]
        )
    )


if __name__ == "__main__":
    main()
