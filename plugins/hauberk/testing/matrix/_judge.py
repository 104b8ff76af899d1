"""What is judged of every run, whatever the framework."""

from __future__ import annotations

from hauberk.testing.matrix._world import ADA, FRESH, PEOPLE, PSEUDONYM, Trace, Watch

LEFT_BEHIND = "reservations settled"
RECORDED = "audit record, without values"
SWALLOWED = "swallowed refusal"


def hidden(saw: str) -> dict[str, bool]:
    """Personal data that a provider did not get, by the place where it stood."""
    found = {attack: value not in saw for attack, value in PEOPLE.items()}
    found["PII in tool result"] &= FRESH not in saw
    return found


def nobody_in(saw: str) -> bool:
    """Whether no personal data of any place got to a provider."""
    return not any(value in saw for value in PEOPLE.values())


def left_behind(watched: Watch) -> dict[str, bool]:
    """Open reservations, records, and values in records."""
    told = "".join(repr(entry) for entry in watched.tape.entries)
    values = (*PEOPLE.values(), FRESH)
    return {
        LEFT_BEHIND: not watched.meter.open,
        RECORDED: bool(told) and not any(value in told for value in values),
    }


def given_back(trace: Trace, shown: str, *, streams: bool) -> dict[str, bool]:
    """Real values, for those who may see them: the tool `send`, and the reader of what was shown."""
    sent = [arguments for name, arguments in trace.ran if name == "send"]
    restored = ADA in shown and not PSEUDONYM.search(shown)
    return {
        "restore in answer": restored,
        "restore in tool arguments": bool(sent) and all(a["to"] == ADA for a in sent),
        "restore in nested arguments": bool(sent)
        and all(a["details"]["cc"] == [ADA] for a in sent),
        **({"restore in stream": restored} if streams else {}),
    }
