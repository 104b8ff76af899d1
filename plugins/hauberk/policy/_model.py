"""The shape of a policy: frozen pydantic models, one per room.

Rules:
* A room that is not mentioned has its safe defaults. Switching one off is spelt out: `pii: off`.
* Unknown keys are refused.
* A limit that could never fire, or would always fire, is refused with the remedy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
)
from pydantic_core import PydanticCustomError

from hauberk.decisions import Severity
from hauberk.structure import MAX_DEPTH


class OnError(StrEnum):
    """What happens when a plugin itself fails."""

    DENY = "deny"
    ALLOW = "allow"


class Access(StrEnum):
    """What a tool can do to the world: `read` < `write` < `admin`."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    @property
    def rank(self) -> int:
        """Place in the order, lowest first."""
        return list(Access).index(self)


class ScreenAction(StrEnum):
    """What happens to a text in which an injection is found."""

    BLOCK = "block"
    """Refuse the event and end the session."""
    QUARANTINE = "quarantine"
    """Replace the text by a notice; the rest goes on."""
    FLAG = "flag"
    """Record the finding; the text goes on."""
    OFF = "off"
    """Do not look."""


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        # An infinite limit could never fire; `null` says so openly.
        allow_inf_nan=False,
    )


class Section(_Model):
    """A part of a policy that can fail."""

    on_error: OnError = OnError.DENY
    """What to do when this part itself fails. `allow` opens a hole, and is recorded."""


def _severity(value: object) -> object:
    if isinstance(value, str):
        names = [item.name.lower() for item in Severity]
        if value.lower() not in names:
            raise ValueError(f"must be one of {', '.join(names)}")
        return Severity[value.upper()]
    return value


SeverityName = Annotated[
    Severity,
    BeforeValidator(
        _severity, json_schema_input_type=Literal["info", "low", "medium", "high", "critical"]
    ),
]


def _action(value: object) -> object:
    # YAML 1.1 reads a bare `off` as false.
    return ScreenAction.OFF if value is False else value


class Screen(_Model):
    """How texts of one origin are screened."""

    action: Annotated[
        ScreenAction, BeforeValidator(_action, json_schema_input_type=ScreenAction | Literal[False])
    ] = ScreenAction.QUARANTINE
    """What happens when an injection is found."""
    at: SeverityName = Severity.MEDIUM
    """Least severity for the action; findings below it only flag."""


class InjectionPolicy(Section):
    """Screening for prompt injection, by origin of the text."""

    user: Screen = Screen(action=ScreenAction.BLOCK, at=Severity.HIGH)
    """What the user writes: orders are normal here, so only grave findings act."""
    tool: Screen = Screen()
    """What tools return."""
    document: Screen = Screen()
    """What is retrieved or ingested."""
    exfiltration: Screen = Screen()
    """What the model answers: links and images that would carry data away."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that answers may link to, with their subdomains. Links to others that carry data, and
    all images of others, are taken out."""
    max_chars: int = Field(default=1_000_000, ge=1)
    """Longest text that is screened, in characters. A longer one is refused unread."""
    max_decode_depth: int = Field(default=3, ge=0, le=8)
    """How many encodings inside each other are opened."""


class PiiPolicy(Section):
    """Masking of personal data before the model, restoring after it."""

    entities: tuple[str, ...] | None = None
    """Entity types to mask (Presidio's names); None: the default set."""
    threshold: float = Field(default=0.4, gt=0, le=1)
    """Least score of a finding, 0 to 1."""
    language: str = Field(default="en", pattern=r"^[a-z]{2}$")
    """Language of the texts, ISO 639-1."""
    allow: tuple[str, ...] = ()
    """Values that are never masked, such as the company's own public address. Exact."""
    max_values: int = Field(default=100_000, ge=1)
    """Most values that one session remembers; one more is refused."""


def _usable(args: dict[str, Any] | None) -> dict[str, Any] | None:
    """Refuse a schema that the capabilities room cannot use, while its line is still known."""
    if args is not None:
        from hauberk.capabilities import ArgumentSchema, SchemaProblemError  # noqa: PLC0415

        try:
            ArgumentSchema(args)
        except SchemaProblemError as error:
            details = {"problem": str(error), "remedy": error.remedy}
            raise PydanticCustomError("args_schema", "{problem}", details) from None
    return args


class ToolRule(_Model):
    """What one tool may be used for."""

    access: Access = Access.READ
    """What the tool can do. It must be within the agent's ceiling."""
    args: Annotated[dict[str, Any] | None, AfterValidator(_usable)] = None
    """JSON Schema that the final arguments must satisfy."""
    timeout_s: float | None = Field(default=None, gt=0, le=86_400)
    """Longest run of one call, in seconds."""
    approval: bool = False
    """A human must approve each call."""


