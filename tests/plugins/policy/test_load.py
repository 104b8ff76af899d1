"""A policy that cannot be used says what is wrong, in which file, line and field; never a crash."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from hauberk import Policy, PolicyError, load_policy


def load(tmp_path: Path, text: str | bytes) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_policy(path)


def refused(tmp_path: Path, text: str | bytes) -> PolicyError:
    with pytest.raises(PolicyError) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "policy.yaml"))
    return caught.value


GOOD = [
    "version: 1\n",
    "version: 1\npii: off\naudit: off\ninjection: on\n",
    "version: 1\nname: bank\naudit:\n  path: trail.db\n  on_error: deny\n",
    "version: 1\ninjection:\n  tool:\n    action: block\n    at: high\n  allowed_hosts: [example.org]\n",
    """\
version: 1
capabilities:
  access: write
  deny: [shell, 'admin_*']
  tools:
    send_mail:
      access: write
      approval: true
      timeout_s: 10
      args:
        type: object
        properties: {to: {type: string, pattern: '@example\\.org$'}}
""",
    "version: 1\nbudget:\n  tokens: 5000\n  prices:\n    gpt: {input_usd: 1, output_usd: 2.5}\n",
    "version: 1\nplugins:\n  - use: mine\n    config: {a: [1, {b: null}]}\n    on_error: allow\n",
    "version: 1\ninjection:\n  document:\n    action: off\n",
    "version: 1\nlimits:\n  max_depth: 8\n  check_timeout_s: 0.5\n",
]

# What is written, line of the error, field, and a part of the message.
BAD = [
    ("version: 1\ninjecton: off\n", 2, "injecton", "Did you mean 'injection'?"),
    ("version: 1\n\n# c\ncapabilities:\n  acess: read\n", 5, "capabilities.acess", "'access'"),
    (
        "version: 1\ncapabilities:\n  tools:\n    mail:\n      access: read\n      aproval: true\n",
        6,
        "capabilities.tools.mail.aproval",
        "Did you mean 'approval'?",
    ),
    (
        "version: 1\ninjection:\n  user: {action: block,\n    att: high}\n",
        4,
        "injection.user.att",
        "Did you mean 'at'?",
    ),
    ("version: 1\nzzz: 1\n", 2, "zzz", "Known: approval, audit"),
    ("version: 1\nlimits:\n  max_segments: many\n", 3, "limits.max_segments", "valid integer"),
    ("version: 1\npii: 3\n", 2, "pii", "must be a mapping"),
    ("version: 1\npii:\n", 2, "pii", "`pii: off`"),
    ("version: 1\npii:\n  - a\n  - b\n", 2, "pii", "must be a mapping"),
    ("version: 1\ninjection:\n  tool: off\n", 3, "injection.tool", "must be a mapping"),
    ("version: 1\ncapabilities:\n  access: root\n", 3, "capabilities.access", "'read', 'write'"),
    ("version: 1\ninjection:\n  tool:\n    at: extreme\n", 4, "injection.tool.at", "one of info"),
    ("version: 1\npii:\n  on_error: alow\n", 3, "pii.on_error", "'deny' or 'allow'"),
    ("version: 1\npii:\n  entities:\n    - A\n    - [b]\n", 5, "pii.entities[1]", "string"),
    (
        "version: 1\nbudget:\n  prices:\n    gpt: {input_usd: -1, output_usd: 2}\n",
        4,
        "budget.prices.gpt.input_usd",
        "greater than or equal to 0",
    ),
    ("pii: off\n", 1, "version", "Add `version: 1`."),
    ("version: 2\n", 1, "version", "should be 1"),
    ("version: 1\nplugins:\n  - use: a\n  - us: b\n", 4, "plugins[1].us", "Did you mean 'use'?"),
    ("version: 1\nplugins:\n  - config: {}\n", 3, "plugins[0].use", "is missing"),
    ("version: 1\nplugins:\n  - use: a\n  - use: a\n", 2, "plugins", "named twice: a"),
    ("version: 1\npii: off\npii: on\n", 3, "pii", "written twice"),
    (
        "version: 1\ncapabilities:\n  tools:\n    a: {}\n    a: {}\n",
        5,
        "capabilities.tools.a",
        "written twice",
    ),
    (
        "version: 1\ncapabilities: &a\n  tools: *a\n",
        2,
        "capabilities.tools",
        "an anchor contains itself",
    ),
    ("&a [*a]\n", 1, "[0]", "an anchor contains itself"),
    (
        "version: 1\ncapabilities:\n  tools:\n    a: &x {access: read}\n    b:\n      <<: *x\n",
        6,
        "capabilities.tools.b",
        "merge keys are not read",
    ),
    ("version: 1\n---\nversion: 1\n", 2, "", "another document"),
    ("version: 1\n\tpii: off\n", 2, "", "not YAML"),
    ("version: 1\npii: {a: 1\n", 3, "", "not YAML"),
    ("version: 1\nname: *x\n", 2, "", "undefined alias"),
    ("version: 1\nname: a\0b\n", 2, "", "U+0000"),
    ("version: 1\n? [a]\n: b\n", 2, "", "a key must be a plain word"),
    ("version: 1\nname: !!python/object/apply:os.system [x]\n", 2, "name", ""),
    ("version: 1\nname: !!python/name:os.system\n", 2, "name", "cannot read a value of type"),
    ("version: 1\nname: 2020-13-45\n", 2, "name", "cannot read a value of type"),
    ("version: 1\nlimits: {max_segments: " + "9" * 5_000 + "}\n", 2, "limits.max_segments", ""),
    ("version: 1\nname: " + "[" * 5_000 + "]" * 5_000 + "\n", 2, "", "too deeply nested"),
    ("version: 1\nname: [" + "1," * 300_000 + "]\n", 2, "", "too many values"),
    ("hello\n", 1, "", "not a mapping"),
    ("- 1\n", 1, "", "not a mapping"),
    ("~\n", 1, "", "not a mapping"),
    ("", None, "", "the file is empty"),
    ("# nothing\n", None, "", "the file is empty"),
    (b"version: 1\nname: \xe9\n", 2, "", "not UTF-8 at byte 17"),
    ("version: 1\n".encode("utf-16"), 1, "", "not UTF-8"),
]


@pytest.mark.parametrize("text", GOOD)
def test_a_good_policy_is_loaded(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, text) == load_policy(yaml.safe_load(text))


@pytest.mark.parametrize(("text", "line", "field", "part"), BAD)
def test_a_bad_policy_says_where_and_what(
    tmp_path: Path, text: str | bytes, line: int | None, field: str, part: str
) -> None:
    error = refused(tmp_path, text)
    assert (error.line, error.field) == (line, field)
    assert part in str(error)
    assert len(str(error)) < 600


def test_an_alias_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    """Nine to the tenth values in half a kilobyte."""
    lines = [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    bomb = "\n".join(["version: 1", "a0: &a0 [x,x,x,x,x,x,x,x,x]", *lines])
    assert "too many values" in str(refused(tmp_path, bomb))


def test_aliases_that_repeat_a_value_are_fine(tmp_path: Path) -> None:
    text = "version: 1\ncapabilities:\n  tools:\n    a: &x {access: read}\n    b: *x\n"
    policy = load(tmp_path, text)
    assert policy.capabilities is not False
    assert policy.capabilities.tools["a"] == policy.capabilities.tools["b"]


def test_a_file_of_ten_megabytes_is_not_read(tmp_path: Path) -> None:
    error = refused(tmp_path, b"version: 1\n" + b"#" * 10_000_000)
    assert "more than 1048576" in error.problem


def test_a_byte_order_mark_is_fine(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeffversion: 1\n").version == 1


@pytest.mark.parametrize("name", ["missing.yaml", "", "a\0b", "/dev/null", "/dev/zero"])
def test_what_is_not_a_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError):
        load_policy(tmp_path / name)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PolicyError, match="is not a file"):
        load_policy(tmp_path / "pipe")


@pytest.mark.parametrize("source", [{}, {"version": 1, "pi": False}, {"version": "1"}, {1: 1}])
def test_a_mapping_is_checked_in_the_same_way(source: dict[str, object]) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(source)
    assert caught.value.source == "policy"
    assert caught.value.line is None


def test_no_value_of_a_policy_is_quoted(tmp_path: Path) -> None:
    """A value in the wrong place may be a secret; names of keys are quoted, values never."""
    for text in (
        "version: 1\npii: s3cret\n",
        "version: 1\naudit:\n  path: [s3cret]\n",
        "version: 1\nlimits:\n  max_depth: s3cret\n",
        "version: 1\ninjection:\n  user:\n    at: s3cret\n",
        "version: s3cret\n",
    ):
        assert "s3cret" not in str(refused(tmp_path, text))


@pytest.mark.parametrize("text", GOOD)
def test_the_published_schema_takes_what_the_loader_takes(text: str) -> None:
    jsonschema.validate(_as_editors_read_it(text), Policy.model_json_schema())


@pytest.mark.parametrize("text", [text for text, *_ in BAD[:20] if "named twice" not in str(_)])
def test_the_published_schema_refuses_what_the_loader_refuses(text: str) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(_as_editors_read_it(text), Policy.model_json_schema())


def _as_editors_read_it(text: str) -> object:
    found: object = yaml.safe_load(text)
    return found
