"""Reading a policy, with errors that name the file, the line and the field.

Rules:
* A missing, empty, too large or unreadable file is an error, never a permissive policy.
* A key written twice, a cycle of anchors, an alias bomb and a second document are errors.
* An unknown key is answered with the nearest known one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from stat import S_ISREG
from types import UnionType
from typing import Annotated, Any, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hauberk.errors import PolicyError
from hauberk.policy._model import Policy

MAX_BYTES = 1024 * 1024
"""Largest policy file. Real ones have a few kilobytes."""

MAX_NODES = 20_000
"""Most values, as written and after aliases are written out: half a second of reading."""

MAX_NESTING = 100
"""Deepest nesting of a policy file."""

_MAX_FIELD = 120
"""Longest name of a field in an error, in characters."""

_TOO_MUCH = "too many values or too deeply nested"

Lines = dict[tuple[str | int, ...], int]


def load_policy(source: Policy | Mapping[str, object] | str | Path) -> Policy:
    """A policy from a file, a mapping, or itself.

    Args:
        source: Path of a YAML file (`str` or `Path`), a mapping of the same shape, or a `Policy`.

    Raises:
        PolicyError: The file or the mapping is no policy; says what, where, and how to mend it.

    Example:
        >>> load_policy({"version": 1, "pii": False}).pii
        False
    """
    if isinstance(source, Policy):
        return source
    if isinstance(source, Mapping):
        return _validated(source, source="policy", lines={})
    path = Path(source)
    data, lines = _parse(_read(path), path)
    return _validated(data, source=str(path), lines=lines)


def read_yaml(path: Path) -> tuple[object, Lines]:
    """What a YAML file holds, within the bounds of policy files, and the line of each value.

    Raises:
        PolicyError: It cannot be read, or is no YAML.
    """
    return _parse(_read(path), path)


def parse_yaml(raw: bytes, path: Path) -> tuple[object, Lines]:
    """The same for the bytes of a file that was read already; `path` is for errors.

    Raises:
        PolicyError: They are no YAML, or more than a policy file may have.
    """
    if len(raw) > MAX_BYTES:
        raise _too_large(len(raw), path)
    return _parse(_decoded(raw, path), path)


def _read(path: Path) -> str:
    try:
        found = path.stat()
        # Not a pipe or a device: they may have no end.
        raw = path.read_bytes() if S_ISREG(found.st_mode) and found.st_size <= MAX_BYTES else None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise PolicyError(
            f"cannot be read ({why})", source=path, remedy="Check the path."
        ) from None
    if raw is None and S_ISREG(found.st_mode):
        raise _too_large(found.st_size, path)
    if raw is None:
        raise PolicyError("is not a file", source=path, remedy="Check the path.")
    return _decoded(raw, path)


def _too_large(size: int, path: Path) -> PolicyError:
    return PolicyError(
        f"the file has {size} bytes, more than {MAX_BYTES}",
        source=path,
        remedy="Split off whatever is not policy.",
    )


def _decoded(raw: bytes, path: Path) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PolicyError(
            f"not UTF-8 at byte {error.start}", source=path, line=line, remedy="Save it as UTF-8."
        ) from None


def _parse(text: str, path: Path) -> tuple[object, Lines]:
    import yaml  # noqa: PLC0415 - 20 ms that a policy written in Python does not need

    try:
        root = yaml.compose(text, Loader=_bounded_loader())
    except yaml.reader.ReaderError as error:
        at = text.count("\n", 0, error.position) + 1
        problem = f"the character U+{error.character:04X} is not allowed"
        raise PolicyError(problem, source=path, line=at) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1
        raise PolicyError(f"not YAML: {error.problem}", source=path, line=line) from None
    except yaml.YAMLError as error:
        raise PolicyError(f"not YAML: {type(error).__name__}", source=path) from None
    if root is None:
        raise PolicyError("the file is empty", source=path, remedy="Start with `version: 1`.")
    lines: Lines = {}
    reader = _Reader(path, lines)
    return reader.value(root, (), ()), lines


@cache
def _bounded_loader() -> Any:
    """A loader that stops at the bounds, instead of building everything first."""
    import yaml  # noqa: PLC0415
    from yaml.composer import ComposerError  # noqa: PLC0415

    class BoundedLoader(yaml.SafeLoader):
        nodes = 0
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.nodes += 1
            self.depth += 1
            if self.nodes > MAX_NODES or self.depth > MAX_NESTING:
                mark = cast("Any", self).peek_event().start_mark
                raise ComposerError(problem=_TOO_MUCH, problem_mark=mark)
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

    return BoundedLoader


class _Reader:
    """Turns YAML nodes into values, noting the line of each."""

    def __init__(self, path: Path, lines: Lines) -> None:
        import yaml  # noqa: PLC0415

        self._yaml = yaml
        self._scalars: Any = yaml.SafeLoader("")
        self._path = path
        self._lines = lines
        self._count = 0

    def value(self, node: Any, at: tuple[str | int, ...], open_: tuple[int, ...]) -> object:
        line = node.start_mark.line + 1
        self._lines[at] = line
        self._count += 1
        if id(node) in open_:
            raise self._error("an anchor contains itself", line, at)
        if self._count > MAX_NODES or len(open_) > MAX_NESTING:
            raise self._error(_TOO_MUCH, line, at)
        inside = (*open_, id(node))
        if isinstance(node, self._yaml.SequenceNode):
            return [self.value(item, (*at, i), inside) for i, item in enumerate(node.value)]
        if isinstance(node, self._yaml.MappingNode):
            return dict(self._pairs(node, at, inside))
        return self._scalar(node, line, at)

    def _pairs(
        self, node: Any, at: tuple[str | int, ...], inside: tuple[int, ...]
    ) -> Iterator[tuple[str, object]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, self._yaml.ScalarNode):
                raise self._error("a key must be a plain word", line, at)
            # The written form, not the YAML 1.1 reading: `on` and `no` are names of keys here.
            key = str(key_node.value)
            if key == "<<":
                raise self._error("merge keys are not read: write the values out", line, at)
            if key in seen:
                raise self._error(f"{key!r} is written twice", line, (*at, key))
            seen.add(key)
            yield key, self.value(value_node, (*at, key), inside)
            # Where the author looks for it: at the key, not at the first line of what it holds.
            self._lines[(*at, key)] = line

    def _scalar(self, node: Any, line: int, at: tuple[str | int, ...]) -> object:
        try:
            value: object = self._scalars.construct_object(node)
        except (self._yaml.YAMLError, ValueError, OverflowError):
            raise self._error(f"cannot read a value of type {node.tag}", line, at) from None
        return value

    def _error(self, problem: str, line: int, at: tuple[str | int, ...]) -> PolicyError:
        return PolicyError(problem, source=self._path, line=line, field=_dotted(at))


def _validated(data: object, *, source: str, lines: Lines) -> Policy:
    if not isinstance(data, Mapping) or not data:
        raise PolicyError(
            "the policy is empty or not a mapping",
            source=source,
            line=lines.get(()),
            remedy="Start with `version: 1`.",
        )
    try:
        return Policy.model_validate(data)
    except ValidationError as error:
        given = cast("Mapping[str, object]", data)
        raise _policy_error(error, given, source=source, lines=lines) from None
    except RecursionError:
        raise PolicyError("nested too deeply", source=source) from None


def _policy_error(
    error: ValidationError, data: Mapping[str, object], *, source: str, lines: Lines
) -> PolicyError:
    # Unions report every branch; the deepest place is the one that the author meant. A misspelt key
    # goes before the key that is missing because of it.
    first = max(
        error.errors(include_input=False, include_url=False),
        key=lambda item: (len(_error_at(item, data)), item["type"] == "extra_forbidden"),
    )
    at = _error_at(first, data)
    line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), None)
    if first["type"] == "extra_forbidden":
        known = _fields_at(at[:-1])
        near = get_close_matches(str(at[-1]), known, n=1)
        problem = f"unknown key {str(at[-1])!r}"
        remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(sorted(known))}."
    elif first["type"] == "missing":
        problem, remedy = "is missing", "Add `version: 1`." if at == ("version",) else "Add it."
    elif first["type"] in ("model_type", "dict_type"):
        problem, remedy = "must be a mapping of names to values", ""
        if first["type"] == "model_type":
            remedy = _shape(at)
    else:
        problem = first["msg"].removeprefix("Value error, ")
        remedy = str(first.get("ctx", {}).get("remedy", ""))
    return PolicyError(problem, source=source, line=line, field=_dotted(at), remedy=remedy)


def _shape(at: tuple[str | int, ...]) -> str:
    known = ", ".join(sorted(_fields_at(at)))
    off = f" To switch it off: `{at[0]}: off`." if len(at) == 1 and at[0] != "limits" else ""
    return f"Known: {known}.{off}"


def _error_at(error: ErrorDetails, data: object) -> tuple[str | int, ...]:
    """The place of an error. Rules that contradict each other say theirs, below their room."""
    return (*_place(error["loc"], data), *error.get("ctx", {}).get("at", ()))


def _place(loc: tuple[int | str, ...], data: object) -> tuple[str | int, ...]:
    """The part of pydantic's location that is a place in the data (union branches left out)."""
    at: list[str | int] = []
    here: object = data
    # A validator of a whole model, and a word in place of one, are branches too.
    loc = tuple(part for part in loc if not str(part).startswith(("function-", "literal[")))
    for index, part in enumerate(loc):
        if isinstance(here, Mapping):
            named = cast("Mapping[object, object]", here)
            if part in named or index == len(loc) - 1:
                at.append(part)
                here = named.get(part)
        elif isinstance(here, (list, tuple)) and isinstance(part, int):
            items = cast("Sequence[object]", here)
            at.append(part)
            here = items[part] if part < len(items) else None
    return tuple(at)


def _fields_at(at: tuple[str | int, ...]) -> list[str]:
    """Names of the fields that the model at this place has."""
    models: list[type[BaseModel]] = [Policy]
    for part in at:
        types = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        models = [found for kind in types for found in _models_in(kind)] or models
    return [name for model in models for name in model.model_fields]


def _models_in(kind: object) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    elif get_origin(kind) in (Union, UnionType, Annotated, dict, tuple, list):
        for inner in get_args(kind):
            yield from _models_in(inner)


def _dotted(at: tuple[str | int, ...]) -> str:
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).lstrip(".")
    return name if len(name) <= _MAX_FIELD else f"{name[:_MAX_FIELD]}..."
