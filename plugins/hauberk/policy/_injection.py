"""The shape of `injection:`: how texts are screened."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from hauberk.decisions import Severity
from hauberk.policy._base import Model, OnError, Section


class ScreenAction(StrEnum):
    """What happens to a text in which an injection is found."""

    BLOCK = "block"
    """Refuse the event and end the session."""
    QUARANTINE = "quarantine"
    """Put a notice in the place of the sentences that attack or give orders; of the whole text, where
    they cannot be told apart."""
    HIDE = "hide"
    """Put a reference in the text's place: the model can pass it on to a tool, which gets the text, but
    cannot read it."""
    SPOTLIGHT = "spotlight"
    """Mark the text as data, word by word, so that the model tells it from orders."""
    ASK = "ask"
    """A person must approve (the `approver` of the guard). Nobody there: refused."""
    FLAG = "flag"
    """Record the finding; the text goes on."""
    OFF = "off"
    """Do not look."""


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


def _link_action(value: object) -> object:
    return LinkAction.OFF if value is False else value


class Screen(Model):
    """How texts of one origin are screened."""

    action: Annotated[
        ScreenAction, BeforeValidator(_action, json_schema_input_type=ScreenAction | Literal[False])
    ] = ScreenAction.QUARANTINE
    """What happens when an injection is found."""
    at: SeverityName = Severity.MEDIUM
    """Least severity for the action; findings below it only flag."""


class TextScreen(Screen):
    """How texts that a model is to read are screened."""

    spotlight: bool = False
    """Mark every text of this origin as data, also where nothing is found (Hines et al. 2024)."""


class LinkAction(StrEnum):
    """What happens to a tool call whose arguments hold a link that would carry private data away."""

    BLOCK = "block"
    """Refuse the call; the run goes on."""
    ASK = "ask"
    """A person must approve."""
    FLAG = "flag"
    """Record it."""
    OFF = "off"
    """Do not look."""


class Exfiltration(Screen):
    """How links are judged that leave: in answers, and in arguments of tool calls."""

    arguments: Annotated[
        LinkAction,
        BeforeValidator(_link_action, json_schema_input_type=LinkAction | Literal[False]),
    ] = LinkAction.FLAG
    """What happens to a tool call with a link, to a host that is not allowed, that holds what the
    session knows to be private."""


class PromptLeak(Screen):
    """How the developer's prompt is kept from being given away."""

    action: Annotated[
        ScreenAction, BeforeValidator(_action, json_schema_input_type=ScreenAction | Literal[False])
    ] = ScreenAction.FLAG
    """What happens to an answer that quotes it, or to a tool call: `quarantine` takes the quote out of
    an answer and refuses a call."""
    at: SeverityName = Severity.HIGH
    """Least severity for the action: a quote is high, a canary critical, other words for the same are
    medium. These are told at the end of an answer only: `block` refuses it, `quarantine` records it."""
    quote: int = Field(default=48, ge=24, le=1000)
    """So many letters and digits of the prompt in a row are a quote."""
    canary: bool = False
    """Put a word made up for the session into the developer's prompt, which no answer may hold."""


class Neutral(StrEnum):
    """A kind of code that an answer may hold."""

    HTML = "html"
    SCRIPT = "script"
    SQL = "sql"


Score = Annotated[float, Field(ge=0, le=1)]


