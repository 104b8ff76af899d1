"""Command lines without anything that a shell would act on (pure).

Rules:
* Words are separated by spaces; quotes only group. Every sign with a meaning to some shell (`;`, `|`,
  `$`, `*`, a line break ...) makes the line unreadable, inside quotes too: nobody knows how many
  shells will read it.
* The command, its options and its sub-command are matched exactly. What is not named is refused.
* A list of words is judged by the same rules: tools join them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit, unreadable
from hauberk.policy._constraints import MAX_SHELL_WORDS, CommandRule, ShellRule

MAX_CHARS = 4096
"""Longest command line."""

# Letters of all scripts and what commands need; no sign of POSIX shells, cmd.exe or PowerShell.
_SAFE = r"\w@+=:,./\-"
_WORD = rf"""(?:[{_SAFE}]|'[{_SAFE} ]*'|"[{_SAFE} ]*")+"""
_LINE = re.compile(rf" *(?:{_WORD})(?: +{_WORD})* *")
_ONE = re.compile(rf"[{_SAFE} ]+")
_SPLIT = re.compile(_WORD)


def shell_kind(rule: ShellRule) -> Kind:
    """A constraint on a command line."""

    def check(value: object, _: Arguments) -> Misfit | None:
        words = _words(value)
        if not words:
            return unreadable("must be one plain command, without signs that a shell acts on")
        command = rule.commands.get(words[0])
        if command is None:
            return Misfit("must call a command in `commands`", field="commands", needed=words[0])
        return _misused(command, words[0], words[1:])

    return Kind(name="shell", check=check, parts=lambda value: (value,))


def _words(value: object) -> list[str]:
    """The words of a line or a list; none when it cannot be read."""
    if isinstance(value, (list, tuple)):
        given = cast("Sequence[object]", value)
        words = [word for word in given if isinstance(word, str) and _ONE.fullmatch(word)]
        return words if len(words) == len(given) and len(words) <= MAX_SHELL_WORDS else []
    if not isinstance(value, str) or len(value) > MAX_CHARS or not _LINE.fullmatch(value):
        return []
    words = [re.sub("['\"]", "", word) for word in _SPLIT.findall(value)]
    return words if len(words) <= MAX_SHELL_WORDS else []


def _misused(rule: CommandRule, name: str, words: list[str]) -> Misfit | None:
    plain: list[str] = []
    for index, word in enumerate(words):
        if word == "--":
            plain += words[index + 1 :]
            break
        if word.startswith(("-", "+")) and word not in ("-", "+"):
            wrong = _wrong_option(rule, word)
            if wrong is not None:
                field = f"commands.{name}.options"
                return Misfit(f"must use options in `{field}`", field=field, needed=wrong)
        else:
            plain.append(word)
    if len(plain) > rule.max_words:
        field = f"commands.{name}.max_words"
        return Misfit(f"must have at most {rule.max_words} words", field=field, needed=len(plain))
    if rule.first and (not plain or plain[0] not in rule.first):
        field = f"commands.{name}.first"
        needed = plain[0] if plain else None
        return Misfit(f"must begin with a word in `{field}`", field=field, needed=needed)
    return None


def _wrong_option(rule: CommandRule, word: str) -> str | None:
    name = word.partition("=")[0]
    if name in rule.options:
        return None
    if word.startswith("-") and not word.startswith("--") and "=" not in word:
        # `-la` is `-l -a`, unless the policy knows it as one word.
        return next((f"-{sign}" for sign in word[1:] if f"-{sign}" not in rule.options), None)
    return name
