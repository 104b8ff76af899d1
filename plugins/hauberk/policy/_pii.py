"""The shape of `pii:`: which personal data is masked."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from hauberk.fields import parse_path
from hauberk.policy._base import Model, Section
from hauberk.policy._names import Names


class Operator(StrEnum):
    """What is written in place of a value."""

    PSEUDONYMIZE = "pseudonymize"
    """`<PERSON_1>`: the same one for the same value. Can be read back."""
    SURROGATE = "surrogate"
    """An invented value of the same shape. Can be read back."""
    MASK = "mask"
    """Stars, but for the last four characters."""
    HASH = "hash"
    """`<PERSON:9f86d081884c7d65>`: equal values have equal hashes under the session's secret."""
    REDACT = "redact"
    """`<PERSON>`."""
    BLOCK = "block"
    """The text is refused."""
    KEEP = "keep"
    """The value stays."""


class Difference(StrEnum):
    """Where findings differ from Presidio's on purpose, unless it is switched off."""

    CARDS = "cards"
    """Cards of unlisted networks too, where a word or their form speaks for them."""
    SSN = "ssn"
    """US social security numbers behind their name, those of examples too."""
    NHS = "nhs"
    """UK NHS numbers: only behind their name, or in groups."""
    DRIVER_LICENSES = "driver-licenses"
    """Only behind their name, by whole words; of any country."""
    BANK_ACCOUNTS = "bank-accounts"
    """Only behind their name, by whole words."""
    PASSPORTS = "passports"
    """"us" inside of "customer" or "status", and "United States", are no context for a passport."""
    PHONES = "phones"
    """Numbers called something else are none; numbers that nobody has are some behind "phone"."""
    SHORT_PHONES = "short-phones"
    """A phone number needs seven digits."""
    IP_ADDRESSES = "ip-addresses"
    """A part of a longer number with dots, and a version, is none."""
    URLS = "urls"
    """Bare domains only where somebody would write one; no names of files."""
    MAIL_IN_URLS = "mail-in-urls"
    """Addresses in paths and queries of URLs are found by themselves."""
    WALLETS = "wallets"
    """Wallets of other coins than Bitcoin."""
    NATIONAL_NUMBERS = "national-numbers"
    """Ours, in texts of all languages, where Presidio has a recognizer for texts of one."""
    HIDDEN = "hidden"
    """Characters that cannot be seen are left out; digits of all scripts become 0 to 9."""
    CONTEXT_WORDS = "context-words"
    """Words of six other languages before what Presidio knows English ones for."""
    ENCODED = "encoded"
    """What is percent-encoded, in base64, HTML entities or escapes is looked at decoded."""


Language = Annotated[str, Field(pattern=r"^(?:[a-z]{2}|auto)$")]

Chosen = dict[str, Operator]
"""Operators by entity type; `*` stands for every type that is not named."""


def _readable(path: str) -> str:
    parse_path(path)
    return path


Fields = dict[str, tuple[Annotated[str, AfterValidator(_readable)], ...]]
"""Paths of fields (a part of JSONPath: `hauberk.fields`) by tool; `$` is everything."""


class VaultPolicy(Model):
    """Where the values behind pseudonyms are remembered."""

    url: str = "memory:"
    """`memory:` (as long as the session), `sqlite:PATH` (the processes of one machine), or
    `redis://HOST:PORT/DB` (a fleet)."""
    keys: tuple[str, ...] = ()
    """What values are sealed with outside memory, the newest first: `env:NAME`, `file:PATH` or
    `keyring:SERVICE/NAME`. Each holds 32 bytes in Base64."""
    ttl_s: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)
    """Seconds for which a value is kept after it was last seen, by entity type; `*` stands for every
    other type. What is not named is kept until it is erased."""

    @model_validator(mode="after")
    def _sealed(self) -> Self:
        if self.url == "memory:":
            if self.keys or self.ttl_s:
                raise ValueError(
                    "a vault in memory takes no keys and no ttl_s: it goes with its session"
                )
        elif not self.url.startswith(_VAULTS):
            raise ValueError(f"a vault's url starts with one of: memory: {' '.join(_VAULTS)}")
        elif not self.keys:
            raise ValueError("a vault outside memory needs keys, such as [env:HAUBERK_VAULT_KEY]")
        return self


_VAULTS = ("sqlite:", "redis://", "rediss://", "unix://")


class PiiPolicy(Section):
    """Masking of personal data before the model, restoring after it."""

    entities: tuple[str, ...] | None = None
    """Entity types to mask (Presidio's names); None: the default set."""
    threshold: float = Field(default=0.4, gt=0, le=1)
    """Least score of a finding, 0 to 1."""
    language: Language | tuple[Language, ...] = "en"
    """Language of the texts, ISO 639-1; several: the one of them that a text seems to be in, the first
    if none; `auto`: of en, de, es, fr, it, nl and pt."""
    names: Names = "tagger"
    """Who finds names of people and places: `tagger`, `structure`, `off`, or a model that is
    installed: `{spacy: en_core_web_sm}`, `{gliner: FOLDER}`, `{transformers: FOLDER}`, `{stanza: FOLDER}`."""
    strict: bool | tuple[Difference, ...] = False
    """Whether findings are as Presidio's: `true`, or a list of the differences to switch off. The PII
    room's README explains each."""
    allow: tuple[str, ...] = ()
    """Values that are never masked, such as the company's own public address. Exact."""
    max_values: int = Field(default=100_000, ge=1)
    """Most values that one session remembers; one more is refused."""
    operators: Chosen = Field(default_factory=lambda: {"*": Operator.PSEUDONYMIZE})
    """What the model gets in place of a value, by entity type."""
    reveal: dict[str, Chosen] = Field(default_factory=dict)
    """What a tool gets in place of a value, by exact name or glob of the tool and by entity type. A
    tool that nothing matches gets the real values."""
    ingest: Chosen = Field(default_factory=lambda: {"*": Operator.REDACT})
    """What an index and its embedding model get. It outlives the session, so nothing that only the
    session can read back belongs there."""
    fields: Fields = Field(default_factory=dict)
    """Which fields of a tool's structured result may be seen, by exact name or glob of the tool:
    `find_customer: [id, orders[*].status]`. A tool that nothing matches is shown whole."""
    purposes: dict[str, Fields] = Field(default_factory=dict)
    """The same by purpose of the session. A tool that any purpose names shows a session the fields
    that its own purpose names, and nothing without one."""
    vault: VaultPolicy = VaultPolicy()
    """Where they are remembered."""

    @field_validator("language")
    @classmethod
    def _names_one(cls, language: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not language or (isinstance(language, tuple) and "auto" in language):
            raise ValueError("name one language or more, or `auto` alone")
        return language

    @field_validator("operators")
    @classmethod
    def _hides_what_is_not_named(cls, chosen: Chosen) -> Chosen:
        # `operators: {CREDIT_CARD: mask}` says something of cards, and nothing of the rest.
        return {"*": Operator.PSEUDONYMIZE, **chosen}

    @field_validator("ingest")
    @classmethod
    def _needs_no_session(cls, chosen: Chosen) -> Chosen:
        if {Operator.PSEUDONYMIZE, Operator.SURROGATE} & set(chosen.values()):
            raise ValueError("an index outlives the session: use redact, mask, hash, block or keep")
        return {"*": Operator.REDACT, **chosen}
