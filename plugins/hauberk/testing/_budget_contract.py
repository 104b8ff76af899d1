"""What every budget store must do, as a test suite.

Rules: those of `hauberk.budget._store`, against any implementation of `BudgetStore`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from hauberk.budget import Amounts, Balance, BudgetStore, Limits
from hauberk.session import Session

PARALLEL = 50
"""Calls that race for one budget."""

_ONE = Amounts(model_calls=1)
_DIMENSIONS = Amounts._fields


class BudgetStoreContract:
    """Subclass it, give a `store` fixture, and pytest runs these promises against your store.

    Needs `pip install "hauberk[test]"`.

    Example:
        class TestMyStore(BudgetStoreContract):
            @pytest.fixture
            def store(self):
                return MyStore()
    """

    @pytest.fixture
    def store(self) -> BudgetStore:
        """The store under test, without any account. Give your own."""
        raise NotImplementedError("give a fixture `store` that makes your store")

    @pytest.fixture
    def session(self) -> Session:
        """A session of its own for each test."""
        return Session()

    def test_an_unused_account_is_empty(self, store: BudgetStore, session: Session) -> None:
        """Nothing is spent, nothing reserved, and its time has not begun."""
        assert store.balance(session) == Balance()

    @pytest.mark.parametrize("dimension", _DIMENSIONS)
    def test_a_limit_can_be_reached_and_not_passed(
        self, store: BudgetStore, session: Session, dimension: str
    ) -> None:
        """Every dimension: up to the limit is granted, one more is refused with the numbers."""
        limits = Limits(**{dimension: 10})
        assert _reserve(store, session, "a", Amounts(**{dimension: 4}), limits) is None
        store.settle(session, "a", Amounts(**{dimension: 4}))
        assert _reserve(store, session, "b", Amounts(**{dimension: 5}), limits) is None
        assert _reserve(store, session, "c", Amounts(**{dimension: 2}), limits) == (
            *(dimension, 4, 5, 2, 10),
        )
        assert _reserve(store, session, "c", Amounts(**{dimension: 1}), limits) is None

    def test_a_refusal_changes_nothing(self, store: BudgetStore, session: Session) -> None:
        """All dimensions or none: one that is short leaves the others as they were."""
        limits = Limits(model_calls=5, tokens=10)
        _reserve(store, session, "a", Amounts(model_calls=1, tokens=8), limits)
        before = store.balance(session)
        short = _reserve(store, session, "b", Amounts(model_calls=1, tokens=3), limits)
        assert short is not None
        assert short.dimension == "tokens"
        assert store.balance(session) == before
        store.settle(session, "b", _ONE)
        assert store.balance(session) == before

    def test_what_is_not_asked_is_not_short(self, store: BudgetStore, session: Session) -> None:
        """An account that is over one limit still grants what needs none of it."""
        limits = Limits(tool_calls=1, tokens=10)
        _reserve(store, session, "a", Amounts(tokens=10), limits)
        store.settle(session, "a", Amounts(tokens=99))
        assert _reserve(store, session, "b", Amounts(tool_calls=1), limits) is None
        assert _reserve(store, session, "c", Amounts(tokens=1), limits) is not None

    def test_settling_books_the_truth(self, store: BudgetStore, session: Session) -> None:
        """More than was reserved, and more than the limit: it is spent all the same."""
        _reserve(store, session, "a", Amounts(1, 0, 10, 5), Limits(tokens=10))
        store.settle(session, "a", Amounts(1, 0, 25, 7))
        assert store.balance(session)[:2] == (Amounts(1, 0, 25, 7), Amounts())

    def test_a_release_frees_everything(self, store: BudgetStore, session: Session) -> None:
        """Nothing is spent, and the room is there for the next."""
        limits = Limits(model_calls=1)
        _reserve(store, session, "a", _ONE, limits)
        store.release(session, "a")
        assert store.balance(session)[:2] == (Amounts(), Amounts())
        assert _reserve(store, session, "b", _ONE, limits) is None

    @pytest.mark.parametrize("first", ["settle", "release"])
    def test_a_call_is_closed_once(self, store: BudgetStore, session: Session, first: str) -> None:
        """Whatever comes after the first settle or release does nothing."""
        _reserve(store, session, "a", _ONE, Limits())
        if first == "settle":
            store.settle(session, "a", _ONE)
        else:
            store.release(session, "a")
        closed = store.balance(session)
        store.settle(session, "a", Amounts(tokens=99))
        store.release(session, "a")
        store.settle(session, "never reserved", Amounts(tokens=99))
        assert store.balance(session) == closed

    def test_reserving_again_replaces(self, store: BudgetStore, session: Session) -> None:
        """One call holds one reservation, so a check that runs twice does not count twice."""
        limits = Limits(model_calls=1)
        assert _reserve(store, session, "a", _ONE, limits) is None
        assert _reserve(store, session, "a", _ONE, limits) is None
        assert store.balance(session).reserved == _ONE

    def test_sessions_are_separate(self, store: BudgetStore) -> None:
        """What one session reserves is not missing in another."""
        limits, one, other = Limits(model_calls=1), Session(), Session()
        assert _reserve(store, one, "a", _ONE, limits) is None
        assert _reserve(store, other, "a", _ONE, limits) is None

    def test_sessions_of_one_name_share(self, store: BudgetStore) -> None:
        """The account belongs to the session's name, not to the object."""
        limits = Limits(model_calls=1)
        one, same = Session(ident="thread-7"), Session(ident="thread-7")
        assert _reserve(store, one, "a", _ONE, limits) is None
        assert _reserve(store, same, "b", _ONE, limits) is not None

    def test_time_runs_from_the_first_reservation(
        self, store: BudgetStore, session: Session
    ) -> None:
        """Up to the limit is granted; later is refused, and a clock that jumps back grants."""
        limits = Limits(wall_time_s=10)
        times = {100.0: True, 110.0: True, 110.5: False, 90.0: True}
        for now, granted in times.items():
            short = store.reserve(session, "a", _ONE, limits=limits, now=now)
            assert (short is None) is granted
        assert store.balance(session).started == 100.0  # noqa: PLR2004 - the first of the times

    def test_parallel_calls_never_overshoot(self, store: BudgetStore, session: Session) -> None:
        """Fifty threads want a budget for one call: one gets it. And for seven: seven."""
        for limit in (1, 7):
            limits = Limits(model_calls=limit)

            def attempt(call: str, limits: Limits = limits) -> bool:
                return _reserve(store, session, call, _ONE, limits) is None

            with ThreadPoolExecutor(PARALLEL) as pool:
                granted = sum(pool.map(attempt, map(str, range(PARALLEL))))
            assert granted == limit
            for call in range(PARALLEL):
                store.release(session, str(call))

    def test_parallel_settling_loses_nothing(self, store: BudgetStore, session: Session) -> None:
        """Fifty threads reserve and settle: everything is in the sum, nothing stays reserved."""

        def work(call: str) -> None:
            _reserve(store, session, call, Amounts(1, 0, 100, 3), Limits())
            store.settle(session, call, Amounts(1, 0, 7, 2))
            store.settle(session, call, Amounts(1, 0, 7, 2))

        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(work, map(str, range(PARALLEL))))
        assert store.balance(session)[:2] == (
            Amounts(PARALLEL, 0, 7 * PARALLEL, 2 * PARALLEL),
            Amounts(),
        )

    def test_any_interleaving_keeps_the_books(self, store: BudgetStore) -> None:
        """A machine of random steps: no grant passes a limit, nothing is lost, all ends at zero."""
        # Any callable that makes a machine will do; hypothesis types it as a class.
        machine = cast("type[RuleBasedStateMachine]", lambda: _Books(store))
        run_state_machine_as_test(machine, settings=_steps)


