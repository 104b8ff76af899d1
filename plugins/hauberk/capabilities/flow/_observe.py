"""What passes by, entered into the session's ledger: prompts, results, documents.

Rules:
* A text is entered once; that it is sent again costs a look-up.
* Messages of the user and the developer are theirs. Texts of tools and documents are of whom the
  policy says, field by field. Everything else is untrusted.
* What the policy hides is replaced by a reference before the model reads it, in results and in
  histories that come from elsewhere; it does not count as read.
* What the guard itself wrote in the place of a result is nobody's text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hauberk.capabilities.flow._tools import UNTRUSTED, Sources, SourceView, ToolView, source_of
from hauberk.capabilities.provenance import (
    Call,
    Ledger,
    Source,
    fields_of,
    map_fields,
    normal,
    path_of,
)
from hauberk.decisions import Decision
from hauberk.events import Event, Segment, Stage, Trust
from hauberk.references import References

_PASS = Decision.allow()


@dataclass(frozen=True, slots=True)
class State:
    """What one session has read, and what it hides."""

    ledger: Ledger
    hidden: References


class Observer:
    """Enters what one event brings."""

    def __init__(self, sources: Sources, hear: Callable[[str, Ledger], None]) -> None:
        self._sources = sources
        self._hear = hear

    def observe(self, event: Event, state: State) -> Decision:
        """Enter the texts of an event; a rewrite where something must be hidden."""
        call = state.ledger.call(event.call) if event.stage is Stage.TOOL_RESULT else None
        new: list[Segment] | None = None
        for number, segment in enumerate(event.segments):
            text = self._entered(segment, event, call, state)
            if text is not segment.text and text != segment.text:
                new = new or list(event.segments)
                new[number] = segment.with_text(text)
        if call is not None:
            self._returned(call, state.ledger)
        return _PASS if new is None else Decision.rewrite(segments=new)

    def _entered(self, segment: Segment, event: Event, call: Call | None, state: State) -> str:
        text, kind, ledger = segment.text, segment.kind, state.ledger
        if kind == "model" or not text:
            return text
        name = segment.origin.partition(":")[2]
        if kind in ("tool", "document"):
            view = self._sources.tool(name) if kind == "tool" else self._sources.document(name)
            for behind in state.hidden.texts_in(text):
                # Another plugin hid it. Nobody has read it, but it has an origin all the same.
                if ledger.is_new(f"behind {segment.origin}", behind):
                    source = self._source(segment, view, call, ledger, _place(segment, event))
                    ledger.enter(behind, source, read=False)
            if view.hides:
                return self._hidden(segment, event, view, call, state)
            self._enter_source(segment, event, view, call, ledger)
        elif kind in ("user", "developer") and segment.trust is Trust.TRUSTED:
            if ledger.is_new(segment.origin, text):
                own = ledger.enter_own(kind, text)
                if kind == "user":
                    self._hear(own, ledger)
        elif ledger.is_new(segment.origin, text):
            ledger.enter(text, Source(UNTRUSTED, "message"))
        return text

    def _enter_source(
        self, segment: Segment, event: Event, view: SourceView, call: Call | None, ledger: Ledger
    ) -> None:
        at = _place(segment, event)
        new = ledger.is_new(".".join((segment.origin, *at)), segment.text)
        if (not new and call is None) or event.session.is_notice(segment.text):
            return
        echoes = _echoes(call, ledger) if new else []
        if new and segment.text.lstrip()[:1] in ("{", "["):
            ledger.enter_raw(segment.text)
        for path, text in _fields(segment.text, at, view):
            source = self._source(segment, view, call, ledger, path)
            if new:
                ledger.enter(text, source, echoes=echoes)
            else:  # known, but perhaps with other labels than this time
                ledger.was_read(source)

    def _source(
        self,
        segment: Segment,
        view: SourceView,
        call: Call | None,
        ledger: Ledger,
        path: tuple[str, ...],
    ) -> Source:
        kind, _, name = segment.origin.partition(":")
        source = source_of(view, kind, name, 0 if call is None else call.number, path)
        labels = frozenset[str]() if call is None else ledger.labels_of(call)
        if not labels:
            return source
        kept = labels - (view.declassifies if isinstance(view, ToolView) else frozenset())
        return Source(source.party, kind, name, source.call, path, labels=source.labels | kept)

    def _hidden(
        self, segment: Segment, event: Event, view: SourceView, call: Call | None, state: State
    ) -> str:
        """The text with references in it; what stays readable is entered as read."""
        ledger, hidden = state.ledger, state.hidden
        name = segment.origin.partition(":")[2]

        def leaf(path: tuple[str, ...], text: str) -> str:
            if hidden.is_bare(text):
                return text
            source = self._source(segment, view, call, ledger, path)
            hide = view.hidden(path)
            if ledger.is_new(f"{hide} {segment.origin}", text):
                ledger.enter(text, source, read=not hide)
            return hidden.hide(text, ".".join((name, *path[-1:]))) if hide else text

        at = _place(segment, event)
        if view.hidden(at):
            return leaf(at, segment.text)
        new = map_fields(segment.text, leaf)
        if new is not None:
            return new
        if not at and not hidden.is_mentioned(segment.text):
            # Nothing tells its fields apart: it may hold what is hidden, so all of it is.
            return hidden.hide(segment.text, name)
        return leaf(at, segment.text)

    def _returned(self, call: Call, ledger: Ledger) -> None:
        """A call has returned: what it vouches for is known, and it had its effect."""
        view = self._sources.tool(call.tool)
        if view.effect == "outside":
            ledger.reached_outside(call)
        for argument, value in call.values:
            party = view.vouches.get(argument)
            if party is not None and ledger.is_new(f"vouched {party}", value):
                place = ("arguments", argument)
                source = Source(party, "tool", call.tool, call.number, place)
                ledger.enter(value, source, read=False)


def _fields(
    text: str, at: tuple[str, ...], view: SourceView
) -> Iterable[tuple[tuple[str, ...], str]]:
    fields = fields_of(text, named=view.named)
    return ((at, text),) if fields is None else (((*at, *path), leaf) for path, leaf in fields)


def _place(segment: Segment, event: Event) -> tuple[str, ...]:
    """Names on the way to a text in its result. What a model reads as one message has none."""
    place = () if event.stage is Stage.PROMPT else path_of(segment.where)
    return () if place == ("content",) else place


def _echoes(call: Call | None, ledger: Ledger) -> list[str]:
    """Values of a call that nobody trusted wrote: repeated in a result, they are not its own."""
    if call is None:
        return []
    shapes = [(normal(value), ledger.origin(value)) for _, value in call.values]
    return [
        shape
        for shape, origin in shapes
        if not any(ledger.is_trusted(party) for party in origin.holders)
    ]
