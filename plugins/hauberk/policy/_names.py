"""The shape of `pii.names`: who finds names of people and places."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hauberk.policy._base import Model


class NamesModel(Model):
    """A model that is installed already, used instead of the tagger. Exactly one is named.

    Nothing is ever downloaded: a model that is not there is an error with the line that installs it.
    """

    spacy: str | None = Field(default=None, min_length=1)
    """Name of an installed package, such as `en_core_web_sm`, or a folder."""
    gliner: str | None = Field(default=None, min_length=1)
    """A folder with a GLiNER model."""
    transformers: str | None = Field(default=None, min_length=1)
    """A folder with a model for token classification and its tokenizer."""
    stanza: str | None = Field(default=None, min_length=1)
    """A folder with stanza's resources for the policy's language."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.named()) != 1:
            raise ValueError("name exactly one of: spacy, gliner, transformers, stanza")
        return self

    def named(self) -> dict[str, str]:
        """The libraries that are named, with their models."""
        fields = {
            "spacy": self.spacy,
            "gliner": self.gliner,
            "transformers": self.transformers,
            "stanza": self.stanza,
        }
        return {library: model for library, model in fields.items() if model is not None}


def _spelt_out(value: object) -> object:
    """`off` is False in YAML, and a word in Python."""
    return "off" if value is False else value


Names = Annotated[
    Literal["tagger", "structure", "off"] | NamesModel,
    BeforeValidator(
        _spelt_out,
        json_schema_input_type=Literal["tagger", "structure", "off", False] | NamesModel,
    ),
]
"""`tagger`: the one that comes with hauberk. `structure`: only what a title, a key or a greeting says
is a name. `off`: no names. Or a model."""
