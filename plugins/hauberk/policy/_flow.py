"""The shape of provenance and flow in `capabilities:`: who wrote what, and where it may go.

Rules:
* A party is somebody who writes: `user`, `developer`, `model`, and whoever the policy names. A party
  is untrusted unless `trusted` names it.
* A label says that data is confidential: `private`, `payroll`. No name is a party and a label.
* A rule that could never hold (a party that nothing returns, a label that nothing reads) is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from hauberk.policy._base import Model, Section

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""Name of a party or a label."""


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _many(model: object) -> BeforeValidator:
    return BeforeValidator(_one_or_many, json_schema_input_type=model)


Parties = Annotated[tuple[Name, ...], _many(Name | tuple[Name, ...])]
Labels = Parties
Names = Annotated[tuple[str, ...], _many(str | tuple[str, ...])]
Targets = Annotated[tuple[str, ...], _many(str | tuple[str, ...])]
"""What a rule is about: `read`, `write`, `admin` (tools of this access), `inside`, `outside` (tools
with this effect), or names and globs of tools."""

Refusal = Literal["deny", "ask"]

Kind = Literal["url", "email", "phone", "account", "number", "date"]
"""What can be found inside a text. `account`: an IBAN, or a code that is written like one."""

OWN_PARTIES = frozenset({"user", "developer", "model"})
"""Parties that are there without a policy. `untrusted` is everybody who is not trusted."""


class Origins(Model):
    """Who wrote what a source returns, and who may learn of it."""

    returns: Name | dict[str, Name] = "untrusted"
    """Who wrote the result: one party, or a party by field. A field is named by its last name
    (`sender`), its whole path without positions (`mail.sender`), or a glob over that path. What is
    not named is untrusted; so is a field of which several globs say different things."""
    reads: Labels | dict[str, Labels] = ()
    """Labels of the result (`private`, `payroll`): all of it, or by field."""
    hide: bool | Names = False
    """Put a reference in the place of the result (or of these fields): the model can pass it on to
    a tool, which gets the real text, but cannot read it."""


class ToolOrigins(Origins):
    """What a tool's results are, and what its calls do to the world."""

    effect: Literal["none", "inside", "outside"] | None = None
    """Whom a call reaches: nobody, the house, or the outside. Without it: `none` for tools that
    read, `outside` for all others."""
    vouches: dict[str, Name] = Field(default_factory=dict)
    """Endorser: once a call has returned, the value of this argument counts as this party's."""
    declassifies: Labels = ()
    """Labels of the arguments that the result does not bear."""


class FlowRule(Model):
    """One sentence about where data may go: one of three.

    * `{tool, args, from}`: these arguments must come from these parties.
    * `{after, deny}` or `{after, ask}`: once this was read, no such call.
    * `{label, never_to}`: data with this label never goes there.
    """

    name: str = Field(default="", max_length=80)
    """What it is called in reasons; its place in the list when not given."""
    tool: Targets | None = None
    """Tools whose arguments are judged: names, globs, `write`, `outside` ..."""
    args: Names = ("*",)
    """Names of arguments; `*` for all."""
    holding: Annotated[tuple[Kind, ...], _many(Kind | tuple[Kind, ...])] = ()
    """Judge only what is of these kinds inside the arguments: the links in a mail, say."""
    whole: bool = False
    """A value must be a whole field of its source (or the user's words), not a part of one."""
    from_: Parties | None = Field(default=None, alias="from")
    """Who may have written the value. `model`: the model, before it read anything untrusted."""
    not_from: Parties | None = None
    """Who must not be the only one to have written the value."""
    after: Parties | None = None
    """Once text of this party, or data with this label, was read in the session."""
    deny: Targets = ()
    ask: Targets = ()
    label: Labels | None = None
    never_to: Targets = ()
    otherwise: Refusal = "deny"
    """What happens to a call that breaks a `from`, `not_from` or `never_to`."""

    @model_validator(mode="after")
    def _one_sentence(self) -> Self:
        about_values = self.from_ is not None or self.not_from is not None
        if self.label is not None or self.never_to:
            complete = bool(self.label and self.never_to)
            alone = not (self.tool or about_values or self.after or self.deny or self.ask)
        elif about_values:
            complete = bool(self.tool and self.args)
            alone = not (self.deny or self.ask)
        else:
            complete = bool(self.after and (self.deny or self.ask))
            alone = not (self.tool or self.holding or self.whole)
        if not (complete and alone):
            raise ValueError(
                "is no sentence: write `tool`, `args` and `from` (or `not_from`); or `after` with "
                "`deny` or `ask`; or `label` with `never_to`"
            )
        return self


