"""The `usage` object of an answer."""

from dataclasses import dataclass, replace

from holdfast.simulator.prompt import CacheUse
from holdfast.simulator.request import MessageRequest
from holdfast.simulator.values import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What an answer used, by billing kind."""

    input_tokens: int
    cache_read: int = 0
    written_5m: int = 0
    written_1h: int = 0
    output_tokens: int = 0
    thinking_tokens: int = 0
    speed: str = "standard"
    inference_geo: str = "not_available"
    searches: int = 0
    service_tier: str = "standard"
    iterations: tuple["Usage", ...] = ()
    """The two steps of an answer with a web search in between; they add up to this usage."""
    compaction: "Usage | None" = None
    """The summary that was written first: billed, but in none of the sums."""

    @classmethod
    def of(cls, request: MessageRequest, cache: CacheUse) -> "Usage":
        """The prompt's part of the usage; nothing is written yet."""
        where = "not_available" if request.model.us_multiplier is None else "us" if request.us else "global"
        return cls(
            input_tokens=request.prompt_tokens - cache.read - cache.written_5m - cache.written_1h,
            cache_read=cache.read,
            written_5m=cache.written_5m,
            written_1h=cache.written_1h,
            speed="fast" if request.fast else "standard",
            inference_geo=where,
        )

    def with_output(self, output_tokens: int, thinking_tokens: int = 0) -> "Usage":
        """The same prompt with this much written; a search not yet reached was not made."""
        if self.iterations:
            first, second = self.iterations
            beyond = output_tokens - first.output_tokens
            if beyond <= 0:
                return first.with_output(output_tokens, thinking_tokens)
            return first.then(second.with_output(beyond), thinking_tokens)
        thinking = min(thinking_tokens, output_tokens)
        return replace(self, output_tokens=output_tokens, thinking_tokens=thinking)

    def then(self, second: "Usage", thinking_tokens: int = 0) -> "Usage":
        """Both steps of an answer that searched the web after the first."""
        return replace(
            self,
            input_tokens=self.input_tokens + second.input_tokens,
            cache_read=self.cache_read + second.cache_read,
            output_tokens=self.output_tokens + second.output_tokens,
            thinking_tokens=thinking_tokens,
            searches=1,
            iterations=(self, second),
        )

    def after(self, more: int) -> "Usage":
        """The prompt of the next step: what was written to the cache is now read, and `more` tokens came."""
        written = self.written_5m + self.written_1h
        return replace(
            self,
            input_tokens=self.input_tokens + more,
            cache_read=self.cache_read + written,
            written_5m=0,
            written_1h=0,
            output_tokens=0,
            thinking_tokens=0,
        )

    @property
    def prompt_tokens(self) -> int:
        """The whole prompt, which decides the price band."""
        return self.input_tokens + self.cache_read + self.written_5m + self.written_1h

    def wire(self) -> JsonObject:
        """The object of a message and of `message_start`."""
        return {
            **self.delta(),
            "cache_creation": self._creation(),
            "service_tier": self.service_tier,
            "speed": self.speed,
            "inference_geo": self.inference_geo,
        }

    def delta(self) -> JsonObject:
        """The cumulative object of `message_delta`."""
        searched: JsonObject = {"web_search_requests": self.searches, "web_fetch_requests": 0}
        found: JsonObject = {
            **self._counts(),
            "output_tokens_details": {"thinking_tokens": self.thinking_tokens},
            "server_tool_use": searched if self.searches else None,
        }
        steps = [step.step() for step in self.iterations]
        if self.compaction is not None:
            summarised: JsonObject = {**self.compaction.step(), "type": "compaction"}
            steps = [summarised, *(steps or [self.step()])]
        if steps:
            found["iterations"] = steps
        return found

    def step(self) -> JsonObject:
        """The entry of `usage.iterations`."""
        return {"type": "message", **self._counts(), "cache_creation": self._creation()}

    def _counts(self) -> JsonObject:
        return {
            "input_tokens": self.input_tokens,
            "cache_creation_input_tokens": self.written_5m + self.written_1h,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": self.output_tokens,
        }

    def _creation(self) -> JsonObject:
        return {"ephemeral_5m_input_tokens": self.written_5m, "ephemeral_1h_input_tokens": self.written_1h}