_steps = settings(deadline=None, max_examples=60, stateful_step_count=30)


def _reserve(
    store: BudgetStore, session: Session, call: str, amounts: Amounts, limits: Limits
) -> Any:
    return store.reserve(session, call, amounts, limits=limits, now=0.0)


_CALLS = st.sampled_from("abcdef")
_AMOUNTS = st.builds(
    Amounts, st.integers(0, 2), st.integers(0, 2), st.integers(0, 60), st.integers(0, 60)
)


class _Books(RuleBasedStateMachine):
    """The books kept twice: by the store, and by the simplest model of it."""

    limits = Limits(model_calls=5, tool_calls=5, tokens=100, nano_usd=150)

    def __init__(self, store: BudgetStore) -> None:
        super().__init__()
        self.store = store
        self.session = Session()
        self.open: dict[str, Amounts] = {}
        self.spent = Amounts()

    @rule(call=_CALLS, amounts=_AMOUNTS)
    def reserve(self, call: str, amounts: Amounts) -> None:
        short = _reserve(self.store, self.session, call, amounts, self.limits)
        would = _sum(self.spent, amounts, *(a for c, a in self.open.items() if c != call))
        over = [
            name
            for name, total, asked, limit in zip(
                _DIMENSIONS, would, amounts, self.limits, strict=False
            )
            if limit is not None and asked and total > limit
        ]
        assert (short is None) is (not over)
        if short is None:
            self.open[call] = amounts

    @rule(call=_CALLS, amounts=_AMOUNTS)
    def settle(self, call: str, amounts: Amounts) -> None:
        self.store.settle(self.session, call, amounts)
        if self.open.pop(call, None) is not None:
            self.spent = _sum(self.spent, amounts)

    @rule(call=_CALLS)
    def release(self, call: str) -> None:
        self.store.release(self.session, call)
        self.open.pop(call, None)

    @invariant()
    def books_agree(self) -> None:
        balance = self.store.balance(self.session)
        assert balance.spent == self.spent
        assert balance.reserved == _sum(*self.open.values())

    def teardown(self) -> None:
        for call in "abcdef":
            self.store.release(self.session, call)
        assert self.store.balance(self.session).reserved == Amounts()


def _sum(*amounts: Amounts) -> Amounts:
    return Amounts(*(sum(column) for column in zip(Amounts(), *amounts, strict=True)))
