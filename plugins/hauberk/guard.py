"""The guard: a policy with its plugins and stores, and the only thing an integration talks to.

Rules:
* Plugins of a stage run in a fixed order; the first refusal ends the check; rewrites are threaded
  through, so that each plugin sees what the one before it made.
* Whatever fails, blocks: a plugin that raises, a rewrite of the wrong shape, a recorder that cannot
  record, a bound that is passed. Opening up is spelt out in the policy and recorded.
* The same inputs give the same decision in both colours.
* A refusal that stops the run trips the session: from then on every boundary refuses.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hauberk._asking import Ask, Asking, AsyncAsk
from hauberk._build import build_plugins, build_recorder
from hauberk._engine import Engine
from hauberk._roster import Roster, on_error
from hauberk._stream import GuardStream
from hauberk.approval import Approvals, Approver, Grant
from hauberk.coverage import Coverage, coverage_of
from hauberk.decisions import Decision, Verdict
from hauberk.errors import BlockedError, blocked
from hauberk.events import Event, Stage
from hauberk.plugin import Plugin, Recorder, Select
from hauberk.policy import Access, Policy, load_policy
from hauberk.session import Session, Sessions, SessionScope

if TYPE_CHECKING:
    from hauberk.capabilities import Explanation

__all__ = ["Guard", "blocked"]


class Guard:
    """A policy, enforced.

    `Guard()` has the safe defaults: injection screened, personal data masked, every tool denied
    until a policy names it, sane budgets, an audit trail in memory.

    It does not promise to see what goes around its doors: a provider's SDK used directly, a tool's
    function called without the tool.

    Example:
        >>> from hauberk.events import Event, Segment, Stage
        >>> guard = Guard(Policy(version=1, pii=False))
        >>> event = Event(stage=Stage.PROMPT, segments=(Segment.from_user("What is 2 + 2?"),))
        >>> guard.check(event).passes
        True
    """

    def __init__(
        self,
        policy: Policy | None = None,
        *,
        plugins: Iterable[Plugin] = (),
        recorder: Recorder | None = None,
        approver: Approver | None = None,
    ) -> None:
        """Build the plugins that the policy names.

        Args:
            policy: What to enforce; the safe defaults when not given.
            plugins: More plugins, beside those of the policy.
            recorder: Where decisions are recorded, instead of what the policy says.
            approver: Asks a person when a rule wants it, and gives the answer. Without one, and
                where the framework has no way of its own to ask, a question is a refusal.

        Raises:
            MissingExtraError: The policy needs an extra that is not installed.
            PolicyError: The policy names a plugin that does not exist.
            StoreError: The audit trail cannot be opened.
        """
        self.policy = policy or Policy(version=1)
        self.plugins: tuple[Plugin, ...] = (*build_plugins(self.policy), *plugins)
        self.recorder = recorder or build_recorder(self.policy)
        self.sessions = Sessions(self.policy.limits.max_sessions)
        self.approvals = Approvals.open(self.policy.approval)
        self._asking = Asking(self.approvals, approver)
        self._roster = Roster(self.plugins)
        self._engine = Engine(
            self._roster, self.recorder, self.policy.limits, on_error(self.policy)
        )

    @classmethod
    def from_policy(cls, source: Policy | Mapping[str, object] | str | Path) -> Self:
        """A guard for a policy file, a mapping of the same shape, or a `Policy`.

        Raises:
            PolicyError: The policy cannot be used; says where and how to mend it.
            MissingExtraError: The policy needs an extra that is not installed.
            StoreError: The audit trail cannot be opened.
        """
        return cls(load_policy(source))

    def __repr__(self) -> str:
        return f"Guard(policy={self.policy.name!r}, plugins={[p.name for p in self.plugins]})"

    # --- sessions ---------------------------------------------------------------------------

    def session(  # noqa: PLR0913 - those of `Session`
        self,
        *,
        ident: str | None = None,
        agent: str = "agent",
        user: str | None = None,
        purpose: str | None = None,
        tenant: str | None = None,
        roles: Iterable[str] | None = None,
        environment: str | None = None,
    ) -> SessionScope:
        """Open a session of its own: `with guard.session(user="ada") as session:` (or `async with`).

        Everything that runs inside, in threads and tasks that inherit the context too, belongs to
        it.
        """
        return Session(
            ident=ident,
            agent=agent,
            user=user,
            purpose=purpose,
            tenant=tenant,
            roles=roles,
            environment=environment,
        ).active()

    def delegate(
        self,
        agent: str,
        *,
        tools: Iterable[str] | None = None,
        access: Access | str | None = None,
        roles: Iterable[str] | None = None,
        session: Session | None = None,
    ) -> SessionScope:
        """Open a session for a sub-agent, with a part of the rights of the one that is open.

        State is shared: the sub-agent spends its parent's budget, and a trip ends both.

        Args:
            agent: Its name.
            tools: Names and globs of the tools that it may use; None: all of its parent's.
            access: Its ceiling.
            roles: Which of the user's roles it may use.
            session: The parent; the session that is open in this context by default.

        Raises:
            BlockedError: It asks for more than its parent has; that is recorded.
            PolicyError: The policy switches `capabilities` off: nothing would keep the rights.
            ValueError: No session is open and none is given, or `access` is no access.

        Example:
            with guard.delegate("researcher", tools=["search_*"], access="read"):
                sub_agent.invoke(...)
        """
        from hauberk.capabilities import Rights, delegated  # noqa: PLC0415 - a room

        parent = session or Session.current()
        if parent is None:
            raise ValueError("no session is open: open one with `guard.session()`")
        asked = Rights(
            tools=None if tools is None else tuple(tools),
            access=None if access is None else Access(access),
            roles=None if roles is None else frozenset(roles),
        )
        child = delegated(self.policy.capabilities, parent, agent=agent, asked=asked)
        if isinstance(child, Decision):
            raise self.deny(Event(stage=Stage.TOOL_CALL, session=parent), child)
        return child.active()

    def session_for(self, key: str, *, user: str | None = None, agent: str = "agent") -> Session:
        """The session of an application's key (a thread id); the same one for the same key."""
        return self.sessions.open(key, lambda: Session(ident=key, user=user, agent=agent))

    # --- the engine -------------------------------------------------------------------------

    def check(self, event: Event, *, grant: Grant | None = None) -> Decision:
        """Decide on one event, and record it. Never raises for what an event holds.

        `grant` is a person's answer to the question that an earlier check of this event asked.
        """
        return self._engine.check(event, grant)[1]

    async def acheck(self, event: Event, *, grant: Grant | None = None) -> Decision:
        """The same decision as `check`, without blocking the event loop on anyone's I/O."""
        return (await self._engine.acheck(event, grant))[1]

    def decide(self, event: Event, ask: Ask | None = None) -> tuple[Event, Decision]:
        """Check, and where a person must approve, ask and check again.

        Args:
            event: The event as it came.
            ask: The framework's own way to ask, tried before the application's `approver`.

        Returns:
            The event as it may go on (edited by the person, rewritten by plugins), and the decision
            on it, which is `ask` only where nobody could be asked.
        """
        checked, decision = self._engine.check(event, None)
        if decision.verdict is not Verdict.ASK:
            return checked, decision
        answer = self._asking.ask(event, decision, ask)
        if not isinstance(answer, Grant):
            return event, self._unanswered(event, decision, answer)
        event = event.rewritten(None, answer.arguments)
        result = self._engine.check(event, answer)
        self._roster.approved(event)
        return result

    async def adecide(self, event: Event, ask: AsyncAsk | None = None) -> tuple[Event, Decision]:
        """The same, on an event loop."""
        checked, decision = await self._engine.acheck(event, None)
        if decision.verdict is not Verdict.ASK:
            return checked, decision
        answer = await self._asking.aask(event, decision, ask)
        if not isinstance(answer, Grant):
            return event, self._unanswered(event, decision, answer)
        event = event.rewritten(None, answer.arguments)
        result = await self._engine.acheck(event, answer)
        self._roster.approved(event)
        return result

    def require(self, event: Event) -> Event:
        """Check, and give the event as it may go on.

        Raises:
            BlockedError: The guard refused.
        """
        checked, decision = self.decide(event)
        if decision.passes:
            return checked
        raise blocked(event, decision)

    async def arequire(self, event: Event) -> Event:
        """Check, and give the event as it may go on.

        Raises:
            BlockedError: The guard refused.
        """
        checked, decision = await self.adecide(event)
        if decision.passes:
            return checked
        raise blocked(event, decision)

    def require_open(self, session: Session) -> None:
        """Refuse when this session was ended by a refusal.

        For adapters, at the end of a run: a framework may have swallowed the refusal on its way.

        Raises:
            BlockedError: The session is over.
        """
        if session.tripped is not None:
            raise blocked(Event(stage=Stage.COMPLETION, session=session), session.tripped)

    def release(self, event: Event) -> None:
        """The crossing of `event.call` ended early (failed, abandoned, cancelled).

        Whatever was reserved for it is freed; with `event.usage`, that much is settled.
        """
        self._roster.release(event)

    def minimiser(self, event: Event) -> Select | None:
        """What may be seen of the result of the tool call `event`; None: all of it.

        For flows: it is applied before anything else sees the result.
        """
        return self._roster.minimiser(event)

    def failed(self, event: Event) -> None:
        """A tool that was let through raised, or ran out of time. `event` is its (absent) result.

        Only the tool's own failures count, not refusals and not cancelled runs: circuit breakers
        live on this. `release` is called besides.
        """
        self._roster.failed(event)

    def deny(self, event: Event, decision: Decision) -> BlockedError:
        """Record a refusal that was made outside a check, and give the error to raise or to show.

        For adapters: a tool that ran out of time, say.
        """
        return blocked(event, self._engine.refuse(event, "adapter", decision))

    def refuse(self, event: Event, part: str, error: Exception) -> BlockedError:
        """Record that `part` failed outside a check, and give the error to raise.

        For adapters and streams: an exception inside a seam must block, never let text through.
        """
        return blocked(event, self._engine.refuse(event, part, error))

    def watches(self, stage: Stage) -> bool:
        """Whether any plugin looks at this stage.

        For adapters: where nobody looks, an application must behave as it does without a guard.
        """
        return bool(self._roster.by_stage[stage])

    def explain(self, event: Event) -> Explanation:
        """Why a tool call is decided as it is: the rule, the argument, where each value came from.

        For people: it shows values of the call. Nothing changes, and nothing is recorded.

        Raises:
            ValueError: The event is no tool call, or no plugin of this guard can explain one.
        """
        if event.stage is not Stage.TOOL_CALL:
            raise ValueError("only tool calls are explained")
        return self._roster.explain(event)

    def coverage(self, obj: object) -> Coverage:
        """Which stages of an application's own object this guard sees, and which it does not.

        Raises:
            TypeError: No installed integration knows objects of this type.
        """
        return coverage_of(self, obj)

    def open_stream(self, prompt: Event) -> GuardStream:
        """A filter for the streamed answer to `prompt` (the event as `require` gave it)."""
        return GuardStream(self, prompt, self._roster.streaming)

    def close(self) -> None:
        """Write what is still to be written and let go of files."""
        if self.recorder is not None:
            self.recorder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _unanswered(self, event: Event, asked: Decision, answer: Decision | None) -> Decision:
        """The refusal that a person gave; or the question, without what it would have let through."""
        if answer is not None:
            return self.deny(event, answer).decision
        return replace(asked, segments=None, arguments=None)
