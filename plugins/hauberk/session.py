"""Sessions: what decisions are taken for, and the state that lasts between them.

Rules:
* A session is one mutable object. Frameworks run steps in copies of the context, so a change must
  be made to the object, never to the context variable.
* Each plugin keeps its state in the session under itself: two guards on one session never mix.
* A delegated session has its parent's state: nobody escapes a budget or a trip by delegating. Its
  rights are its parent's, and what was delegated, both.
* A tripped session stays tripped: where a framework swallows a refusal, the next boundary refuses.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from os import urandom
from threading import RLock
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from hauberk.capabilities import Rights
    from hauberk.decisions import Decision

T = TypeVar("T")

MAX_NOTICES = 1000
"""Notices that one session remembers."""

_current: ContextVar[Session | None] = ContextVar("hauberk_session", default=None)


def new_id() -> str:
    """A random name for a session or a call: 128 bits, so that no two are alike."""
    return urandom(16).hex()  # what `uuid4` does, in a quarter of its time


class Session:
    """Who acts, for whom and why, with the state that lasts: vault, budgets, trust labels.

    Does not promise to survive the process: stores do that.

    Example:
        >>> session = Session(user="ada", purpose="support")
        >>> with session.active():
        ...     Session.current() is session
        True
    """

    def __init__(  # noqa: PLR0913 - who, for whom, what for, where
        self,
        *,
        ident: str | None = None,
        agent: str = "agent",
        user: str | None = None,
        purpose: str | None = None,
        tenant: str | None = None,
        roles: Iterable[str] | None = None,
        environment: str | None = None,
    ) -> None:
        """Open a session; nothing is shared with any other.

        Args:
            ident: Name of the session in the audit trail; a random one by default.
            agent: Name of the agent that acts.
            user: On whose behalf it acts.
            purpose: What for.
            tenant: Whose budget and vault it is.
            roles: The user's roles, as the application knows them. None: it does not say.
            environment: Where the application runs, such as `production`.
        """
        self.ident = ident or new_id()
        self.agent = agent
        self.user = user
        self.purpose = purpose
        self.tenant = tenant
        self.roles = None if roles is None else frozenset(roles)
        self.environment = environment
        self.rights: tuple[Rights, ...] = ()
        """What was delegated, link by link. A call must be within every one of them."""
        self.lock = RLock()
        """Held for every step on this session's state that must be one step."""
        self._state: dict[object, object] = {}
        self._root = self
        self._tripped: Decision | None = None
        self._notices: OrderedDict[int, None] = OrderedDict()

    def __repr__(self) -> str:
        """Names only; the state may hold personal data."""
        return f"Session(ident={self.ident!r}, agent={self.agent!r})"

    @staticmethod
    def current() -> Session | None:
        """The session that is open in this context, or None."""
        return _current.get()

    def active(self) -> SessionScope:
        """A scope (`with` or `async with`) in which this session is the current one."""
        return SessionScope(self)

    def state(self, owner: object, make: Callable[[], T]) -> T:
        """The state of `owner` in this session, made on first use.

        One owner must always ask with the same `make`. Thread-safe.
        """
        try:
            return cast("T", self._state[owner])
        except KeyError:
            with self.lock:
                return cast("T", self._state.setdefault(owner, make()))

    def add_notice(self, text: str) -> None:
        """Remember a text that a guard put in the place of somebody's: it is nobody's text."""
        with self.lock:
            self._notices[hash(text)] = None
            if len(self._notices) > MAX_NOTICES:
                self._notices.popitem(last=False)

    def is_notice(self, text: str) -> bool:
        """Whether a guard wrote this text, exactly like this."""
        return hash(text) in self._notices

    def delegated(self, *, agent: str, rights: Rights) -> Session:
        """A session for a sub-agent: the same state, name and user, and less that it may do.

        It can only be narrower, whatever `rights` say: each link counts. `Guard.delegate` also
        refuses, and records, rights that ask for more.
        """
        child = Session(
            ident=self.ident,
            agent=agent,
            user=self.user,
            purpose=self.purpose,
            tenant=self.tenant,
            roles=self.roles,
            environment=self.environment,
        )
        child.rights = (*self.rights, rights)
        child.lock, child._state, child._notices = self.lock, self._state, self._notices
        child._root = self._root
        return child

    @property
    def tripped(self) -> Decision | None:
        """The hard refusal that ended this session, if one did: its own, or of its family."""
        return self._root._tripped  # noqa: SLF001 - a session too

    def trip(self, decision: Decision) -> None:
        """End this session: from now on every boundary refuses. The first reason is kept."""
        with self.lock:
            self._root._tripped = self.tripped or decision  # noqa: SLF001 - a session too


class SessionScope:
    """The stretch of code in which a session is the current one. Sync and async."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._outer: Session | None = None

    def __enter__(self) -> Session:
        # Not token/reset: generators of async frameworks may be closed in another context.
        self._outer = _current.get()
        _current.set(self.session)
        return self.session

    def __exit__(self, *_: object) -> None:
        _current.set(self._outer)

    async def __aenter__(self) -> Session:
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()


class Sessions:
    """The sessions that a guard knows by a key of the application, such as a thread id.

    Bounded: the one unused for longest is forgotten first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = RLock()
        self._known: OrderedDict[str, Session] = OrderedDict()

    def open(self, key: str, make: Callable[[], Session]) -> Session:
        """The session of `key`, made on first use. One atomic step."""
        with self._lock:
            session = self._known.get(key)
            if session is None:
                session = self._known[key] = make()
            self._known.move_to_end(key)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)
            return session
