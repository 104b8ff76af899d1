"""JSON Schema over the arguments of a tool call, made safe to run on what an attacker chose.

Rules:
* Draft 2020-12. Whatever could not be checked is refused when the policy is loaded: unknown
  keywords (a typo would check nothing), unknown formats, references that leave the schema.
* A keyword that is about one type (`maximum`, `pattern`, `items` ...) means that type: without a
  `type` beside it, values of other types do not slip past it. (Plain JSON Schema lets them.)
* Patterns run in RE2, in linear time; what RE2 cannot take is refused when the policy is loaded.
* `pattern` searches, as the standard says: write `^` and `$` for the whole text.
* No reference is ever fetched.
* A violation says where and which keyword, never the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from hauberk.capabilities._names import is_plain
from hauberk.capabilities._quick import quick
from hauberk.capabilities._values import is_list, kind, plain
from hauberk.structure import TooDeepError

if TYPE_CHECKING:
    from jsonschema import ValidationError

MAX_ARGUMENT_PATH = 8
"""Steps of an argument's place that a violation shows; deeper ones are cut."""

_WANTS = {
    "type": "must be of type {0}",
    "enum": "must be one of the values in `enum`",
    "const": "must be the value of `const`",
    "pattern": "must match `pattern`",
    "format": "must have the format {0}",
    "minimum": "must be at least {0}",
    "maximum": "must be at most {0}",
    "exclusiveMinimum": "must be more than {0}",
    "exclusiveMaximum": "must be less than {0}",
    "multipleOf": "must be a multiple of {0}",
    "minLength": "must have at least {0} characters",
    "maxLength": "must have at most {0} characters",
    "minItems": "must have at least {0} items",
    "maxItems": "must have at most {0} items",
    "uniqueItems": "must not repeat an item",
    "additionalProperties": "is not named by the rule",
    "required": "is missing",
}


class SchemaProblemError(ValueError):
    """A schema that cannot be used: `problem`, its place `at` inside the schema, and `remedy`."""

    def __init__(self, problem: str, *, at: str = "", remedy: str = "") -> None:
        self.problem = problem
        self.at = at
        self.remedy = remedy
        super().__init__(f"{at.lstrip('.')}: {problem}" if at else problem)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """Why arguments do not satisfy a schema."""

    where: str
    """Place of the argument: `arguments.to`."""
    wants: str
    """What the schema wants, to follow the place in a sentence."""
    got: str
    """Type of the value that is there, or nothing."""
    keyword: str = ""
    """Place of the keyword in the schema: `.properties.to.pattern`."""
    at: tuple[str | int, ...] = ()
    """Place in the policy, below the tools of the room."""
    needed: object = field(default=None, repr=False)
    """What would have to stand there. May be an argument's value: never told to a model."""


class ArgumentSchema:
    """One compiled schema.

    Example:
        >>> schema = ArgumentSchema({"properties": {"n": {"maximum": 9}}})
        >>> schema.violation({"n": "10"}).wants
        'must be of type number'
    """

    def __init__(self, schema: Mapping[str, object]) -> None:
        """Check and compile.

        Raises:
            SchemaProblemError: The schema cannot be used.
        """
        # jsonschema takes 60 ms to import: only policies with `args` pay for it.
        from hauberk.capabilities._prepare import prepared  # noqa: PLC0415

        self._validator = prepared(schema)
        self._fits = quick(self._validator.schema)

    def violation(self, arguments: Mapping[str, object]) -> Violation | None:
        """The first thing in `arguments` that the schema does not allow. Never raises."""
        if self._fits is not None and self._fits(arguments):
            return None
        try:
            found = next(iter(self._validator.iter_errors(plain(arguments))), None)
            return None if found is None else _violation(found)
        except TooDeepError:
            return _unjudged("is nested too deeply")
        except Exception as error:  # noqa: BLE001 - what cannot be judged is refused
            return _unjudged(f"cannot be judged ({type(error).__name__})")


def _unjudged(wants: str) -> Violation:
    return Violation(where="arguments", wants=wants, got="")


def _violation(error: ValidationError) -> Violation:
    path: list[str | int] = list(error.absolute_path)
    where = "arguments" + "".join(_step(part) for part in path[:MAX_ARGUMENT_PATH])
    keyword = str(error.validator or "")
    got = f"is {_article(kind(error.instance))}"
    wanted: Any = error.validator_value
    if keyword == "required":
        present = cast("Mapping[str, object]", error.instance)
        where += next(_step(name) for name in wanted if name not in present)
    return Violation(
        where=where,
        wants=_wanted(keyword, wanted),
        got=got if keyword == "type" else "",
        keyword="".join(_step(part) for part in error.absolute_schema_path),
        at=tuple(error.absolute_schema_path),
        needed=error.instance,
    )


def _wanted(keyword: str, value: object) -> str:
    if not keyword or (keyword == "not" and value == {}):
        return "is not allowed"
    shown = " or ".join(map(str, value)) if is_list(value) else value
    return _WANTS.get(keyword, f"must satisfy `{keyword}`").format(shown)


def _step(part: str | int) -> str:
    if isinstance(part, int):
        return f"[{part}]"
    # A key below an argument may be chosen by an attacker, or be data itself.
    return f".{part}" if is_plain(part) or part.startswith("$") else ".*"


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
