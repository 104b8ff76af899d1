"""SQL statements: one, of an allowed kind, on allowed tables, with functions that only compute."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from hauberk import PolicyError
from hauberk.capabilities import CapabilitiesPlugin
from hauberk.capabilities.kinds import Misfit, compiled
from hauberk.policy import CapabilitiesPolicy, Constraint


def judged(sql: object, **rule: Any) -> Misfit | None:
    (kind,) = compiled(Constraint.model_validate({"sql": {"dialect": "postgres", **rule}}))
    return kind.check(sql, {})


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "SELECT name, count(*) FROM t WHERE a = 'it''s; drop table x' GROUP BY 1 ORDER BY 2 LIMIT 5;",
        "with c as (select * from t) select lower(c.a) from c join s.u using (id)",
        "select a from t union all select b from u",
        "select coalesce(sum(x), 0), row_number() over (partition by a order by b) from t",
        "select date_trunc('month', now()), extract(year from d), cast(x as int) from t",
    ],
)
def test_plain_queries_pass(sql: str) -> None:
    assert judged(sql) is None


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("postgres", "select 1; drop table t"),
        ("postgres", "select 1;; delete from t"),
        ("postgres", "with x as (delete from t returning *) select * from x"),
        ("postgres", "with x as (insert into t values (1) returning *) select * from x"),
        ("postgres", "select * into new from t"),
        ("postgres", "select * from t for update"),
        ("postgres", "copy t to program 'sh'"),
        ("postgres", "copy t from '/etc/passwd'"),
        ("postgres", "explain analyze delete from t"),
        ("postgres", "do $$ begin delete from t; end $$"),
        ("postgres", "call f()"),
        ("postgres", "select pg_read_file('/etc/passwd')"),
        ("postgres", "select lower(pg_read_file('/etc/passwd'))"),
        ("postgres", "select * from dblink('host=evil', 'select 1') as t(a int)"),
        ("postgres", "select nextval('s'), set_config('a', 'b', false)"),
        ("postgres", "select pg_sleep(10)"),
        ("postgres", "select evil.lower(x) from t"),
        ("postgres", "select 1 -- comment"),
        ("postgres", "/* x */ select 1"),
        ("postgres", "select 'a\\' ; drop table t --'"),
        ("postgres", "insert into t values (1)"),
        ("postgres", "truncate t"),
        ("postgres", "grant all on t to eve"),
        ("postgres", "set role admin"),
        ("postgres", "begin"),
        ("mysql", "select /*!50000 sleep(5) */ 1"),
        ("mysql", "select 1 --1, load_file('/etc/passwd')"),
        ("mysql", "select 1 into outfile '/tmp/x'"),
        ("mysql", "select load_file('/etc/passwd')"),
        ("mysql", "select @a := 1"),
        ("sqlite", "pragma writable_schema = 1"),
        ("sqlite", "attach database '/tmp/x' as y"),
        ("sqlite", "select load_extension('x')"),
        ("sqlite", "select * from pragma_table_info('t')"),
        ("duckdb", "select * from read_csv('/etc/passwd')"),
        ("duckdb", "select * from '/etc/passwd'"),
        ("tsql", "exec xp_cmdshell 'dir'"),
        ("tsql", "select * from openrowset('a', 'b', 'c')"),
        ("snowflake", "select $1 from @stage"),
        ("postgres", "selec 1"),
        ("postgres", "select (1"),
        ("postgres", ""),
        ("postgres", ";"),
        ("postgres", "-- only a comment"),
        ("postgres", "select 1\x00"),
        ("postgres", "select\u00a01"),
        ("postgres", "select '" + "x" * 20_000 + "'"),
    ],
)
def test_everything_else_than_a_query_is_refused(dialect: str, sql: str) -> None:
    assert judged(sql, dialect=dialect) is not None


@pytest.mark.parametrize("value", [None, 5, b"select 1", {"sql": "select 1"}])
def test_only_texts_are_sql(value: object) -> None:
    assert judged(value) is not None


def test_kinds_tables_and_functions_are_allowed_by_name() -> None:
    rule = {"kinds": ["select", "insert"], "tables": ["t", "s.u"], "functions": ["f", "s.g"]}
    for sql in (
        "insert into t select f(a) from s.u",
        "with c as (select * from t) select s.g(1) from c",
    ):
        assert judged(sql, **rule) is None
    for sql in (
        "update t set a = 1",
        "select * from u",
        "select * from other",
        "select g(1) from t",
        "with t2 as (select 1) select * from s.t2",
        "with c as (select * from c2) select * from c",
    ):
        assert judged(sql, **rule) is not None, sql


def test_statements_whose_words_do_not_tell_what_they_do_cannot_be_allowed() -> None:
    policy = CapabilitiesPolicy.model_validate(
        {"tools": {"q": {"where": {"q": {"sql": {"dialect": "tsql", "kinds": ["execute"]}}}}}}
    )
    with pytest.raises(PolicyError, match=r"capabilities\.tools\.q\.where.*'execute' is no kind"):
        CapabilitiesPlugin(policy)


@pytest.mark.parametrize(
    "opener", ["date(", "struct(", "timestamp(", "map(", "(", "case when ", "f("]
)
def test_nesting_cannot_make_the_parser_hang(opener: str) -> None:
    """Nested type names take sqlglot exponential time: twenty-four of them, many minutes."""
    started = time.perf_counter()
    for many in (6, 24, 1000):
        judged(f"select {opener * many}1{')' * many}"[:9_999])
    assert time.perf_counter() - started < 10


def test_no_statement_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        judged("explain analyze delete from secret_table")
        judged("call secret_procedure()")
    assert "secret" not in caplog.text