class IntentPolicy(Model):
    """The tools of a task, fixed from the user's own words."""

    always: Targets = ("read",)
    """Tools that every task may use."""
    words: dict[str, Names] = Field(default_factory=dict)
    """What users say who want a tool, by name or glob. Tools that are not named here are wanted
    when a word of their name, or a common word for it, is said."""
    use: str | None = Field(default=None, min_length=1)
    """A matcher of the application instead, by its entry point in the group `hauberk.intents`: gets
    the user's message and the policy's tools, gives the tools that the task may use."""
    otherwise: Refusal = "deny"


class FlowSection(Section):
    """Provenance and flow: the part of `capabilities:` about where values come from."""

    trusted: Parties = ()
    """Parties that may be believed, beside the user and the developer."""
    documents: dict[str, Origins] = Field(default_factory=dict)
    """Who wrote retrieved documents, by name or glob of their ids."""
    flow: tuple[FlowRule, ...] = ()
    rule_of_two: Refusal | None = None
    """Untrusted text, private data, an effect outside: at most two of the three in one session. The
    third is refused or asked about."""
    intent: IntentPolicy | None = None

    @model_validator(mode="after")
    def _flows_hold(self) -> Self:
        found = next(_problems(self), None)
        if found is not None:
            at, problem, remedy = found
            details = {"problem": problem, "remedy": remedy, "at": at}
            raise PydanticCustomError("flow", "{problem}", details)
        return self


def origins_of(policy: FlowSection) -> Iterator[Origins]:
    """Every source that a policy names: tools first, then documents."""
    return (origins for _, origins in _sources(policy))


def parties_of(origins: Origins) -> frozenset[str]:
    """Every party that a source may return."""
    if isinstance(origins.returns, str):
        return frozenset({origins.returns})
    return frozenset({*origins.returns.values(), "untrusted"})


def labels_of(origins: Origins) -> frozenset[str]:
    """Every label that data of a source may bear."""
    if isinstance(origins.reads, tuple):
        return frozenset(origins.reads)
    return frozenset(label for labels in origins.reads.values() for label in labels)


_At = tuple[str | int, ...]


def _problems(policy: FlowSection) -> Iterator[tuple[_At, str, str]]:
    """What is wrong with a policy: (place, problem, remedy)."""
    parties, labels = {"untrusted", *OWN_PARTIES}, set[str]()
    for at, origins in _sources(policy):
        returned = parties_of(origins) | _vouched(origins)
        if returned & {"model", "developer"}:
            yield at, "what a tool brings is neither the model's nor the developer's", ""
        parties |= returned
        labels |= labels_of(origins)
    if both := parties & labels:
        yield (), f"{min(both)!r} is a party and a label", "Name one of them otherwise."
    if "untrusted" in policy.trusted:
        yield ("trusted",), "'untrusted' cannot be trusted", "Name who wrote it in `returns`."
    for at, name, known in _unknown(policy, parties, labels):
        near = get_close_matches(name, known, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
        yield at, f"nothing brings {name!r}: this could never hold", remedy


def _sources(policy: FlowSection) -> Iterator[tuple[_At, Origins]]:
    tools: dict[str, Origins] = getattr(policy, "tools", {})
    yield from ((("tools", name), one) for name, one in tools.items())
    yield from ((("documents", name), one) for name, one in policy.documents.items())


def _vouched(origins: Origins) -> frozenset[str]:
    return frozenset(origins.vouches.values() if isinstance(origins, ToolOrigins) else ())


def _unknown(
    policy: FlowSection, parties: set[str], labels: set[str]
) -> Iterator[tuple[_At, str, frozenset[str]]]:
    """Names that nothing brings, each with its place and the names that are known there."""
    known_parties, known_labels = frozenset(parties), frozenset(labels)
    targets = frozenset(getattr(policy, "tools", {})) | _CLASSES
    trusted: tuple[tuple[_At, tuple[str, ...], frozenset[str]], ...] = (
        (("trusted",), policy.trusted, known_parties),
    )
    rules = (
        (("flow", number, field), names, known)
        for number, rule in enumerate(policy.flow)
        for field, names, known in (
            ("from", rule.from_ or (), known_parties),
            ("not_from", rule.not_from or (), known_parties),
            ("label", rule.label or (), known_labels),
            ("after", rule.after or (), known_parties | known_labels),
            *((field, getattr(rule, field) or (), targets) for field in _TARGETS),
        )
    )
    for at, names, known in (*trusted, *rules):
        for name in names:
            if name not in known and not (at[-1] in _TARGETS and set(name) & set("*?[")):
                yield at, name, known


_CLASSES = frozenset({"read", "write", "admin", "inside", "outside"})
"""Words that stand for many tools."""
_TARGETS = ("tool", "deny", "ask", "never_to")
"""Fields of a rule that name tools."""
