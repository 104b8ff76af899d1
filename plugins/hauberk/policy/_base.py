"""What every part of a policy has in common."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class OnError(StrEnum):
    """What happens when a plugin itself fails."""

    DENY = "deny"
    ALLOW = "allow"


class Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        # An infinite limit could never fire; `null` says so openly.
        allow_inf_nan=False,
    )


class Section(Model):
    """A part of a policy that can fail."""

    on_error: OnError = OnError.DENY
    """What to do when this part itself fails. `allow` opens a hole, and is recorded."""
