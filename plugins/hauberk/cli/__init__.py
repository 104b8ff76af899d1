"""The command line: `hauberk`. Everything heavy is imported by the command that needs it.

Rules:
* Exit codes: 0 done, 1 the answer is no (a trail was changed), 2 it could not be done.
* An error is one line on stderr that says what, where and how to mend it; never a traceback.
* With `--json`, stdout holds JSON and nothing else.
"""

from __future__ import annotations

from hauberk.cli._app import app, main

__all__ = ["app", "main"]
