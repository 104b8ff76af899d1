"""The demo's LlamaIndex half: one line of either door, and the same comes out."""

from dataclasses import replace
from typing import Any

from hauberk.demo import ATTACKS, HONEST, Trace, run
from hauberk_llama_index.demo import installed, scenario


def _told(trace: Trace) -> Trace:
    """A trace without what differs between two runs of the same."""
    return replace(trace, framework="", seconds=0.0)


def test_protect_only_and_install_only_have_equal_results() -> None:
    report = run(
        frameworks={"protect": scenario, "install": installed},
        attacks=ATTACKS[::3],
        honest=HONEST[::3],
    )
    assert report.as_promised
    outcomes: list[Any] = [*report.attacks, *report.honest]
    by_door = {door: [o for o in outcomes if o.framework == door] for door in report.frameworks}
    assert len(by_door["protect"]) >= 4
    for one, other in zip(by_door["protect"], by_door["install"], strict=True):
        assert one.ident == other.ident
        assert _told(one.guarded) == _told(other.guarded)
