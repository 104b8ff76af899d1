"""One SQL statement, of a kind that the policy allows. Parsed by sqlglot (extra `sql`).

Rules:
* Exactly one statement, read in the database's own dialect. What cannot be parsed is refused, and so
  are comments: dialects disagree on where they end, and MySQL runs some.
* Every statement in it counts: a `DELETE` inside a `WITH`, `SELECT ... INTO`, `FOR UPDATE`.
* Functions are denied unless they are known to only compute, or named: `pg_read_file`, `dblink`,
  `load_extension` and `nextval` are calls like any other to a parser.
* Tables are names. A text in their place is a file to some databases.
* Parsing is bounded: sqlglot takes exponential time on nested type names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from hauberk.capabilities.kinds._base import Arguments, Kind, Misfit, unreadable
from hauberk.errors import MissingExtraError
from hauberk.policy._constraints import SqlRule

MAX_TOKENS = 1_500
"""Most words and signs. 30 ms of parsing."""
MAX_OPEN = 40
"""Most brackets that are open at once."""
MAX_OPEN_TYPES = 4
"""Most of them after a type's name (`date(`): each doubles the parser's work."""

_CONTROL = re.compile(r"[^\S \t\r\n]|[\x00-\x08\x0e-\x1f\x7f\u200b-\u200f\u2028-\u202f\ufeff]")
_TABLE = re.compile(r"[^\W\d][\w$]*")

_KINDS = {
    "Select": "select", "SetOperation": "select", "Union": "select", "Except": "select",
    "Intersect": "select", "Values": "select", "Subquery": "select",
    "Insert": "insert", "Update": "update", "Delete": "delete", "Merge": "merge",
    "Create": "create", "Into": "create", "Alter": "alter", "Drop": "drop",
    "TruncateTable": "truncate", "Lock": "lock", "Describe": "describe", "Show": "show",
    "Transaction": "transaction", "Commit": "transaction", "Rollback": "transaction",
    "Grant": "grant", "Revoke": "grant", "Copy": "copy", "LoadData": "copy", "Set": "set",
    "Use": "use", "Comment": "comment", "Pragma": "pragma", "Execute": "execute",
    "Attach": "attach", "Detach": "attach", "Kill": "kill", "Analyze": "analyze", "Cache": "cache",
    "Uncache": "cache", "Refresh": "refresh", "Declare": "declare", "Install": "install",
    "Export": "export", "Put": "export", "Get": "export", "Command": "command",
    "PropertyEQ": "set", "MultitableInserts": "insert", "ConditionalInsert": "insert",
}  # fmt: skip
"""Kinds of statements by the name of their node."""
UNBOUNDED = frozenset(
    {"command", "execute", "attach", "install", "pragma", "export", "copy", "kill"}
)
"""Kinds that no policy can allow: what they do is not in their words."""
KINDS = frozenset(_KINDS.values()) - UNBOUNDED

_COMPUTING = frozenset(
    """
    Abs Acos Acosh And AnyValue ApproxDistinct ApproxQuantile ArgMax ArgMin Array ArrayAgg ArrayAll
    ArrayAny ArrayAppend ArrayConcat ArrayContains ArrayDistinct ArrayFilter ArrayFirst ArrayLast
    ArrayMax ArrayMin ArraySize ArraySlice ArraySort ArraySum ArrayToString Ascii Asin Asinh Atan
    Atan2 Atanh Avg BitLength BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg ByteLength Case
    Cast Cbrt Ceil Chr Coalesce Collate Concat ConcatWs Contains Convert ConvertTimezone Corr Cos
    Cosh Cot Coth Count CountIf CovarPop CovarSamp CumeDist CurrentDate CurrentDatetime CurrentTime
    CurrentTimestamp Date DateAdd DateBin DateDiff DateFromParts DateSub DateTrunc Datetime
    DatetimeAdd DatetimeDiff DatetimeSub DatetimeTrunc Day DayOfMonth DayOfWeek DayOfWeekIso
    DayOfYear Dayname Degrees DenseRank EndsWith EqualNull Exists Exp Explode Extract Factorial First
    FirstValue Floor Format GenerateDateArray GenerateSeries ExplodingGenerateSeries Greatest
    GroupConcat Grouping GroupingId Hex Hour If Initcap IsInf IsNan JSONArray JSONArrayAgg
    JSONArrayContains JSONBContains JSONBExists JSONBExtract JSONBExtractScalar JSONBObjectAgg
    JSONExists JSONExtract JSONExtractArray JSONExtractScalar JSONFormat JSONKeys JSONObject
    JSONObjectAgg JSONType JSONValueArray Lag Last LastDay LastValue Lead Least Left Length
    Levenshtein Ln Localtime Localtimestamp Log LogicalAnd LogicalOr Lower MakeInterval Map MapKeys
    Max Median Min Minute Mode Month Monthname MonthsBetween Nanvl NthValue Ntile Nullif NumberToStr
    Nvl2 Or Overlay Pad ParseJSON PercentRank PercentileCont PercentileDisc Pi Pow Quantile Quarter
    Radians Rank RegexpCount RegexpExtract RegexpInstr RegexpLike RegexpILike RegexpReplace
    RegexpSplit RegexpSubstr RegrSlope RegrIntercept RegrR2 Replace Reverse Right Round RowNumber
    SafeDivide Second Sign Sin Sinh Soundex Split SplitPart Sqrt StartsWith Stddev StddevPop
    StddevSamp StrPosition StrToDate StrToTime StrToUnix String StringToArray Struct StructExtract
    Substring SubstringIndex Sum Tan Tanh Time TimeAdd TimeDiff TimeStrToDate TimeStrToTime TimeSub
    TimeToStr TimeToUnix TimeTrunc Timestamp TimestampAdd TimestampDiff TimestampFromParts
    TimestampSub TimestampTrunc ToChar ToDays ToNumber Translate Trim Trunc Try TryCast
    TsOrDsAdd TsOrDsDiff TsOrDsToDate TsOrDsToDateStr TsOrDsToTime TsOrDsToTimestamp Typeof Unhex
    Unicode UnixDate UnixToStr UnixToTime Unnest Upper UtcDate UtcTime UtcTimestamp Variance
    VariancePop Week WeekOfYear WidthBucket Xor Year
    """.split()  # noqa: SIM905 - a page of quotes and commas is not easier to read
)
"""sqlglot's names of functions that only compute from what they are given."""