class Levels(Model):
    """How the scores of a classifier or detector are read. Each is reached from its value on."""

    grey: Score = 0.25
    """The next detector is asked about the text, if there is one. Below, the text is clean."""
    suspicious: Score = 0.5
    """A finding of severity medium."""
    certain: Score = 0.9
    """A finding of severity high; no other detector is asked."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.grey <= self.suspicious <= self.certain:
            raise ValueError("levels must rise: grey <= suspicious <= certain")
        return self

    def is_grey(self, score: float) -> bool:
        """Whether a score leaves it open."""
        return self.grey <= score < self.certain

    def severity(self, score: float) -> Severity | None:
        """How grave a score is; None when it is no finding."""
        if score >= self.certain:
            return Severity.HIGH
        return Severity.MEDIUM if score >= self.suspicious else None


class ClassifierPolicy(Model):
    """How the built-in classifier's scores are read, by origin of the text.

    Of benign texts of sources that it had not seen, one in a hundred reached 0.5 and one in a
    thousand 0.9.
    """

    user: Levels = Levels()
    tool: Levels = Levels()
    document: Levels = Levels()
    memory: Levels = Levels()


class DetectorPolicy(Model):
    """A bigger detector, asked about what the layers before it leave open."""

    use: Literal["onnx", "transformers"]
    """What runs it: onnxruntime, or transformers with torch. Both need the extra `models`."""
    path: str = Field(min_length=1)
    """Folder of the model on this machine: a sequence classifier as Hugging Face saves it. Nothing
    is downloaded."""
    name: str = Field(default="", max_length=64)
    """Name in findings; the folder's when empty."""
    attack_labels: tuple[str, ...] = ()
    """Labels that mean an attack; known names (injection, malicious, jailbreak) when empty."""
    levels: Levels = Levels(grey=0.2, suspicious=0.5, certain=0.9)
    """How its scores are read."""
    timeout_s: float = Field(default=10.0, gt=0)
    """Longest answer, in seconds."""
    on_error: OnError = OnError.DENY
    """What happens to a text when it fails or is late."""


class RulesFile(Model):
    """A rule pack in a file. A bare path is short for `path`."""

    path: str = Field(min_length=1)
    """The pack (YAML)."""
    key: str = ""
    """File with the Ed25519 public key (PEM) that the pack must be signed with. Empty: it need not
    be signed."""

    @model_validator(mode="before")
    @classmethod
    def _bare_path(cls, value: object) -> object:
        return {"path": value} if isinstance(value, str) else value


def _switched_on(value: object) -> object:
    return {} if value is True else value


class InjectionPolicy(Section):
    """Screening for prompt injection, by origin of the text."""

    user: Screen = Screen(action=ScreenAction.BLOCK, at=Severity.HIGH)
    """What the user writes: orders are normal here, so only grave findings act."""
    tool: TextScreen = TextScreen()
    """What tools return."""
    document: TextScreen = TextScreen()
    """What is retrieved."""
    memory: TextScreen = TextScreen()
    """What comes back from a memory: notes and facts of earlier conversations."""
    ingest: Screen = Screen()
    """What enters an index or a memory."""
    exfiltration: Exfiltration = Exfiltration()
    """Links and images in what the model answers that would carry data away."""
    prompt_leak: PromptLeak = PromptLeak()
    """The developer's prompt in what the model answers."""
    neutralise: tuple[Neutral, ...] = ()
    """Code that is made harmless in answers: for callers that render or run them."""
    classifier: Annotated[
        ClassifierPolicy | Literal[False],
        BeforeValidator(_switched_on, json_schema_input_type=ClassifierPolicy | bool),
    ] = ClassifierPolicy()
    """The classifier that ships with hauberk, asked where rules are not certain; `off` for rules only."""
    detectors: tuple[DetectorPolicy, ...] = ()
    """Bigger detectors, each asked in the grey zone of the one before."""
    joined: bool = True
    """Texts are read together with those before them, too: an attack may come in parts."""
    packs: tuple[RulesFile, ...] = ()
    """Rule packs of your own, beside the one that ships with hauberk."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that answers may link to, with their subdomains. Links to others that carry data, and
    all images of others, are taken out."""
    max_chars: int = Field(default=1_000_000, ge=1)
    """Longest text that is screened, in characters. A longer one is refused unread."""
    max_decode_depth: int = Field(default=3, ge=0, le=8)
    """How many encodings inside each other are opened."""

    def text_screens(self) -> dict[str, TextScreen]:
        """How texts that are not the user's are screened, by kind of origin."""
        return {"tool": self.tool, "document": self.document, "memory": self.memory}

    @model_validator(mode="after")
    def _actions_that_work(self) -> Self:
        # What is marked or hidden comes back within its session; an index outlives it.
        known = (ScreenAction.BLOCK, ScreenAction.QUARANTINE, ScreenAction.FLAG, ScreenAction.OFF)
        for name, how, more in (
            ("exfiltration", self.exfiltration, ()),
            ("prompt_leak", self.prompt_leak, ()),
            ("ingest", self.ingest, (ScreenAction.ASK,)),
        ):
            if how.action not in (*known, *more):
                names = ", ".join((*known, *more))
                raise ValueError(f"`{name}` cannot {how.action}: its action is one of {names}")
        return self
