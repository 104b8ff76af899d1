"""A record with a field that nobody may see, in every form in which a tool may give it.

For integrations' tests of field minimisation; `forms` needs pandas (`pip install "hauberk[test]"`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from hauberk.guard import Guard

SECRET = "Byron"  # noqa: S105 - a name
"""What the field `name` of the record holds."""
ROW: dict[str, Any] = {"id": 7, "name": SECRET}


@dataclass
class Plain:
    """The record as a dataclass."""

    id: int
    name: str


class Model(BaseModel):
    """The record as a model of pydantic."""

    id: int
    name: str


def forms() -> dict[str, Any]:
    """The record in every form, by the name of the form.

    Example:
        >>> forms()["json"]
        '{"id": 7, "name": "Byron"}'
    """
    import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - heavy, without types

    return {
        "mapping": ROW,
        "list": [ROW],
        "dataclass": Plain(**ROW),
        "model": Model(**ROW),
        "json": json.dumps(ROW),
        "yaml": f"id: 7\nname: {SECRET}\n",
        "frame": pd.DataFrame([ROW]),
    }


def guard_of_fields(*tools: str, **pii: Any) -> Guard:
    """A guard that lets be seen, of results of the first of these tools, the field `id` only.

    Args:
        tools: The tools that may be called.
        pii: Other fields of the room `pii`, instead of that.
    """
    return Guard.from_policy(
        {
            "version": 1,
            "injection": False,
            "capabilities": {"tools": {tool: {"where": {"*": "any"}} for tool in tools}},
            "pii": pii or {"fields": {tools[0]: ["id"]}},
        }
    )
