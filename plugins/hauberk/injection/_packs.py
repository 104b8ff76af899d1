"""Rule packs: the one that ships with hauberk, and packs of your own, read from YAML.

Rules:
* A pack of your own is added to the one that ships; it may use the categories and terms of that one
  and add its own, never change them.
* What is wrong with a pack is refused when it is loaded: with the reason, file and line.
* A pack that must be signed is read only when its signature is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hauberk.errors import PolicyError
from hauberk.injection._rules import Category, Place, Rule, RulePack
from hauberk.injection._signing import read_signed
from hauberk.policy import RulesFile
from hauberk.policy._load import Lines, parse_yaml, read_yaml

_T = TypeVar("_T")

SHIPPED = ("core.yaml", "structure.yaml", "languages.yaml")
"""Files of the pack that ships with hauberk, in the folder `rules`."""


class Pack(BaseModel):
    """What a pack file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    name: str = Field(default="hauberk", pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=64)
    """Stable name: an update has the name of what it replaces."""
    version: int = Field(default=1, ge=1)
    """Rises with each change."""
    categories: dict[str, Category] = {}
    """Categories beside those that ship."""
    terms: dict[str, str] = {}
    """What `{{name}}` stands for in patterns."""
    rules: tuple[Rule, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class PackFile:
    """A pack and where it was read."""

    pack: Pack
    source: str
    lines: Mapping[tuple[str | int, ...], int]

    def places(self) -> Iterable[Place]:
        """File and line of each rule."""
        return ((self.source, self.lines.get(("rules", n))) for n in range(len(self.pack.rules)))


@lru_cache(maxsize=1)
def load_pack() -> RulePack:
    """The pack that ships with hauberk. Loaded once."""
    return _together(shipped())


def load_packs(wanted: Sequence[RulesFile]) -> RulePack:
    """The pack that ships with hauberk and those that a policy names.

    Raises:
        PolicyError: A pack cannot be read or used, or its signature is not right.
    """
    if not wanted:
        return load_pack()
    return with_packs(read_pack(Path(one.path), key=one.key or None) for one in wanted)


def with_packs(packs: Iterable[PackFile]) -> RulePack:
    """The pack that ships with hauberk and others, compiled together.

    Raises:
        PolicyError: Two define the same thing differently, or a rule cannot be used.
    """
    return _together((*shipped(), *packs))


def read_pack(path: Path, *, key: str | Path | None = None) -> PackFile:
    """A pack of your own.

    Args:
        path: The file.
        key: File of the public key that it must be signed with; None: it need not be.

    Raises:
        PolicyError: It cannot be read, is no pack, or is not signed with that key.
    """
    data, lines = read_yaml(path) if key is None else parse_yaml(read_signed(path, Path(key)), path)
    return parse_pack(data, str(path), lines)


def parse_pack(data: object, source: str, lines: Lines) -> PackFile:
    """A pack from the values of its file.

    Raises:
        PolicyError: They are no pack.
    """
    try:
        pack = Pack.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        at = tuple(first["loc"])
        line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), None)
        field = ".".join(str(part) for part in at)
        raise PolicyError(first["msg"], source=source, line=line, field=field) from None
    except RecursionError:
        raise PolicyError("nested too deeply", source=source) from None
    if "name" not in pack.model_fields_set or "version" not in pack.model_fields_set:
        raise PolicyError(
            "a pack has a name and a version",
            source=source,
            line=1,
            remedy="Start with `name: my-rules` and `version: 1`.",
        )
    return PackFile(pack, source, lines)


@lru_cache(maxsize=1)
def shipped() -> tuple[PackFile, ...]:
    """The files of the pack that ships with hauberk."""
    import yaml  # noqa: PLC0415 - only here

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = files("hauberk.injection").joinpath("rules")
    found: list[PackFile] = []
    for name in SHIPPED:
        text = folder.joinpath(name).read_text(encoding="utf-8")
        data: dict[str, Any] = yaml.load(text, Loader=loader)  # noqa: S506 - a safe loader
        found.append(PackFile(Pack.model_validate(data), name, {}))
    return tuple(found)


def _together(packs: Iterable[PackFile]) -> RulePack:
    found = tuple(packs)
    categories: dict[str, Category] = {}
    terms: dict[str, str] = {}
    for one in found:
        _add(categories, one.pack.categories, one, "category")
        _add(terms, one.pack.terms, one, "term")
    return RulePack(
        [rule for one in found for rule in one.pack.rules],
        version=found[0].pack.version,
        terms=terms,
        categories=categories,
        places=[place for one in found for place in one.places()],
    )


def _add(known: dict[str, _T], new: Mapping[str, _T], pack: PackFile, what: str) -> None:
    for name, value in new.items():
        if known.setdefault(name, value) != value:
            where = "categories" if what == "category" else "terms"
            raise PolicyError(
                f"the {what} {name!r} is there already, and means something else",
                source=pack.source,
                line=pack.lines.get((where, name)),
                field=where,
                remedy="Give it another name.",
            )
