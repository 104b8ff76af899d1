"""What a policy says of sources: tools and documents, compiled (pure).

Rules:
* An exact name goes before globs. Of several globs that match, the more careful reading holds: who
  wrote it is untrusted where they differ, labels add up, the effect is the widest.
* Of a tool without a word about it: untrusted, no label, read by the model; `none` when it reads,
  `outside` when it does not.
* A field takes what its whole path says, else what its last name says, else what globs say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar, cast

from hauberk.capabilities._names import is_glob, matcher
from hauberk.capabilities.provenance import Source
from hauberk.policy import CapabilitiesPolicy
from hauberk.policy._flow import FlowSection, Origins, ToolOrigins

T = TypeVar("T")
Path = tuple[str, ...]

UNTRUSTED = "untrusted"
_EFFECTS = ("none", "inside", "outside")
_ACCESS = ("read", "write", "admin")


@dataclass(frozen=True, slots=True)
class ByField:
    """Something that differs by field."""

    names: Mapping[str, object]
    globs: tuple[tuple[Callable[[str], bool], object], ...]

    @classmethod
    def of(cls, said: Mapping[str, object]) -> ByField:
        """Compile what a policy says by field."""
        globs = tuple((matcher(name), what) for name, what in said.items() if is_glob(name))
        return cls({name: what for name, what in said.items() if not is_glob(name)}, globs)

    def at(self, path: Path) -> tuple[object, ...]:
        """What is said of a field: nothing, one thing, or several that differ."""
        whole = ".".join(path)
        for name in (whole, path[-1] if path else ""):
            if name in self.names:
                return (self.names[name],)
        return tuple(dict.fromkeys(what for matches, what in self.globs if matches(whole)))


class SourceView:
    """One source as the policy describes it."""

    def __init__(self, said: tuple[Origins, ...]) -> None:
        self._returns = tuple(
            one.returns if isinstance(one.returns, str) else ByField.of(one.returns) for one in said
        )
        self._reads = tuple(
            one.reads if isinstance(one.reads, tuple) else ByField.of(one.reads) for one in said
        )
        self._hide = tuple(one.hide for one in said)
        self.hides = any(self._hide)
        self.named = any(not isinstance(one, str) for one in self._returns) or any(
            not isinstance(one, tuple) for one in (*self._reads, *self._hide) if one is not True
        )
        """The policy names fields of it."""

    def party(self, path: Path) -> str:
        """Who wrote a field."""
        found: set[str] = set()
        for one in self._returns:
            said = (one,) if isinstance(one, str) else one.at(path)
            found.update(str(party) for party in said)
        return found.pop() if len(found) == 1 else UNTRUSTED

    def labels(self, path: Path) -> frozenset[str]:
        """Labels of a field."""
        found: set[str] = set()
        for one in self._reads:
            groups = (one,) if isinstance(one, tuple) else one.at(path)
            for labels in groups:
                found.update(cast("tuple[str, ...]", labels))
        return frozenset(found)

    def hidden(self, path: Path) -> bool:
        """Whether the model must not read a field."""
        last, whole = path[-1] if path else "", ".".join(path)
        return any(
            one if isinstance(one, bool) else last in one or whole in one for one in self._hide
        )

    def parties(self) -> frozenset[str]:
        """Every party that may have written something in it."""
        found: set[str] = set()
        for one in self._returns:
            if isinstance(one, str):
                found.add(one)
            else:
                found.add(UNTRUSTED)
                found.update(str(party) for party in one.names.values())
        return frozenset(found or {UNTRUSTED})

    def all_labels(self) -> frozenset[str]:
        """Every label that something in it may bear."""
        found: set[str] = set()
        for one in self._reads:
            if isinstance(one, tuple):
                found.update(one)
            else:
                groups = (*one.names.values(), *(labels for _, labels in one.globs))
                found.update(*(cast("tuple[str, ...]", labels) for labels in groups))
        return frozenset(found)


class ToolView(SourceView):
    """One tool as the policy describes it."""

    def __init__(self, name: str, rules: tuple[tuple[str, ToolOrigins], ...]) -> None:
        said = tuple(rule for _, rule in rules)
        super().__init__(said)
        self.name = name
        self.access = max((_access(rule) for rule in said), key=_ACCESS.index, default="write")
        self.effect = max((_effect(rule) for rule in said), key=_EFFECTS.index, default="outside")
        self.vouches = {arg: party for rule in said for arg, party in rule.vouches.items()}
        kept = [frozenset(rule.declassifies) for rule in said]
        self.declassifies = frozenset[str].intersection(*kept) if kept else frozenset[str]()

    def is_meant(self, target: str) -> bool:
        """Whether a target of a rule (a class of tools, a name, a glob) means this tool."""
        if target in _ACCESS:
            return target == self.access
        if target in _EFFECTS:
            return target == self.effect
        return matcher(target)(self.name)


def _access(rule: ToolOrigins) -> str:
    return str(getattr(rule, "access", "write"))


def _effect(rule: ToolOrigins) -> str:
    return rule.effect or ("none" if _access(rule) == "read" else "outside")


class Sources:
    """All sources of a policy. Thread-safe: what is kept is made anew at worst."""

    def __init__(self, policy: FlowSection) -> None:
        self._tools = policy.tools if isinstance(policy, CapabilitiesPolicy) else {}
        self._documents = policy.documents
        self._views: dict[str, ToolView] = {}

    def tool(self, name: str) -> ToolView:
        """What is said of a tool."""
        view = self._views.get(name)
        if view is None:
            view = ToolView(name, _said(self._tools, name))
            if len(self._views) < MAX_VIEWS:
                self._views[name] = view
        return view

    def document(self, ident: str) -> SourceView:
        """What is said of a document."""
        return SourceView(tuple(one for _, one in _said(self._documents, ident)))


MAX_VIEWS = 1024
"""Names of tools whose view is kept; names may be an attacker's."""


def _said(rules: Mapping[str, T], name: str) -> tuple[tuple[str, T], ...]:
    if name in rules and not is_glob(name):
        return ((name, rules[name]),)
    return tuple((key, rule) for key, rule in rules.items() if is_glob(key) and matcher(key)(name))


def source_of(view: SourceView, kind: str, name: str, call: int, path: Path) -> Source:
    """The source that a field is."""
    return Source(view.party(path), kind, name, call, path, view.labels(path))
