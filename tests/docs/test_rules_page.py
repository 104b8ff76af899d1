"""Every field of a tool and every kind of constraint is on the page about rules."""

from pathlib import Path

import pytest

from hauberk.policy import Constraint, Role, ToolRule, When

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text("utf-8")


@pytest.mark.parametrize("model", [ToolRule, Constraint, When, Role])
def test_the_page_names_every_field(model: type[ToolRule | Constraint | When | Role]) -> None:
    assert [name for name in model.model_fields if f"`{name}" not in PAGE] == []


def test_the_page_names_every_field_of_a_kind() -> None:
    for name, field in Constraint.model_fields.items():
        if name != "optional":
            kind = next(k for k in field.annotation.__args__ if k is not type(None))  # type: ignore[union-attr]  # `X | None`
            assert [f for f in kind.model_fields if f"`{f}" not in PAGE] == [], name
