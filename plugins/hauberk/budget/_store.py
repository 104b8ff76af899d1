"""Where budgets are kept: accounts with reservations, behind verbs that are one step each.

Rules:
* A verb is atomic over all dimensions of an account: it happens whole or not at all. There is no
  get-then-set. (For Redis: one Lua script per verb.)
* A reservation is granted only when what is spent, what others have reserved and what is asked stay
  within every limit together. So parallel calls never overshoot together.
* `settle` books the truth, even where it passes a limit: the next reservation is refused then.
* Verbs are idempotent by the name of the call: what is not reserved (any more) is not settled and
  not released; reserving under an open name replaces the older reservation.
* Amounts are whole numbers, money in billionths of a dollar: sums never drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import add, sub
from threading import Lock
from typing import NamedTuple, Protocol
from weakref import WeakValueDictionary

from hauberk.session import Session


class Amounts(NamedTuple):
    """Whole numbers of what can be spent."""

    model_calls: int = 0
    tool_calls: int = 0
    tokens: int = 0
    nano_usd: int = 0
    """Billionths of a US dollar: one token of the cheapest models still costs a few."""


class Limits(NamedTuple):
    """Most that one account may hold, in the units of `Amounts`; None: no limit."""

    model_calls: int | None = None
    tool_calls: int | None = None
    tokens: int | None = None
    nano_usd: int | None = None
    wall_time_s: float | None = None
    """Seconds since the account's first reservation."""


class Shortage(NamedTuple):
    """Why a reservation is refused: the first limit that it would pass."""

    dimension: str
    """Name of a field of `Limits`."""
    used: float
    reserved: float
    asked: float
    limit: float


class Balance(NamedTuple):
    """What an account holds at one moment."""

    spent: Amounts = Amounts()
    reserved: Amounts = Amounts()
    started: float | None = None
    """The clock at the first reservation; None before it."""


class BudgetStore(Protocol):
    """Keeps an account for each session. Called from many threads at once.

    `hauberk.testing.BudgetStoreContract` checks an implementation.
    """

    def reserve(
        self, session: Session, call: str, amounts: Amounts, *, limits: Limits, now: float
    ) -> Shortage | None:
        """Set `amounts` aside under the name `call`, or say what is short and change nothing.

        Args:
            session: Whose account.
            call: Name of the reservation; an open one of that name is replaced when the new one
                is granted, and kept when it is refused.
            amounts: The most that the call can spend.
            limits: What the account may hold.
            now: The clock, in seconds. The first reservation starts the account's time.
        """
        ...

    def settle(self, session: Session, call: str, amounts: Amounts) -> None:
        """Replace the reservation of `call` by what was really spent. Once; else does nothing."""
        ...

    def release(self, session: Session, call: str) -> None:
        """Free the reservation of `call`. Once; else does nothing."""
        ...

    def balance(self, session: Session) -> Balance:
        """What is spent and reserved now; zeros for an account that was never used."""
        ...


@dataclass(slots=True, weakref_slot=True, eq=False)
class _Account:
    lock: Lock
    spent: Amounts
    reserved: Amounts
    open: dict[str, Amounts]
    started: float | None


class MemoryBudgetStore:
    """Accounts in memory, by `Session.ident`.

    An account lives as long as a session of that name does: memory is bounded by the sessions that
    are alive. Does not promise to survive the process, or to be shared with another one.

    Example:
        >>> store, session = MemoryBudgetStore(), Session()
        >>> limits = Limits(model_calls=1)
        >>> store.reserve(session, "first", Amounts(model_calls=1), limits=limits, now=0.0)
        >>> store.reserve(session, "second", Amounts(model_calls=1), limits=limits, now=0.0)
        Shortage(dimension='model_calls', used=0, reserved=1, asked=1, limit=1)
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._accounts: WeakValueDictionary[str, _Account] = WeakValueDictionary()

    def reserve(
        self, session: Session, call: str, amounts: Amounts, *, limits: Limits, now: float
    ) -> Shortage | None:
        """Set `amounts` aside under the name `call`, or say what is short and change nothing."""
        account = self._account(session)
        with account.lock:
            if account.started is None:
                account.started = now
            replaced, others = account.open.get(call), account.reserved
            if replaced is not None:
                others = _minus(others, replaced)
            elapsed_s, limit_s = now - account.started, limits.wall_time_s
            if limit_s is not None and elapsed_s > limit_s:
                return Shortage("wall_time_s", elapsed_s, 0, 0, limit_s)
            short = _shortage(account.spent, others, amounts, limits)
            if short is None:
                account.open[call] = amounts
                account.reserved = _plus(others, amounts)
            return short

    def settle(self, session: Session, call: str, amounts: Amounts) -> None:
        """Replace the reservation of `call` by what was really spent."""
        self._close(self._account(session), call, amounts)

    def release(self, session: Session, call: str) -> None:
        """Free the reservation of `call`."""
        self._close(self._account(session), call, _NOTHING)

    def balance(self, session: Session) -> Balance:
        """What is spent and reserved now."""
        account = self._account(session)
        with account.lock:
            return Balance(account.spent, account.reserved, account.started)

    def _account(self, session: Session) -> _Account:
        # The session holds the account, the store only knows its name: it goes with the session.
        return session.state(self, partial(self._shared, session.ident))

    def _shared(self, ident: str) -> _Account:
        with self._lock:
            account = self._accounts.get(ident)
            if account is None:
                account = _Account(Lock(), _NOTHING, _NOTHING, {}, None)
                self._accounts[ident] = account
            return account

    @staticmethod
    def _close(account: _Account, call: str, amounts: Amounts) -> None:
        with account.lock:
            held = account.open.pop(call, None)
            if held is not None:
                account.reserved = _minus(account.reserved, held)
                account.spent = _plus(account.spent, amounts)


_NOTHING = Amounts()


def _plus(left: Amounts, right: Amounts) -> Amounts:
    return Amounts(*map(add, left, right))


def _minus(left: Amounts, right: Amounts) -> Amounts:
    return Amounts(*map(sub, left, right))


def _shortage(spent: Amounts, reserved: Amounts, asked: Amounts, limits: Limits) -> Shortage | None:
    """The first dimension in which `asked` does not fit. What is not asked for is not short."""
    for at, more in enumerate(asked):
        limit = limits[at]
        if more and limit is not None and spent[at] + reserved[at] + more > limit:
            return Shortage(Amounts._fields[at], spent[at], reserved[at], more, limit)
    return None