def sql_kind(rule: SqlRule) -> Kind:
    """A constraint on an SQL statement.

    Raises:
        MissingExtraError: sqlglot is not installed.
        ValueError: The dialect is not known, or a kind cannot be allowed.
    """
    parse = _parser(rule.dialect)
    wrong = set(rule.kinds) - KINDS
    if wrong:
        raise ValueError(f"{min(wrong)!r} is no kind that can be allowed: {sorted(KINDS)}")

    # The parser's answer depends on the text alone, and agents repeat themselves.
    @lru_cache(maxsize=64)
    def judge(text: str) -> Misfit | None:
        try:
            tree = parse(text)
        except (ValueError, RecursionError, IndexError, AttributeError, TypeError, KeyError):
            return unreadable("must be one SQL statement that can be parsed, without comments")
        return next(_misfits(rule, tree), None)

    def check(value: object, _: Arguments) -> Misfit | None:
        if not isinstance(value, str) or len(value) > rule.max_chars or _CONTROL.search(value):
            return unreadable(f"must be plain SQL of at most {rule.max_chars} characters")
        return judge(value)

    return Kind(name="sql", check=check)


def _parser(name: str) -> Any:
    """A function from a text to the tree of its only statement; raises ValueError without one."""
    try:
        from sqlglot import Dialect  # noqa: PLC0415 - an extra, 100 ms
        from sqlglot.errors import ErrorLevel, ParseError, SqlglotError  # noqa: PLC0415
    except ImportError:
        raise MissingExtraError("sql", needed_for="a constraint on SQL") from None

    dialect: Any = Dialect.get_or_raise(name)
    base: Any = dialect.parser_class

    class Strict(base):  # type: ignore[misc]  # sqlglot's class for the dialect is chosen at run time
        def _warn_unsupported(self) -> None:
            # It would log the statement, and go on with a guess.
            raise ParseError("unsupported")

    def parse(text: str) -> Any:
        try:
            tokens = dialect.tokenize(text)
            _bounded(tokens, base)
            trees = Strict(error_level=ErrorLevel.RAISE, dialect=dialect).parse(tokens, text)
        except SqlglotError as error:
            raise ValueError(type(error).__name__) from None
        found = [tree for tree in trees if tree is not None]
        if len(found) != 1 or len(trees) - len(found) > 1:
            raise ValueError("not one statement")
        return found[0]

    return parse


def _bounded(tokens: Sequence[Any], parser: Any) -> None:
    """Refuse what would take the parser long, and comments."""
    types = {kind.name for kind in parser.TYPE_TOKENS}
    if len(tokens) > MAX_TOKENS or any(token.comments for token in tokens):
        raise ValueError("too long, or commented")
    open_: list[bool] = []
    before = ""
    for token in tokens:
        kind = token.token_type.name
        if kind in ("L_PAREN", "L_BRACKET", "L_BRACE", "LT"):
            if kind != "LT" or before in types:
                open_.append(before in types)
        elif kind in ("R_PAREN", "R_BRACKET", "R_BRACE") and open_:
            open_.pop()
        if len(open_) > MAX_OPEN or sum(open_) > MAX_OPEN_TYPES:
            raise ValueError("nested too deeply")
        before = kind


def _misfits(rule: SqlRule, tree: Any) -> Iterator[Misfit]:
    from sqlglot import exp  # noqa: PLC0415

    if type(tree).__name__ not in _KINDS:
        yield unreadable("must be a statement of a known kind")
    named = {name.lower() for name in rule.functions}
    with_names = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        name = type(node).__name__
        kind = _KINDS.get(name)
        if kind is not None and kind not in rule.kinds:
            needed = None if kind in UNBOUNDED else kind
            yield Misfit("must be a statement in `kinds`", field="kinds", needed=needed)
        elif isinstance(node, exp.Func) and name not in _COMPUTING:
            called = _called(node)
            if called not in named:
                wants = "must call only functions that compute, or that are in `functions`"
                yield Misfit(wants, field="functions", needed=called)
        elif isinstance(node, exp.Table):
            yield from _bad_table(rule, node, with_names)


def _called(node: Any) -> str:
    """The name of a function as it is called, its schema included."""
    name = str(node.name if type(node).__name__ == "Anonymous" else node.sql_name()).lower()
    parent = node.parent
    if type(parent).__name__ == "Dot" and parent.expression is node:
        return f"{parent.this.sql()}.{name}".lower()
    return name


def _bad_table(rule: SqlRule, node: Any, with_names: set[str]) -> Iterator[Misfit]:
    parts = [str(part.name) for part in node.parts if part.name]
    if not parts:
        return  # a function in the place of a table: judged as a function
    name = ".".join(parts)
    if rule.tables is not None:
        known = {table.lower() for table in rule.tables}
        if name.lower() not in known and not (len(parts) == 1 and name.lower() in with_names):
            yield Misfit("must touch only tables in `tables`", field="tables", needed=name)
    elif not all(_TABLE.fullmatch(part) for part in parts):
        yield unreadable("must name its tables plainly")
