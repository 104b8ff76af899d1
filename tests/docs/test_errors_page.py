"""Every error class has a row in the docs, and every row is an error class."""

import inspect
import re
from pathlib import Path

from hauberk import errors

PAGE = Path(__file__).parents[2] / "docs" / "policy.md"


def test_docs_name_every_error_and_no_other() -> None:
    rows = set(re.findall(r"^\| `(\w+Error)` \|", PAGE.read_text("utf-8"), re.MULTILINE))
    defined = {
        name
        for name, value in inspect.getmembers(errors, inspect.isclass)
        if issubclass(value, errors.HauberkError) and name != "HauberkError"
    }
    assert rows == defined
