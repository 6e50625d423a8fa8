"""The agents of the earlier days of the series, by the names that they had there."""

from dataclasses import KW_ONLY, dataclass

from holdfast.agent.agent import ProductionAgent
from holdfast.agent.archive import Where


@dataclass(slots=True, eq=False)
class BasicAgent(ProductionAgent):
    """The agent of the first day: `await BasicAgent().chat("Hello")` asks and answers.

    Everything of `ProductionAgent` is there, too: it is refused, retried, counted and recorded like any other.
    """


@dataclass(slots=True, eq=False)
class ConversationalAgent(ProductionAgent):
    """The agent that holds conversations: they are kept in the store of the settings, and gone on with by their id.

    Example:
        agent = ConversationalAgent(name="support")
        talk = agent.conversation("ticket-42", user="minji")
        print(await talk.say("Where were we?"))

    What was said is kept as it was said, unmasked, for the model has to be shown it again; `forget` deletes it, and
    `store.keep_days` does so by and by.
    """

    _: KW_ONLY
    sessions: Where = "store"


@dataclass(slots=True, eq=False)
class ToolAgent(ProductionAgent):
    """The agent that acts: `ToolAgent(tools=[...])` runs the functions that the model calls, those of `@tool` or any.

    Everything of `ProductionAgent` is there, too: what acts on the world is asked about where a person must decide.
    """
