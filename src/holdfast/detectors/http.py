"""A detector behind an HTTP endpoint of the operator's own."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from holdfast.errors import ConfigError
from holdfast.language import Sentence
from holdfast.parts.detection import Detection, GuardInput, unexamined
from holdfast.policy.sanitation import whole
from holdfast.policy.second_opinion import SCORES, Scores, rate_at
from holdfast.upstream.client import Client, TransportFailed, UpstreamRequest, read_whole
from holdfast.version import __version__
from holdfast.wire.headers import Headers

NAME = "http"
LARGEST = 1024 * 1024
"""Bytes of an answer that are read; a longer one is none."""
MOST_ITEMS = 64
"""Texts of one request."""


class _Score(msgspec.Struct, frozen=True):
    score: float
    fpr: float | None = None


class _Answer(msgspec.Struct, frozen=True):
    scores: list[_Score]


class _Unusable(Exception):
    """No answer, or none that makes sense; its text is the reason code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpDetector:
    """Posts `{"items": [{"text", "channel"}]}` and takes `{"scores": [{"score", "fpr"}]}` in the same order.

    Only the one address is ever asked: a redirect is an answer that makes no sense. Without `fpr`,
    `scores` says which of its scores mean false-positive rates of 1 % and 0.1 %. `timeout` in seconds is for 64
    texts. What stands behind an address may change: it has no version unless it is given one.
    """

    client: Client
    path: str
    key: str | None = field(default=None, repr=False)
    timeout: float = 5.0
    scores: Scores = SCORES
    version: str | None = None

    @classmethod
    def at(
        cls, url: str, *, key: str | None = None, timeout: float = 5.0, scores: Scores = SCORES
    ) -> "HttpDetector":
        """The detector at an address; raises `ConfigError` for one that is none."""
        from holdfast.upstream.http import HttpClient

        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise ConfigError(
                Sentence(
                    "screen.second_opinion.url is no http(s) address without a user: write the whole address, and "
                    "the token into the variable that key_env names.",
                    ko="screen.second_opinion.url은 사용자 정보가 없는 http(s) 주소여야 합니다. 전체 주소를 적고, "
                    "토큰은 key_env가 가리키는 환경 변수에 넣으세요.",
                )
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        client = HttpClient(f"{parts.scheme}://{parts.netloc}", connect_timeout=timeout)
        return cls(client=client, path=path, key=key, timeout=timeout, scores=scores)

    async def score(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        found: list[Detection] = []
        for start in range(0, len(items), MOST_ITEMS):
            found += await self._batch(items[start : start + MOST_ITEMS])
        return found

    async def aclose(self) -> None:
        """Close every idle connection."""
        await self.client.aclose()

    async def _batch(self, items: Sequence[GuardInput]) -> Sequence[Detection]:
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._asked(items)
        except TimeoutError:
            return [unexamined(NAME, "timeout")] * len(items)
        except TransportFailed as error:
            return [unexamined(NAME, f"transport_{error.phase}")] * len(items)
        except _Unusable as error:
            return [unexamined(NAME, str(error))] * len(items)
        return [
            Detection(
                detector=NAME,
                score=one.score,
                fpr=rate_at(one.score, self.scores) if one.fpr is None else one.fpr,
            )
            for one in answer
        ]

    async def _asked(self, items: Sequence[GuardInput]) -> Sequence[_Score]:
        body = {"items": [{"text": whole(item.text), "channel": item.channel} for item in items]}
        request = UpstreamRequest(
            method="POST", path=self.path, headers=self._headers(), body=msgspec.json.encode(body)
        )
        connection = await self.client.send(request)
        try:
            if connection.status != 200:
                raise _Unusable(f"status_{connection.status}")
            raw = await read_whole(connection, LARGEST)
        finally:
            await connection.aclose()
        return _read(raw, len(items))

    def _headers(self) -> Headers:
        token = () if self.key is None else (("authorization", f"Bearer {self.key}"),)
        return (
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("user-agent", f"holdfast/{__version__}"),
            *token,
        )


def _read(raw: bytes, count: int) -> Sequence[_Score]:
    try:
        scores = msgspec.json.decode(raw, type=_Answer).scores
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _Unusable("garbage") from error
    is_right = all(0 <= one.score <= 1 and (one.fpr is None or 0 <= one.fpr <= 1) for one in scores)
    if len(scores) != count or not is_right:
        raise _Unusable("garbage")
    return scores
