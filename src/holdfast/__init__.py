"""holdfast: the production runtime for Claude agents.

Names are loaded when they are first used, so that `import holdfast` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from holdfast.version import __version__ as __version__

if TYPE_CHECKING:
    from holdfast.agent.agent import ProductionAgent as ProductionAgent
    from holdfast.agent.memory_agent import MemoryAgent as MemoryAgent
    from holdfast.agent.reply import Reply as Reply
    from holdfast.agent.series import BasicAgent as BasicAgent
    from holdfast.agent.series import ConversationalAgent as ConversationalAgent
    from holdfast.agent.series import ToolAgent as ToolAgent
    from holdfast.agent.tools import tool as tool
    from holdfast.errors import BudgetExhausted as BudgetExhausted
    from holdfast.errors import CallNotPermitted as CallNotPermitted
    from holdfast.errors import ConfigError as ConfigError
    from holdfast.errors import DeadlineExceeded as DeadlineExceeded
    from holdfast.errors import HoldfastError as HoldfastError
    from holdfast.errors import InputRejected as InputRejected
    from holdfast.errors import NotAllowed as NotAllowed
    from holdfast.errors import RateLimited as RateLimited
    from holdfast.errors import Refused as Refused
    from holdfast.errors import Stopped as Stopped
    from holdfast.errors import StoreUnavailable as StoreUnavailable
    from holdfast.errors import StreamInterrupted as StreamInterrupted
    from holdfast.errors import Unauthenticated as Unauthenticated
    from holdfast.errors import UnknownModel as UnknownModel
    from holdfast.errors import UpstreamError as UpstreamError
    from holdfast.errors import UpstreamUnavailable as UpstreamUnavailable
    from holdfast.hold import Holdfast as Holdfast
    from holdfast.parts.breaker import CircuitBreaker as CircuitBreaker
    from holdfast.parts.budget import Budget as Budget
    from holdfast.parts.cache import Cache as Cache
    from holdfast.parts.cost import CostTracker as CostTracker
    from holdfast.parts.prices import PriceBook as PriceBook
    from holdfast.parts.quota import Quota as Quota
    from holdfast.parts.redactor import Redactor as Redactor
    from holdfast.parts.retry import Retry as Retry
    from holdfast.parts.retry import is_retryable as is_retryable
    from holdfast.parts.route import Route as Route
    from holdfast.parts.validator import InputValidator as InputValidator
    from holdfast.settings import Settings as Settings
    from holdfast.teams.review import CodeReviewSystem as CodeReviewSystem
    from holdfast.telemetry.logs import AgentLogger as AgentLogger
    from holdfast.wire.usage import Usage as Usage

_HOMES = {
    "AgentLogger": "telemetry.logs",
    "BasicAgent": "agent.series",
    "Budget": "parts.budget",
    "BudgetExhausted": "errors",
    "Cache": "parts.cache",
    "CallNotPermitted": "errors",
    "CircuitBreaker": "parts.breaker",
    "CodeReviewSystem": "teams.review",
    "ConfigError": "errors",
    "ConversationalAgent": "agent.series",
    "CostTracker": "parts.cost",
    "DeadlineExceeded": "errors",
    "Holdfast": "hold",
    "HoldfastError": "errors",
    "InputRejected": "errors",
    "InputValidator": "parts.validator",
    "MemoryAgent": "agent.memory_agent",
    "NotAllowed": "errors",
    "PriceBook": "parts.prices",
    "ProductionAgent": "agent.agent",
    "Quota": "parts.quota",
    "RateLimited": "errors",
    "Redactor": "parts.redactor",
    "Refused": "errors",
    "Reply": "agent.reply",
    "Retry": "parts.retry",
    "Route": "parts.route",
    "Settings": "settings",
    "Stopped": "errors",
    "StoreUnavailable": "errors",
    "StreamInterrupted": "errors",
    "ToolAgent": "agent.series",
    "Unauthenticated": "errors",
    "UnknownModel": "errors",
    "UpstreamError": "errors",
    "UpstreamUnavailable": "errors",
    "Usage": "wire.usage",
    "is_retryable": "parts.retry",
    "tool": "agent.tools",
}

__all__ = [
    "AgentLogger",
    "BasicAgent",
    "Budget",
    "BudgetExhausted",
    "Cache",
    "CallNotPermitted",
    "CircuitBreaker",
    "CodeReviewSystem",
    "ConfigError",
    "ConversationalAgent",
    "CostTracker",
    "DeadlineExceeded",
    "Holdfast",
    "HoldfastError",
    "InputRejected",
    "InputValidator",
    "MemoryAgent",
    "NotAllowed",
    "PriceBook",
    "ProductionAgent",
    "Quota",
    "RateLimited",
    "Redactor",
    "Refused",
    "Reply",
    "Retry",
    "Route",
    "Settings",
    "Stopped",
    "StoreUnavailable",
    "StreamInterrupted",
    "ToolAgent",
    "Unauthenticated",
    "UnknownModel",
    "UpstreamError",
    "UpstreamUnavailable",
    "Usage",
    "is_retryable",
    "tool",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
