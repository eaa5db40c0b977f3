"""Reads the dataset by SQL that anybody may write: only the views, never a write, and never for ever."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestrator.errors import QueryError, UsageError
from orchestrator.insight.dataset import BUSY, database_errors
from orchestrator.insight.schema import TABLES, VIEWS, Layer, view_sql
from orchestrator.repository.discovery import nearest

# Steps of SQLite's machine between two looks at the clock.
STEPS = 10_000
# Bytes that a value may have, and rows a result.
LARGEST_VALUE = 4 * 1024 * 1024
MOST_ROWS = 1_000_000
# Bytes of memory that SQLite may take.
MOST_MEMORY = 512 * 1024 * 1024
DEFAULT_SECONDS = 30.0

_ALLOWED = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_FUNCTION})
_REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "edit", "readfile", "writefile"})
_VIEW_NAMES = frozenset(view.name for view in VIEWS)
_ONLY_READS = "A query only reads."
_ADVICE = "`infra query --views` shows the views and their columns."


@dataclass(frozen=True)
class QueryResult:
    """The columns' names, and the rows in their order; a value is text, a number or None."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


@dataclass
class _TimeLimit:
    """Ends a statement when its time is over, or when somebody presses Ctrl-C meanwhile."""

    clock: Callable[[], float]
    until: float = float("inf")
    is_over: bool = False
    interrupt: KeyboardInterrupt | None = None

    def check(self) -> int:
        """Called between steps: anything but 0 ends the statement."""
        try:
            self.is_over = self.clock() >= self.until
        except KeyboardInterrupt as error:
            # SQLite would drop it.
            self.interrupt = error
        return int(self.is_over or self.interrupt is not None)


@dataclass
class QueryConnection:
    """A connection that reads the views of the dataset, with a limit of time for each statement.

    `layers` are those that the statements checked so far read.
    """

    path: Path
    since: datetime
    clock: Callable[[], float] = time.monotonic
    layers: set[Layer] = field(default_factory=set)

    def __post_init__(self) -> None:
        with database_errors(self.path):
            self._connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY, isolation_level=None
            )
            self._connection.execute("PRAGMA temp_store = MEMORY")
            self._connection.execute(f"PRAGMA hard_heap_limit = {MOST_MEMORY}")
            for view in VIEWS:
                self._connection.execute(view_sql(view, f"{self.since:%Y-%m-%dT%H:%M:%SZ}"))
        self._limit = _TimeLimit(self.clock)
        self._refusal, self._selects = "", False
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.set_authorizer(self._authorize)
        self._connection.set_progress_handler(self._limit.check, STEPS)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def check(self, sql: str, values: Mapping[str, object] | None = None) -> None:
        """Compile a statement and note the layers that it reads; UsageError for one that may not be run."""
        self._selects = False
        with self._errors():
            self._connection.execute(f"EXPLAIN {sql}", dict(values or {})).close()
        if not self._selects:
            # Of some statements, such as VACUUM, SQLite asks nothing before it runs them.
            raise UsageError(_message(ValueError(), _ONLY_READS), advice=_ADVICE)

    def run(
        self, sql: str, values: Mapping[str, object] | None = None, *, seconds: float = DEFAULT_SECONDS
    ) -> QueryResult:
        """The result of a statement. Raises UsageError for one that is wrong, QueryError at its limits."""
        self._limit.until = self.clock() + seconds
        try:
            with self._errors(seconds):
                cursor = self._connection.execute(sql, dict(values or {}))
                columns = tuple(str(column[0]) for column in cursor.description or ())
                rows = cursor.fetchmany(MOST_ROWS + 1)
        finally:
            self._limit.until = float("inf")
        if len(rows) > MOST_ROWS:
            raise QueryError(
                f"The result has more than {MOST_ROWS:,} rows.", advice="Add a WHERE or a LIMIT."
            )
        return QueryResult(columns, [tuple(map(_plain, row)) for row in rows])

    @contextmanager
    def _errors(self, seconds: float = 0.0) -> Iterator[None]:
        self._refusal, self._limit.is_over = "", False
        try:
            yield
        except MemoryError:
            raise QueryError("The query needs too much memory.", advice="Add a WHERE or a LIMIT.") from None
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            if self._limit.interrupt:
                raise self._limit.interrupt from None
            if self._limit.is_over:
                raise QueryError(
                    f"The query took longer than {seconds:g} seconds.",
                    advice="Make it simpler; `infra query --timeout 5m` gives it more time.",
                ) from None
            if isinstance(error, sqlite3.DataError) or "too big" in str(error):
                raise QueryError(
                    f"A value of the result is larger than {LARGEST_VALUE // 1024 // 1024} MiB.",
                    advice="Select less of it: substr(…).",
                ) from None
            raise UsageError(_message(error, self._refusal), advice=_advice(error)) from None

    def _authorize(
        self, action: int, first: str | None, second: str | None, database: str | None, source: str | None
    ) -> int:
        """Whether a statement may do something: read a view, and a table only as a part of one."""
        if action == sqlite3.SQLITE_READ:
            return self._authorize_read(first or "", second or "", source)
        self._selects = self._selects or action == sqlite3.SQLITE_SELECT
        if action in _ALLOWED and (second or "").lower() not in _REFUSED_FUNCTIONS:
            return sqlite3.SQLITE_OK
        self._refusal = self._refusal or _ONLY_READS
        return sqlite3.SQLITE_DENY

    def _authorize_read(self, table: str, column: str, source: str | None) -> int:
        if table in _VIEW_NAMES or table in _TABLE_FUNCTIONS or table in ("sqlite_master", "sqlite_schema"):
            return sqlite3.SQLITE_OK
        # Where SQLite only counts the rows of a view it names neither a column nor the view.
        if table in TABLES and (source in _VIEW_NAMES or not column):
            self.layers.add(TABLES[table][0])
            return sqlite3.SQLITE_OK
        if table in TABLES or table == "setting":
            self._refusal = f"{table} is no view."
            return sqlite3.SQLITE_DENY
        # What a query names itself.
        return sqlite3.SQLITE_OK


_TABLE_FUNCTIONS = frozenset({"json_each", "json_tree", "generate_series"})


def _plain(value: Any) -> object:
    """A value as JSON can hold it: bytes as hexadecimal digits."""
    return value.hex() if isinstance(value, bytes) else value


def _advice(error: Exception) -> str:
    """What may have been meant, where a view or a column is unknown."""
    match = re.search(r"no such (?:table|column): (?:\w+\.)?(\w+)", str(error))
    names = [*_VIEW_NAMES, *(column for view in VIEWS for column in view.columns)]
    suggestion = nearest(match[1], sorted(set(names))) if match else ""
    return f"{suggestion} {_ADVICE}".strip()


def _message(error: Exception, refusal: str) -> str:
    text = refusal or str(error)
    if "one statement" in text:
        text = "There is more than one statement."
    text = re.sub(r"^near \"EXPLAIN\".*", "EXPLAIN is not for here", text)
    return f"The query cannot be run: {text.rstrip('.')}."
