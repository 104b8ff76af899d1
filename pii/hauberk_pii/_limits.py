"""What analysing one text may cost.

Rules:
* What passes a bound is refused: the analysis never goes on with a part left out.
* The error says what passed which bound, never what the text holds.
"""

from __future__ import annotations

from hauberk import HauberkError

MAX_PATTERN_SECONDS = 10.0
"""Seconds that one pattern may take on one text. Ours take milliseconds for 100 KB; some of
Presidio's that are off by default are quadratic in runs of signs."""

MAX_FINDINGS = 20_000
"""Findings of one text, before overlaps are resolved: 8 for each row of a table of 2,500 rows."""


class TooCostlyError(HauberkError):
    """A text costs more to analyse than is allowed. Attributes: `problem`, `remedy`."""

    def __init__(self, problem: str, *, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}. {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by attributes: errors cross process pools."""
        return _rebuilt, (self.problem, self.remedy)


def _rebuilt(problem: str, remedy: str) -> TooCostlyError:
    return TooCostlyError(problem, remedy=remedy)


def too_slow(recognizer: str) -> TooCostlyError:
    """The error for a recognizer that took too long."""
    return TooCostlyError(
        f"looking for personal data took too long ({recognizer})",
        remedy="Send shorter texts, or leave its type out of `pii.entities`.",
    )


def check_findings(count: int) -> None:
    """Refuse a text with too many findings.

    Raises:
        TooCostlyError: There are more than `MAX_FINDINGS`.
    """
    if count > MAX_FINDINGS:
        raise TooCostlyError(
            f"a text holds more than {MAX_FINDINGS} pieces of personal data",
            remedy="Send it in parts.",
        )
