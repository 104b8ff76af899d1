"""Texts inside structured values: all found, in order, replaced in a copy."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk.structure import TooDeepError, leaves, replace_leaves, text_length

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@given(VALUES)
def test_replacing_nothing_gives_the_value_itself(value: object) -> None:
    assert replace_leaves(value, lambda text: text) is value


@given(VALUES)
def test_leaves_and_replace_leaves_go_in_the_same_order(value: object) -> None:
    seen: list[str] = []

    def note(text: str) -> str:
        seen.append(text)
        return text

    replace_leaves(value, note)
    assert seen == [text for _, text in leaves(value)]


@given(VALUES, st.integers(0, 4))
def test_the_length_is_that_of_all_leaves_within_the_same_depth(value: object, depth: int) -> None:
    try:
        expected = sum(len(text) for _, text in leaves(value, max_depth=depth))
    except TooDeepError:
        with pytest.raises(TooDeepError):
            text_length(value, max_depth=depth)
    else:
        assert text_length(value, max_depth=depth) == expected


@given(VALUES)
def test_the_given_value_is_never_changed(value: object) -> None:
    before = copy.deepcopy(value)
    changed = replace_leaves(value, lambda text: text + "!")
    assert value == before
    assert [t for _, t in leaves(changed)] == [t + "!" for _, t in leaves(value)]


def test_keys_and_bytes_are_left_alone() -> None:
    value = {"secret": b"secret", "n": 1}
    assert list(leaves(value)) == []


def test_places_can_be_read_by_people() -> None:
    value = {"to": ["a", {"name": "b"}]}
    assert [at for at, _ in leaves(value, where="arguments")] == [
        "arguments.to[0]",
        "arguments.to[1].name",
    ]


@pytest.mark.parametrize("call", [lambda v: list(leaves(v)), lambda v: replace_leaves(v, str)])
def test_depth_is_bounded(call: object) -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(TooDeepError):
        call(deep)  # type: ignore[operator]  # pyright: ignore[reportCallIssue]
