"""A text beside the original: another reading of it, with the way back.

Rules:
* Every character of a view knows the stretch of the original that it came from.
* A span of a view maps to a span of the original that covers what was found.
* Making a view costs time in proportion to its text, whatever is in it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One reading of an original text.

    Example:
        >>> view = View.of("a%20b").spliced([(1, 4, " ")], name="percent")
        >>> view.text, view.span(0, 2)
        ('a b', (0, 4))
    """

    text: str = field(repr=False)
    """The reading. Kept out of the repr."""
    starts: Sequence[int] = field(repr=False)
    """For each character, where in the original its source starts."""
    ends: Sequence[int] = field(repr=False)
    """For each character, where in the original its source ends."""
    name: str = "plain"
    """How it was made: `plain`, `html`, `base64` ..."""
    concealed: bool = False
    """A reader of the original would not see this text."""

    @classmethod
    def of(cls, text: str) -> View:
        """The original itself."""
        return cls(text=text, starts=range(len(text)), ends=range(1, len(text) + 1))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where in the original the characters `start` to `end` of this view come from."""
        if start >= end:
            at = self.starts[start] if start < len(self.starts) else len(self.starts)
            return at, at
        last = end - 1
        # A view reads its original forwards or backwards, so its ends are the extremes.
        return (
            min(self.starts[start], self.starts[last]),
            max(self.ends[start], self.ends[last]),
        )

    def with_text(self, text: str, *, name: str | None = None) -> View:
        """The same view with every character replaced by one other character."""
        return self if text == self.text else replace(self, text=text, name=name or self.name)

    def spliced(
        self,
        pieces: Iterable[tuple[int, int, str]],
        *,
        name: str,
        keep: bool = True,
        concealed: bool | None = None,
    ) -> View:
        """A view with stretches of this one replaced.

        Args:
            pieces: `(start, end, new text)`, in order, not overlapping.
            name: Name of the new view.
            keep: Keep what lies between the pieces; else the pieces alone are the new text.
            concealed: Whether the new text is concealed; by default as this one.
        """
        out: list[str] = []
        starts, ends = array("q"), array("q")
        done = 0
        for start, end, new in pieces:
            if keep and start > done:
                out.append(self.text[done:start])
                starts.extend(self.starts[done:start])
                ends.extend(self.ends[done:start])
            if new:
                low, high = self.span(start, end)
                out.append(new)
                starts.extend(array("q", [low]) * len(new))
                ends.extend(array("q", [high]) * len(new))
            done = end
        if keep:
            out.append(self.text[done:])
            starts.extend(self.starts[done:])
            ends.extend(self.ends[done:])
        hidden = self.concealed if concealed is None else concealed
        return View(text="".join(out), starts=starts, ends=ends, name=name, concealed=hidden)

    def backwards(self) -> View:
        """This view, read from its end."""
        return replace(
            self,
            text=self.text[::-1],
            starts=self.starts[::-1],
            ends=self.ends[::-1],
            name="reversed",
            concealed=True,
        )
