"""A checkpointer that holds pseudonyms only: real values are put back when a checkpoint is read.

Rules:
* The checkpointer that the application has keeps its work: it is given other values to store, as bytes
  of LangGraph's own serializer in which every text was looked at.
* What is no text (numbers, bytes, arrays) is stored as it is. What hides texts from us (a pickle, a
  type that we do not know) is not stored: it refuses.
* What was stored before, in clear, is read as it is.
* The values come back for who names the same conversation with the same vault. For everyone else they
  stay pseudonyms.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import (
    AsyncIterator,
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, cast

import ormsgpack
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from hauberk import Guard, Session
from hauberk.storage import Concealed, conceal, conceals, reveal
from hauberk.structure import MAX_DEPTH, TooDeepError
from hauberk_langchain._run import identity_in

_KEY = "__hauberk__"
"""Tells a stored value from one that was stored without us."""

_CALLED = range(6)
"""Codes of what is made by a call: (module, name, arguments, ...). LangGraph's EXT_*, langgraph-
checkpoint 2.1 to 4.3."""
_ARRAY = 6
_WHOLE = 7
"""Code of a value in a wrapper."""

_NO_TEXTS = frozenset({"datetime", "decimal", "uuid", "zoneinfo"})
"""Modules whose types are made of strings that are numbers and dates: no texts."""

_OPTIONS = ormsgpack.OPT_NON_STR_KEYS

Change = Callable[[str], str]
Writes = Sequence[tuple[str, Any]]


class PseudonymisedSaver(BaseCheckpointSaver[Any]):
    """Stores pseudonyms in another checkpointer, and gives the values back.

    It does not promise to hide what is not part of the state: thread ids and metadata of runs, which
    are the application's own names.
    """

    def __init__(self, saver: BaseCheckpointSaver[Any], guard: Guard) -> None:
        """Use `saver` for storing.

        Args:
            saver: Any checkpointer.
            guard: Finds the values, and has the vault.

        Raises:
            ValueError: The policy of `guard` hides nothing.
        """
        if not conceals(guard):
            raise ValueError(
                "the policy masks no personal data (`pii: false`): nothing would be hidden"
            )
        # Ours only turns values into bytes and back; the other one's stores, and encrypts if it does.
        serde = saver.serde if isinstance(saver.serde, JsonPlusSerializer) else None
        super().__init__(serde=serde or JsonPlusSerializer())
        self.saver = saver
        self.guard = guard

    # --- reading ----------------------------------------------------------------------------

    def get_tuple(self, config: Any) -> CheckpointTuple | None:
        """A checkpoint, with its values."""
        found = self.saver.get_tuple(config)
        return None if found is None else self._shown(found, config)

    async def aget_tuple(self, config: Any) -> CheckpointTuple | None:
        """A checkpoint, with its values."""
        found = await self.saver.aget_tuple(config)
        return None if found is None else await asyncio.to_thread(self._shown, found, config)

    def list(self, config: Any, **options: Any) -> Iterator[CheckpointTuple]:
        """Checkpoints, with their values."""
        return map(self._shown, self.saver.list(config, **options))

    async def alist(self, config: Any, **options: Any) -> AsyncIterator[CheckpointTuple]:
        """Checkpoints, with their values."""
        async for found in self.saver.alist(config, **options):
            yield await asyncio.to_thread(self._shown, found)

    # --- writing ----------------------------------------------------------------------------

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Store a checkpoint, without its values."""
        hidden = self._hidden_checkpoint(config, checkpoint)
        return self.saver.put(config, hidden, metadata, new_versions)

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Store a checkpoint, without its values."""
        hidden = await asyncio.to_thread(self._hidden_checkpoint, config, checkpoint)
        return await self.saver.aput(config, hidden, metadata, new_versions)

    def put_writes(self, config: Any, writes: Writes, task_id: str, task_path: str = "") -> None:
        """Store what a step wrote, without its values."""
        self.saver.put_writes(config, self._hidden_writes(config, writes), task_id, task_path)

    async def aput_writes(
        self, config: Any, writes: Writes, task_id: str, task_path: str = ""
    ) -> None:
        """Store what a step wrote, without its values."""
        hidden = await asyncio.to_thread(self._hidden_writes, config, writes)
        await self.saver.aput_writes(config, hidden, task_id, task_path)

    # --- the rest is the other one's --------------------------------------------------------

    @property
    def config_specs(self) -> Any:
        """What the other one needs in a config."""
        return self.saver.config_specs

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The other one's next version."""
        return self.saver.get_next_version(current, channel)

    def delete_thread(self, thread_id: str) -> None:
        """Delete a conversation."""
        self.saver.delete_thread(thread_id)

    async def adelete_thread(self, thread_id: str) -> None:
        """Delete a conversation."""
        await self.saver.adelete_thread(thread_id)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what some runs stored."""
        self.saver.delete_for_runs(run_ids)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete what some runs stored."""
        await self.saver.adelete_for_runs(run_ids)

    def prune(self, thread_ids: Sequence[str], **options: Any) -> None:
        """Delete what is not needed any more."""
        self.saver.prune(thread_ids, **options)

    async def aprune(self, thread_ids: Sequence[str], **options: Any) -> None:
        """Delete what is not needed any more."""
        await self.saver.aprune(thread_ids, **options)

    def with_allowlist(self, extra_allowlist: Collection[tuple[str, ...]]) -> Any:
        """The same, for a graph that stores types of its own."""
        clone = copy.copy(super().with_allowlist(extra_allowlist))
        cast("PseudonymisedSaver", clone).saver = self.saver.with_allowlist(extra_allowlist)
        return clone

    # --- values -----------------------------------------------------------------------------

    def _session(self, config: Any) -> Session:
        """The conversation's, whoever reads it: in a run, or from outside."""
        identity = identity_in(config)
        return self.guard.session_for(str(identity.thread), user=identity.user)

    def _hidden_checkpoint(self, config: Any, checkpoint: Any) -> Any:
        session, values = self._session(config), checkpoint["channel_values"]
        hidden = {channel: self._hidden(session, value) for channel, value in values.items()}
        return {**checkpoint, "channel_values": hidden}

    def _hidden_writes(self, config: Any, writes: Writes) -> Writes:
        session = self._session(config)
        return [(channel, self._hidden(session, value)) for channel, value in writes]

    def _hidden(self, session: Session, value: Any) -> Any:
        kind, data = self.serde.dumps_typed(value)
        if kind in ("null", "bytes", "bytearray"):
            return value
        if kind != "msgpack":
            raise TypeError(
                f"values that are stored as {kind} hide their texts; they are not stored"
            )
        texts = texts_of(data)
        stored = conceal(self.guard, session, texts)
        hidden = dict(zip(texts, stored.texts, strict=True))
        return {_KEY: dict(stored.marks), "data": changed(data, hidden.__getitem__)}

    def _shown(self, found: CheckpointTuple, config: Any = None) -> CheckpointTuple:
        session = self._session(config or found.config)
        values = found.checkpoint["channel_values"]
        shown = {channel: self._value(session, value) for channel, value in values.items()}
        writes = found.pending_writes
        return found._replace(
            checkpoint=cast("Any", {**found.checkpoint, "channel_values": shown}),
            pending_writes=None
            if writes is None
            else [(task, channel, self._value(session, value)) for task, channel, value in writes],
        )

    def _value(self, session: Session, value: Any) -> Any:
        if not isinstance(value, Mapping) or _KEY not in value:
            return value  # stored in clear, before us
        stored = cast("Mapping[str, Any]", value)
        data: bytes = stored["data"]
        texts = texts_of(data)
        back = reveal(self.guard, session, Concealed(tuple(texts), stored[_KEY]))
        shown = dict(zip(texts, back, strict=True))
        return self.serde.loads_typed(("msgpack", changed(data, shown.__getitem__)))


