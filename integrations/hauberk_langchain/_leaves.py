"""Texts inside the values that LangChain carries: content blocks, arguments, extra fields.

Rules:
* Every string is a text, unless its key says that it is none (an id, a type, a signature, image
  data) and it looks like that: with a space or an @ in it, it is a text all the same. An unknown key
  is a text: what we do not know is looked at.
* A key of plain values is a name and no text, unless it looks like data: an address, a number.
* Arguments that are JSON in a string are opened: their leaves are texts, and what is put in is
  escaped again.
* The given value is never changed; what did not change is shared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import is_
from typing import Any

from hauberk.structure import MAX_DEPTH, TooDeepError

Path = tuple[str | int, ...]
"""Keys and positions that lead to a text."""

Change = Callable[[Path, str], str]
"""Gives the new text of the leaf at a path."""

JSON_KEYS = frozenset({"args", "arguments", "partial_json"})
"""Strings under these keys are JSON documents, or pieces of one."""

_NO_TEXT = frozenset(
    {
        "base64",
        "cache_control",
        "call_id",
        "encrypted_content",
        "file_id",
        "format",
        "id",
        "image_url",
        "index",
        "media_type",
        "mime_type",
        "name",
        "role",
        "signature",
        "source_type",
        "tool_call_id",
        "tool_use_id",
        "type",
        "url",
    }
)
"""Keys of content blocks whose strings are names, addresses or binary data."""

_NAME = re.compile(r"[^\W\d][\w.-]{0,63}")
"""What names of fields look like. Longest seen in schemas: about forty characters."""

_HOLDERS = (str, dict, list, tuple, Mapping)
"""Values of other types hold no text."""

_BARE = frozenset({type(None), bool, int, float})
"""Types that hold no text for sure: an abstract class takes its time to say so."""

_TEXT_TYPES = frozenset({"text", "text-plain", "non_standard"})
"""Blocks and sources of these types carry words, not bytes, under `data`."""


def change_blocks(
    value: object, change: Change, *, whole: bool = True, path: Path = (), depth: int = MAX_DEPTH
) -> object:
    """A copy of content (a string, or blocks) with every text passed through `change`.

    Args:
        value: What a message carries.
        change: Called with the path and the text of each leaf, in a fixed order.
        whole: JSON strings are complete and are opened; False for pieces of a stream.
        path: Where `value` is.
        depth: Levels of nesting that are left.

    Raises:
        TooDeepError: `value` is nested too deep.
    """
    if isinstance(value, str):
        return _in_string(value, change, whole=whole, path=path, depth=depth)
    if isinstance(value, (list, tuple)):
        _check(depth)
        items: Sequence[object] = value
        new = [
            change_blocks(item, change, whole=whole, path=(*path, n), depth=depth - 1)
            for n, item in enumerate(items)
        ]
        return value if _same(new, items) else new
    if type(value) not in _BARE and isinstance(value, (dict, Mapping)):
        named: Mapping[str, object] = value
        return _in_mapping(named, change, whole=whole, path=path, depth=depth)
    return value


def _in_string(value: str, change: Change, *, whole: bool, path: Path, depth: int) -> str:
    if whole and path and path[-1] in JSON_KEYS:
        opened = _opened(value)
        if opened is not None:
            new = change_values(opened, change, path=path, depth=depth)
            return value if new is opened else json.dumps(new, ensure_ascii=False)
    return change(path, value)


def _in_mapping(
    value: Mapping[str, object], change: Change, *, whole: bool, path: Path, depth: int
) -> object:
    _check(depth)
    changed: dict[str, object] = {}
    for key, inner in value.items():
        if type(inner) in _BARE or not isinstance(inner, _HOLDERS) or _is_name(key, inner, value):
            continue
        if key in ("args", "input") and not isinstance(inner, str):
            new = change_values(inner, change, path=(*path, key), depth=depth - 1)
        else:
            new = change_blocks(inner, change, whole=whole, path=(*path, key), depth=depth - 1)
        if new is not inner:
            changed[key] = new
    return {**value, **changed} if changed else value


def _is_name(key: str, inner: object, block: Mapping[str, object]) -> bool:
    """Whether a string is no text, as its key and its looks say."""
    named = key in _NO_TEXT or (key == "data" and not _wordy(block))
    return named and isinstance(inner, str) and " " not in inner and "@" not in inner


def change_values(value: object, change: Change, *, path: Path, depth: int = MAX_DEPTH) -> object:
    """The same for plain values (arguments, metadata, results): every string is a text.

    Raises:
        TooDeepError: `value` is nested too deep.
    """
    if isinstance(value, str):
        return change(path, value)
    if type(value) in _BARE:
        return value
    if isinstance(value, (dict, Mapping)):
        _check(depth)
        named: Mapping[str, object] = value
        return _in_values(named, change, path=path, depth=depth)
    if isinstance(value, (list, tuple)):
        _check(depth)
        items: Sequence[object] = value
        changed = [
            change_values(inner, change, path=(*path, n), depth=depth - 1)
            for n, inner in enumerate(items)
        ]
        if _same(changed, items):
            return value
        return changed if isinstance(value, list) else tuple(changed)
    return value


def _in_values(
    values: Mapping[str, object], change: Change, *, path: Path, depth: int
) -> Mapping[str, object]:
    new: dict[str, object] = {}
    same = True
    for key, inner in values.items():
        name, value = _key(key, change, path), inner
        if isinstance(inner, str):
            value = change((*path, key), inner)
        elif type(inner) not in _BARE:
            value = change_values(inner, change, path=(*path, key), depth=depth - 1)
        same = same and name is key and value is inner
        new[name] = value
    if len(new) != len(values):
        raise ValueError("two keys would become one")
    return values if same else new


def _key(key: Any, change: Change, path: Path) -> Any:
    """The key itself where it is a name, as almost always."""
    if not isinstance(key, str) or _NAME.fullmatch(key):
        return key
    return change((*path, key), key)


def dotted(path: Path) -> str:
    """A path as people write it: `content[0].text`."""
    text = ""
    for step in path:  # no generator: it would cost a call for each step, of each text
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".")


def taking(texts: Iterator[str]) -> Change:
    """A change that puts `texts` in, one after the other."""
    return lambda _path, _text: next(texts)


def _wordy(block: Mapping[str, object]) -> bool:
    return block.get("type") in _TEXT_TYPES or block.get("source_type") == "text"


def _opened(text: str) -> object:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return all(map(is_, new, old))


def _check(depth: int) -> None:
    if depth <= 0:
        raise TooDeepError
