"""What is judged of every run, whatever the framework."""

from __future__ import annotations

from hauberk.testing.matrix._world import ADA, FRESH, PEOPLE, PSEUDONYM, Trace, Watch

LEFT_BEHIND = "reservations settled"
RECORDED = "audit record, without values"
SWALLOWED = "swallowed refusal"


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
