"""Where a value came from, in words that name places and never texts.

Rules:
* A source is named by the call and the tool, the document, or the message. Names that are no plain
  ones (they may be an attacker's) are not repeated.
* The best that is known decides the party: a value that the user said is the user's, whoever else
  said it too; `also` names the others.
* A combination is as good as the worst of its parts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hauberk.capabilities._names import is_plain, shown

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """One place that texts came from."""

    party: str
    """Who wrote it."""
    kind: str
    """`user`, `developer`, `tool`, `document` or `message` (of nobody known)."""
    name: str = ""
    """Name of the tool, id of the document."""
    call: int = 0
    """Number of the tool's call in the session, from 1; 0 for a result from before it was watched."""
    field: Path = ()
    """Names on the way to the field of a structured result."""
    labels: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Where it is, for people.

        Example:
            >>> str(Source("untrusted", "tool", "read_mail", 2, ("mail", "body")))
            "call 2 of 'read_mail', field 'mail.body'"
        """
        where = f", field {_path(self.field)}" if self.field else ""
        if self.kind == "tool":
            call = f"call {self.call} of" if self.call else "an earlier result of"
            return f"{call} {shown(self.name)}{where}"
        if self.kind == "document":
            return f"the document {shown(self.name)}{where}"
        return "a message of nobody known" if self.kind == "message" else f"the {self.kind}'s words"


def _path(path: Path) -> str:
    return shown(".".join(step if is_plain(step) else "?" for step in path[-3:]))


MODEL = "model"
NOTHING = "nothing"
"""Party of values that say nothing: null, true and false, an empty text."""
COMBINATION = "combination"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where one value came from."""

    party: str
    """Who wrote it: a party, `model` (nobody else did), `combination` or `nothing`."""
    how: str = ""
    """How it was found: `the same`, `a part`, `the same thing` ..."""
    source: Source | None = None
    also: tuple[Source, ...] = ()
    """Others who wrote it too."""
    parts: tuple[Origin, ...] = ()
    """Of a combination."""
    influence: Source | None = None
    """Of a value of the model's: the first untrusted text that it had read by then."""
    labels: frozenset[str] = field(default=frozenset())
    """Who may learn of it: labels of the data that it may hold."""

    @property
    def holders(self) -> frozenset[str]:
        """Every party that wrote all of it."""
        if self.source is None:
            return frozenset()
        return frozenset((self.source.party, *(source.party for source in self.also)))

    @property
    def borne(self) -> frozenset[str]:
        """Labels that it bears: none when the user or the developer said all of it."""
        return frozenset() if self.party in (NOTHING, "user", "developer") else self.labels

    def within(self, parties: frozenset[str]) -> bool:
        """Whether these parties may have written it."""
        if self.party == NOTHING:
            return True
        if self.party == COMBINATION:
            return all(part.within(parties) for part in self.parts)
        if self.party == MODEL:
            return MODEL in parties and self.influence is None
        return not parties.isdisjoint(self.holders)

    def __str__(self) -> str:
        """One clause for people: `comes from ...`."""
        if self.party == NOTHING:
            return "says nothing"
        if self.party == COMBINATION:
            worst = "; ".join(dict.fromkeys(str(part) for part in self.parts))
            return f"is a combination: {worst}"
        if self.source is None:
            if self.influence is None:
                return "is the model's own"
            return f"is the model's own, written after untrusted text was read ({self.influence})"
        whose = "" if self.party in ("user", "developer") else f"{_whose(self.party)} in "
        also = "".join(f", and also stands in {source}" for source in self.also[:1])
        return f"comes from {whose}{self.source}{also}"


def _whose(party: str) -> str:
    return "untrusted text" if party == "untrusted" else f"{party!r}"