class _Made:
    """A value of a type that is no type of msgpack's."""

    def __init__(self, code: int, inside: Any) -> None:
        self.code = code
        self.inside = inside


def texts_of(data: bytes) -> list[str]:
    """Every text in what LangGraph's serializer made of a value, each once.

    Raises:
        TypeError: There is a value in it of a type that we do not know.
        TooDeepError: It is nested too deep.
    """
    found: dict[str, None] = {}

    def keep(text: str) -> str:
        found[text] = None
        return text

    _changed(_opened(data), keep, MAX_DEPTH)
    return list(found)


def changed(data: bytes, change: Change) -> bytes:
    """What LangGraph's serializer made of a value, with every text passed through `change`.

    Args:
        data: Its bytes.
        change: Called with each text; gives what takes its place.

    Raises:
        TypeError: There is a value in it of a type that we do not know.
        TooDeepError: It is nested too deep.
    """
    return _packed(_changed(_opened(data), change, MAX_DEPTH))


def _opened(data: bytes) -> Any:
    return ormsgpack.unpackb(data, ext_hook=_made, option=_OPTIONS)


def _made(code: int, data: bytes) -> _Made:
    if code == _ARRAY:
        return _Made(code, data)
    if code in _CALLED or code == _WHOLE:
        return _Made(code, _opened(data))
    raise TypeError(f"a value of an unknown kind ({code}) may hide texts; it is not stored")


def _packed(value: Any) -> bytes:
    return ormsgpack.packb(value, default=_unmade, option=_OPTIONS)


def _unmade(made: _Made) -> Any:
    inside = made.inside if made.code == _ARRAY else _packed(made.inside)
    return ormsgpack.Ext(made.code, inside)


def _changed(value: Any, change: Change, depth: int) -> Any:
    if isinstance(value, str):
        return change(value)
    if depth <= 0:
        raise TooDeepError
    if isinstance(value, dict):
        items = value.items()
        return {_changed(k, change, depth - 1): _changed(v, change, depth - 1) for k, v in items}
    if isinstance(value, (list, tuple)):
        return type(value)(_changed(item, change, depth - 1) for item in value)
    if isinstance(value, _Made):
        return _Made(value.code, _inside(value, change, depth - 1))
    return value


def _inside(made: _Made, change: Change, depth: int) -> Any:
    if made.code == _WHOLE:
        return _changed(made.inside, change, depth)
    if made.code == _ARRAY or made.inside[0] in _NO_TEXTS:
        return made.inside
    module, name, arguments, *rest = made.inside
    return [module, name, _changed(arguments, change, depth), *rest]
