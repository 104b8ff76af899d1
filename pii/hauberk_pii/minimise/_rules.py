"""Which fields of which tool, for which purpose.

Rules:
* `fields` names the fields of a tool's result that may be seen at all.
* A tool that any purpose names is limited by purposes: a session sees of its results what its own
  purpose names, and nothing where its purpose does not name the tool, or where it has none.
* Both must let a field be seen. A tool that neither names is not minimised.
* Names of tools are matched like those of `reveal`: an exact name goes before globs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from hauberk.fields import Selection

Fields = Mapping[str, Sequence[str]]
"""Paths by tool."""

_EVERYTHING = Selection.of(["$"])
_NONE = Selection.of([])


class Minimiser:
    """What a policy says of the fields of results. Immutable.

    Example:
        >>> rules = Minimiser({"find_customer": ["id"]}, {})
        >>> rules.chosen("find_customer", None).field("name").nothing
        True
    """

    def __init__(self, fields: Fields, purposes: Mapping[str, Fields]) -> None:
        self._fields = _Chosen(fields)
        self._purposes = {name: _Chosen(tools) for name, tools in purposes.items()}

    @property
    def is_empty(self) -> bool:
        """Whether no tool is ever minimised."""
        return not self._fields.any and not any(one.any for one in self._purposes.values())

    def chosen(self, tool: str, purpose: str | None) -> Selection:
        """What may be seen of a tool's result in a session with this purpose."""
        found = self._fields.of(tool) or _EVERYTHING
        if any(one.of(tool) is not None for one in self._purposes.values()):
            own = self._purposes.get(purpose) if purpose is not None else None
            found = found.both((own.of(tool) if own else None) or _NONE)
        return found


class _Chosen:
    def __init__(self, fields: Fields) -> None:
        self._tools = {tool: Selection.of(paths) for tool, paths in fields.items()}
        self.any = bool(self._tools)

    def of(self, tool: str) -> Selection | None:
        """The selection for a tool; None when it is not named."""
        if tool in self._tools:
            return self._tools[tool]
        return next((one for name, one in self._tools.items() if fnmatchcase(tool, name)), None)
