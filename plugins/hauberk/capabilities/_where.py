"""`where`: typed constraints on the arguments of a call, wherever they stand in it.

Rules:
* A constraint is about an argument (`to`), or about a value inside it (`message.to`); of lists, each
  item is judged. `*` is every argument that nothing else names.
* An argument that is constrained must be there, unless its constraint says `optional`.
* An argument that no constraint and no schema names is refused.
* A denial holds when every argument that it names has a part that is like it, or cannot be read.
* Whatever fails while a value is judged makes it unreadable: no foreign code decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from hauberk.capabilities._names import is_plain
from hauberk.capabilities._schema import Violation
from hauberk.capabilities._values import Opaque, is_list, is_mapping, kind, real
from hauberk.capabilities.kinds import Kind, Misfit, compiled
from hauberk.policy import Constraint

At = tuple[str | int, ...]
Arguments = Mapping[str, object]

_MISSING = object()
_SCALARS = frozenset({"null", "boolean", "integer", "number", "string"})


@dataclass(frozen=True, slots=True)
class _One:
    """One compiled entry of a `where`."""

    at: At
    """Its place in the policy."""
    steps: tuple[str, ...]
    kinds: tuple[Kind, ...]
    optional: bool


class Constraints:
    """The entries of one or several `where`, compiled. Frozen: safe for every thread."""

    def __init__(
        self,
        entries: Iterable[tuple[At, str, Constraint | str]],
        *,
        named: Iterable[str] = (),
        deny: bool = False,
    ) -> None:
        """Compile.

        Args:
            entries: Place in the policy, argument, and constraint (or `any`).
            named: Arguments that may be there besides.
            deny: They say what is denied.

        Raises:
            MissingExtraError: A kind needs an extra that is not installed.
            ValueError: A constraint cannot be used; says why.
        """
        entries = list(entries)
        all_ = [
            _One(at, tuple(name.split(".")), tuple(compiled(one, deny=deny)), one.optional)
            for at, name, one in entries
            if isinstance(one, Constraint)
        ]
        self._ones = tuple(one for one in all_ if one.steps != ("*",))
        self._others = tuple(one for one in all_ if one.steps == ("*",))
        names = {name for _, name, _ in entries}
        self._closed = bool(entries) and "*" not in names
        self._place = entries[0][0][:-1] if entries else ()
        self._named = frozenset(named) | {name.split(".")[0] for name in names}
        self._gives = tuple(one for one in all_ if any(check.give for check in one.kinds))

    @property
    def is_empty(self) -> bool:
        """Whether every call fits, and is left as it is."""
        return not (self._ones or self._others or self._closed)

    def violation(self, arguments: Arguments) -> Violation | None:
        """The first argument that does not fit. Never raises."""
        for one in self._ones:
            bad = _misfit(one, arguments)
            if bad is not None:
                return bad
        if not self._others and not self._closed:
            return None
        for name in arguments:
            if name not in self._named:
                bad = self._unnamed(name, arguments)
                if bad is not None:
                    return bad
        return None

    def _unnamed(self, name: str, arguments: Arguments) -> Violation | None:
        for one in self._others:
            bad = _misfit(_One(one.at, (name,), one.kinds, one.optional), arguments)
            if bad is not None:
                return bad
        if not self._closed:
            return None
        at = (*self._place, name if is_plain(name) else "*")
        return Violation(
            where=_shown((name,)), wants="is not named by the rule", got="", at=at, needed="any"
        )

    def given(self, arguments: Arguments) -> Arguments:
        """The arguments as the tool gets them: with resolved paths, where the policy says so."""
        for one in self._gives:
            for given in one.kinds:
                if given.give is not None:
                    changed = _changed(arguments, one.steps, given.give)
                    arguments = cast("Arguments", changed)
        return arguments

    def denies(self, arguments: Arguments) -> bool:
        """Whether a denial with these constraints holds for the arguments."""
        return all(_like(one, arguments) for one in (*self._ones, *self._others))


def _misfit(one: _One, arguments: Arguments) -> Violation | None:
    for where, value in _values(arguments, one.steps, ()):
        if value is _MISSING or value is None:
            if not one.optional:
                at = (*one.at, "optional")
                return Violation(
                    where=_shown(where), wants="is missing", got="", at=at, needed=True
                )
            continue
        for check in one.kinds:
            misfit = _judged(check, value, arguments)
            if misfit is not None:
                field = tuple(misfit.field.split(".")) if misfit.field else ()
                at = (*one.at, check.name, *field)
                needed = misfit.needed if misfit.sure else None
                return Violation(
                    where=_shown(where), wants=misfit.wants, got="", at=at, needed=needed
                )
    return None


def _judged(check: Kind, value: object, arguments: Arguments) -> Misfit | None:
    try:
        parts = [real(part) for part in check.parts(value)]
        for part in parts:
            misfit = check.check(part, arguments)
            if misfit is not None:
                return misfit
        return check.together(parts)
    except Exception as error:  # noqa: BLE001 - what cannot be judged is refused
        return Misfit(f"cannot be judged ({type(error).__name__})", sure=False)


def _like(one: _One, arguments: Arguments) -> bool:
    """Whether some part of an argument is like the constraint of a denial, or may be."""
    steps = one.steps
    if steps == ("*",):
        return any(
            _like(_One(one.at, (name,), one.kinds, one.optional), arguments) for name in arguments
        )
    return any(
        value is not _MISSING
        and value is not None
        and all(_part_like(check, value, arguments) for check in one.kinds)
        for _, value in _values(arguments, steps, ())
    )


def _part_like(check: Kind, value: object, arguments: Arguments) -> bool:
    try:
        misfits = [check.check(real(part), arguments) for part in check.parts(value)]
    except Exception:  # noqa: BLE001 - what cannot be judged may be what is denied
        return True
    return any(misfit is None or not misfit.sure for misfit in misfits)


# --- places in arguments ------------------------------------------------------------------------


def _values(
    value: object, steps: tuple[str, ...], where: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """The values at a place; of lists on the way, in each item."""
    if not steps:
        yield where, real(value)
    elif is_mapping(value):
        inner = value.get(steps[0], _MISSING)
        if inner is _MISSING or inner is None:
            yield (*where, steps[0]), inner
        else:
            yield from _values(inner, steps[1:], (*where, steps[0]))
    elif is_list(value) or isinstance(value, tuple):
        for index, item in enumerate(cast("Iterable[object]", value)):
            yield from _values(item, steps, (*where, index))
    else:
        found = real(value)
        if is_mapping(found):
            yield from _values(found, steps, where)
        else:
            # A text has nothing inside; of a foreign object nobody knows.
            inside = _MISSING if kind(found) in _SCALARS else Opaque(type(found).__name__)
            yield (*where, steps[0]), inside


def _changed(value: object, steps: tuple[str, ...], change: Callable[[object], object]) -> object:
    """A copy of `value` with the values at a place changed."""
    if is_list(value) or isinstance(value, tuple):
        items = [_changed(item, steps, change) for item in cast("Iterable[object]", value)]
        return tuple(items) if isinstance(value, tuple) else items
    if not steps:
        return None if value is None else change(value)
    if is_mapping(value):
        if steps == ("*",):
            return {name: _changed(inner, (), change) for name, inner in value.items()}
        if steps[0] in value:
            return {**value, steps[0]: _changed(value[steps[0]], steps[1:], change)}
    return value


def _shown(where: tuple[str | int, ...]) -> str:
    return "arguments" + "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" if is_plain(step) else ".*"
        for step in where
    )
