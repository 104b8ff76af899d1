"""Texts made to hurt: never an exception, time and memory in proportion to the text."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hauberk.decisions import Severity
from hauberk.injection import explain
from hauberk.injection._packs import load_pack
from hauberk.injection._screen import Verdict, screen
from hauberk.injection.classifier import load_classifier

ROOT = Path(__file__).parents[3]
SIZE = 8 * 1024
NO_CHANCE = 2.5
"""Growth that is no noise: linear is 1, quadratic 4."""


def _benchmark() -> ModuleType:
    path = ROOT / "benchmarks" / "injection_bad_input.py"
    spec = importlib.util.spec_from_file_location("injection_bad_input", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BENCHMARK = _benchmark()


def _screened(text: str) -> Verdict:
    return screen(text, "document", load_pack(), max_depth=3, classifier=load_classifier())


@pytest.mark.parametrize("name", BENCHMARK.CASES)
def test_time_and_memory_grow_with_the_text_and_no_faster(name: str) -> None:
    costs = [BENCHMARK.cost(BENCHMARK.CASES[name], SIZE)]
    while costs[-1].growth > NO_CHANCE and len(costs) < 4:
        costs.append(BENCHMARK.cost(BENCHMARK.CASES[name], SIZE))
    assert costs[-1].growth <= NO_CHANCE
    assert costs[-1].memory < 1000, "bytes for each character"


def test_a_million_zero_width_characters_hide_nothing() -> None:
    hidden = "\u200b" * 500_000 + BENCHMARK.ATTACK + "\u200b" * 500_000
    found = _screened(hidden)
    assert found.worst >= Severity.HIGH
    assert {
        (one.start, one.end) for one in found.findings if one.rule == "inj.order.instructions"
    } == {(500_000, 500_000 + len("Ignore all previous instructions"))}


def test_an_attack_in_ten_thousand_nested_tags_is_found() -> None:
    found = _screened(BENCHMARK.nested_tags(22 * 10_000))
    assert "inj.order.instructions" in {one.rule for one in found.findings}


def test_base64_that_is_nested_deeper_than_is_opened_is_refused() -> None:
    assert _screened(BENCHMARK.nested_base64(100_000)).refused


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.one_of(
            st.text(st.characters(categories=None), max_size=8),
            st.sampled_from([make(40) for make in BENCHMARK.CASES.values()]),
        ),
        max_size=8,
    ).map("".join),
    st.sampled_from(["user", "tool", "document"]),
)
def test_no_text_raises_and_every_finding_lies_in_the_text(text: str, kind: str) -> None:
    found = screen(text, kind, load_pack(), max_depth=3, classifier=load_classifier())
    for one in found.findings:
        assert 0 <= one.start <= one.end <= len(text)
    assert 0 <= found.reading.start <= found.reading.end <= len(text)
    assert 0 <= found.reading.score <= 1
    explain(text, kind=kind)
