"""Budget rules: how much a call is expected to use, and how a shortage is told (pure).

Rules:
* Tokens are estimated from the texts when nobody counted them; the provider's count replaces the
  estimate as soon as it is known.
* A refusal says which limit, how much is used, reserved and asked for.
* A shortage of tool calls lets the agent go on without tools. Every other one stops the run, unless
  a part of what is missing is only reserved: a stop would throw away the answers of the calls that
  are under way, and what they do not use comes back.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from hauberk.budget._prices import NANO_USD
from hauberk.budget._store import Limits, Shortage
from hauberk.decisions import Decision, Finding, Severity
from hauberk.events import Segment
from hauberk.policy import BudgetPolicy

BYTES_PER_TOKEN = 4
"""About four characters of English are one token (https://help.openai.com/en/articles/4936856).
Counted in bytes of UTF-8, because other scripts need more tokens per character."""

TOKENS_PER_MESSAGE = 4
"""Frame of one chat message: role and separators (the OpenAI cookbook, "How to count tokens with
tiktoken", counts 3, and 1 more for a name)."""


def estimated_tokens(segments: Iterable[Segment]) -> int:
    """Tokens that these texts are likely to be, without a tokenizer.

    Does not promise to be right: descriptions of tools, images and a model's hidden reasoning are
    not in the texts.

    Example:
        >>> estimated_tokens([Segment.from_user("Hello, world")])
        7
    """
    tokens = 0
    for segment in segments:
        text = segment.text
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        tokens += TOKENS_PER_MESSAGE - (-size // BYTES_PER_TOKEN)
    return tokens


def limits_of(policy: BudgetPolicy) -> Limits:
    """The policy's limits in whole units."""
    return Limits(
        model_calls=policy.model_calls,
        tool_calls=policy.tool_calls,
        tokens=policy.tokens,
        nano_usd=None if policy.usd is None else int(Decimal(str(policy.usd)) * NANO_USD),
        wall_time_s=policy.wall_time_s,
    )


_WORDS = {
    "model_calls": "model calls",
    "tool_calls": "tool calls",
    "tokens": "tokens",
    "nano_usd": "money",
    "wall_time_s": "time",
}
_RULES = {
    "model_calls": "budget.model-calls",
    "tool_calls": "budget.tool-calls",
    "tokens": "budget.tokens",
    "nano_usd": "budget.usd",
    "wall_time_s": "budget.wall-time",
}


def refused(short: Shortage) -> Decision:
    """The decision for a reservation that does not fit."""
    used, reserved, asked, limit = (_told(short.dimension, n) for n in short[1:])
    if short.dimension == "wall_time_s":
        reason = f"the session's time is over ({used} since its first event, limit {limit})"
    else:
        reason = (
            f"the session's budget for {_WORDS[short.dimension]} would be passed "
            f"({used} used, {reserved} reserved, {asked} asked for, limit {limit})"
        )
    tools = short.dimension == "tool_calls"
    if tools:
        reason += "; no more tools can be called, so answer with what is known"
    return _denied(_RULES[short.dimension], reason, stop=not tools and not short.reserved)


def unpriced(model: str | None) -> Decision:
    """The decision for a model whose price nobody knows, where money is limited."""
    if model is None:
        reason = "the model has no name, so its price is not known and `budget.usd` cannot be kept"
    else:
        reason = f"the price of the model is not known; write it to `budget.prices.{model}`"
    return _denied("budget.price", reason, stop=False)


def _denied(rule: str, reason: str, *, stop: bool) -> Decision:
    finding = Finding(rule=rule, category="budget", severity=Severity.MEDIUM, explanation=reason)
    return Decision.deny(reason, findings=[finding], stop=stop)


def _told(dimension: str, number: float) -> str:
    if dimension == "nano_usd":
        return f"${number / NANO_USD:.6f}"
    return f"{number:.1f} s" if dimension == "wall_time_s" else str(int(number))
