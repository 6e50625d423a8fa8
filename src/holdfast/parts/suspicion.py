"""How much texts of tools read like attacks, remembered for a while, since clients send them with every turn."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from holdfast.parts.reading import Reader, Reading
from holdfast.parts.validator import InputValidator
from holdfast.parts.verdicts import Verdicts
from holdfast.policy.monitoring import decide
from holdfast.policy.portion import ends, in_reach
from holdfast.policy.screening import Action, ScreenConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Says how much a text reads like an attack, always the same of the same text. For any thread.

    What it keeps of a text is a keyed digest, in a memory that the screen may share. It suspects nothing where
    the settings do not screen what tools say; what rules say that only watch is suspicious and no attack. Of a
    text beyond `max_examined` both ends are read, and it is suspicious in any case: nobody knows the rest.
    """

    config: ScreenConfig
    validator: InputValidator = field(default_factory=InputValidator)
    verdicts: Verdicts[Reading] = field(default_factory=lambda: Verdicts[Reading]())
    _reader: Reader = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        reader = Reader(validator=self.validator, verdicts=self.verdicts, steadfast=True)
        object.__setattr__(self, "_reader", reader)

    def is_suspicious(self, text: str) -> bool:
        """Whether the screen finds more in it than it lets pass without a word: enough to put up a fence."""
        return self._verdict(text) != "allow" or (self._reads and len(text) > self.config.max_examined)

    def is_attack(self, text: str) -> bool:
        """Whether the screen is so sure that it would refuse it: enough to do nothing more without asking."""
        return self._verdict(text) == "block"

    def knows(self, text: str) -> bool:
        """Whether it can be said at once."""
        return self._reader.knows(ends(text, self.config.max_examined), "tool")

    def in_reach(self, texts: Sequence[str]) -> tuple[bool, ...]:
        """Which texts of a conversation are read: in their order, until there were `max_examined` characters."""
        most = self.config.max_examined
        return in_reach([len(text) for text in texts], most) if self._reads else (True,) * len(texts)

    @property
    def _reads(self) -> bool:
        return self.config.enabled and "tool" in self.config.channels

    def _verdict(self, text: str) -> Action:
        if not self._reads:
            return "allow"
        seen = self._reader.read(ends(text, self.config.max_examined), "tool")
        return decide(seen.findings, self.config, detected=seen.first.score).action
