"""What a model does not do: sampling parameters, thinking modes, forced tools, long outputs, fast mode."""

from datetime import date

from holdfast.simulator.fields import NEW_VERSION, SAMPLING
from holdfast.simulator.models import Model
from holdfast.simulator.problems import invalid
from holdfast.simulator.values import JsonObject, as_object, content_blocks, objects, word

MINIMUM_BUDGET = 1_024


def check(body: JsonObject, model: Model, day: date, *, version: str) -> None:
    """Refuse what this model refuses."""
    _output(body, model)
    _sampling(body, model)
    _thinking(as_object(body.get("thinking")), body, model)
    _tool_choice(as_object(body.get("tool_choice")), body, model)
    _place_and_speed(body, model, day)
    if version == NEW_VERSION:
        _citations(body)


def _output(body: JsonObject, model: Model) -> None:
    limit = body["max_tokens"]
    if isinstance(limit, int) and limit > model.max_output:
        invalid(
            f"max_tokens: {limit} > {model.max_output}, which is the maximum allowed number of output tokens "
            f"for {model.id}"
        )
    if limit == 0 and body.get("stream") is True:
        invalid("max_tokens: 0 only warms the prompt cache and cannot be combined with stream")


def _sampling(body: JsonObject, model: Model) -> None:
    given = [name for name in SAMPLING if body.get(name) is not None]
    if model.tokenizer == "new":
        for name in given:
            if not (name != "top_k" and body[name] == 1):
                invalid(f"`{name}` is deprecated for this model.")
    elif {"temperature", "top_p"} <= set(given):
        invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _thinking(thinking: JsonObject, body: JsonObject, model: Model) -> None:
    if not thinking:
        return
    mode = word(thinking, "type")
    if mode not in ("adaptive", "enabled", "disabled", "between_tools"):
        invalid("thinking.type: Input should be 'adaptive', 'enabled', 'disabled' or 'between_tools'")
    if mode not in model.thinking:
        instead = ' Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
        hint = instead if "adaptive" in model.thinking else ""
        invalid(f'"thinking.type.{mode}" is not supported for this model.{hint}')
    if mode == "enabled":
        _thinking_budget(thinking, body)
    if mode == "disabled" and "adaptive" in model.thinking and _effort(body) in ("xhigh", "max"):
        invalid(f'thinking.type: "disabled" is not supported at effort "{_effort(body)}" for this model')


def _thinking_budget(thinking: JsonObject, body: JsonObject) -> None:
    budget, limit = thinking.get("budget_tokens"), body["max_tokens"]
    if not isinstance(budget, int):
        invalid("thinking.enabled.budget_tokens: Field required")
    if budget < MINIMUM_BUDGET:
        invalid(f"thinking.enabled.budget_tokens: Input should be greater than or equal to {MINIMUM_BUDGET}")
    if isinstance(limit, int) and 0 < limit <= budget:
        invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _effort(body: JsonObject) -> str:
    return word(as_object(body.get("output_config")), "effort")


def _tool_choice(choice: JsonObject, body: JsonObject, model: Model) -> None:
    kind = choice.get("type")
    if kind not in ("any", "tool"):
        return
    if not model.forced_tool_choice:
        invalid(f'tool_choice.type: "{kind}" is not supported for this model. Use "auto" or "none".')
    if word(as_object(body.get("thinking")), "type") == "enabled":
        invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _place_and_speed(body: JsonObject, model: Model, day: date) -> None:
    if body.get("inference_geo") is not None and model.us_multiplier is None:
        invalid("inference_geo: is not supported for this model")
    if body.get("inference_geo") not in (None, "us", "global"):
        invalid("inference_geo: Input should be 'us' or 'global'")
    if body.get("speed") == "fast" and not model.fast_ignored and model.fast_rates(day) is None:
        invalid("speed: 'fast' is not supported for this model")


def _citations(body: JsonObject) -> None:
    for index, message in enumerate(objects(body.get("messages"))):
        for block in content_blocks(message.get("content")):
            if message.get("role") == "user" and block.get("type") == "text" and block.get("citations"):
                invalid(f"messages.{index}.content: citations are not permitted in user text")