class CapabilitiesPolicy(Section):
    """Which tools an agent may call, and how. What is not named is denied."""

    access: Access = Access.WRITE
    """The agent's ceiling: tools that can do more are denied."""
    tools: dict[str, ToolRule] = Field(default_factory=dict)
    """Rules by exact tool name, or by a glob that says so with `*`, `?` or `[...]`. An exact name
    goes before globs; of several globs that match, all must be satisfied."""
    deny: tuple[str, ...] = ()
    """Names and globs that are denied whatever `tools` says."""


class ModelPrice(_Model):
    """What a model costs, in US dollars per million tokens."""

    input_usd: float = Field(ge=0)
    output_usd: float = Field(ge=0)


class BudgetPolicy(Section):
    """What one session may spend. `null` sets no limit."""

    model_calls: int | None = Field(default=100, ge=1)
    """Calls of a model."""
    tool_calls: int | None = Field(default=200, ge=1)
    """Calls of tools."""
    tokens: int | None = Field(default=2_000_000, ge=1)
    """Tokens in and out."""
    usd: float | None = Field(default=None, gt=0)
    """Money for models, in US dollars. A model of unknown price is refused when this is set."""
    wall_time_s: float | None = Field(default=3600, gt=0)
    """Time from the first event of the session, in seconds."""
    reserve_output_tokens: int = Field(default=1024, ge=1)
    """Tokens set aside for an answer when the application does not limit it."""
    prices: dict[str, ModelPrice] = Field(default_factory=dict)
    """Prices by model name; they go before the built-in price list."""


class AuditPolicy(Section):
    """The trail of decisions."""

    path: str | None = None
    """SQLite file of the trail; null keeps it in memory, for as long as the process lives."""


class LimitsPolicy(_Model):
    """Bounds on what a guard looks at. What passes one is refused, not cut."""

    max_text_chars: int = Field(default=4_000_000, ge=1)
    """Most characters in all segments and arguments of one event."""
    max_segments: int = Field(default=20_000, ge=1)
    """Most segments in one event."""
    max_depth: int = Field(default=MAX_DEPTH, ge=1, le=MAX_DEPTH)
    """Deepest nesting of tool arguments."""
    check_timeout_s: float = Field(default=30.0, gt=0)
    """Longest check, in seconds: between two plugins an overdue check is refused."""
    max_sessions: int = Field(default=10_000, ge=1)
    """Sessions remembered by key; the one unused for longest is forgotten."""


class PluginPolicy(Section):
    """One more plugin, found by its entry point in the group `hauberk.plugins`."""

    use: str = Field(min_length=1)
    """Name of the entry point."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Handed to the plugin as it is."""


def _switched_on(value: object) -> object:
    """`on` in YAML means: with its defaults."""
    return {} if value is True else value


def _room(model: type[BaseModel]) -> BeforeValidator:
    # The schema says what may be written: `on` too.
    return BeforeValidator(_switched_on, json_schema_input_type=model | bool)


class Policy(_Model):
    """Everything that a guard enforces.

    Rooms that are not named have their safe defaults; `False` (`off` in YAML) switches one off.

    Example:
        >>> Policy(version=1, capabilities={"tools": {"search": {"access": "read"}}}).version
        1
    """

    version: Literal[1]
    """Version of this format. Must be written, so that no empty file is a policy."""
    name: str = "policy"
    """Name of the policy, for reports."""
    injection: Annotated[InjectionPolicy | Literal[False], _room(InjectionPolicy)] = (
        InjectionPolicy()
    )
    pii: Annotated[PiiPolicy | Literal[False], _room(PiiPolicy)] = PiiPolicy()
    capabilities: Annotated[CapabilitiesPolicy | Literal[False], _room(CapabilitiesPolicy)] = (
        CapabilitiesPolicy()
    )
    budget: Annotated[BudgetPolicy | Literal[False], _room(BudgetPolicy)] = BudgetPolicy()
    audit: Annotated[AuditPolicy | Literal[False], _room(AuditPolicy)] = AuditPolicy()
    limits: LimitsPolicy = LimitsPolicy()
    plugins: tuple[PluginPolicy, ...] = ()

    @field_validator("plugins")
    @classmethod
    def _plugins_once(cls, plugins: tuple[PluginPolicy, ...]) -> tuple[PluginPolicy, ...]:
        names = [plugin.use for plugin in plugins]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"named twice: {', '.join(sorted(twice))}")
        return plugins

    @classmethod
    def unsafe_allow_all(cls) -> Policy:
        """A policy that guards nothing: for measuring, and for finding out what a guard changes."""
        return cls(
            version=1,
            name="unsafe-allow-all",
            injection=False,
            pii=False,
            capabilities=False,
            budget=False,
            audit=False,
        )
