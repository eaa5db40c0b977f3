"""What a query may do, and where it ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.errors import QueryError, UsageError
from orchestrator.insight.dataset import Dataset
from orchestrator.insight.query import MOST_ROWS, QueryConnection
from orchestrator.insight.questions import QUESTIONS, find_question
from orchestrator.insight.schema import VIEWS
from tests.support.insight import NOW


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[QueryConnection]:
    dataset = Dataset(tmp_path, {"rules": "1"})
    connection = QueryConnection(dataset.path, NOW - timedelta(days=90))
    yield connection
    connection.close()
    dataset.close()


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM env",
        "INSERT INTO env VALUES ('x', 1, 1)",
        "UPDATE setting SET value = ''",
        "DROP VIEW stacks",
        "CREATE TABLE x (a)",
        "CREATE TEMP TABLE x (a)",
        "ATTACH ':memory:' AS other",
        "DETACH temp",
        "VACUUM INTO '/tmp/copy'",
        "PRAGMA writable_schema = ON",
        "PRAGMA table_info(stack)",
        "SELECT * FROM pragma_table_info('stack')",
        "BEGIN",
        "REINDEX",
        "SELECT load_extension('x')",
        "SELECT readfile('/etc/passwd')",
        "SELECT * FROM setting",
        "SELECT value FROM main.setting",
        "SELECT count(*) FROM setting",
        "SELECT * FROM stack",
        "SELECT id FROM stacks WHERE id IN (SELECT value FROM setting)",
        "WITH stacks AS (SELECT * FROM setting) SELECT * FROM stacks",
        "SELECT 1; DELETE FROM env",
        "EXPLAIN SELECT 1",
        "",
        "   ",
        "nonsense",
        "SELECT ?1",
        "SELECT 'a\0b'",
        "SELECT * FROM nothing",
    ],
)
def test_what_is_no_question_is_refused(connection: QueryConnection, sql: str) -> None:
    with pytest.raises(UsageError, match="The query cannot be run"):
        connection.check(sql)


def test_the_connection_cannot_write_even_without_its_rules(connection: QueryConnection) -> None:
    connection._connection.set_authorizer(None)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection._connection.execute("DELETE FROM env")


def test_a_query_that_never_ends_is_ended(connection: QueryConnection) -> None:
    ticks = iter(range(1_000_000))
    connection._limit.clock = lambda: float(next(ticks))
    connection.clock = connection._limit.clock
    endless = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with pytest.raises(QueryError, match="longer than 5 seconds"):
        connection.run(endless, seconds=5)
    # The next one has its own time.
    assert connection.run("SELECT 1", seconds=5).rows == [(1,)]


def test_ctrl_c_ends_a_query(connection: QueryConnection) -> None:
    def interrupted() -> float:
        raise KeyboardInterrupt

    connection._limit.clock = interrupted
    endless = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    with pytest.raises(KeyboardInterrupt):
        connection.run(endless)


@pytest.mark.parametrize("sql", ["SELECT zeroblob(100000000)", "SELECT hex(zeroblob(4000000))"])
def test_a_huge_value_is_refused(connection: QueryConnection, sql: str) -> None:
    with pytest.raises(QueryError, match="larger than 4 MiB"):
        connection.run(sql)


def test_too_many_rows_are_refused(connection: QueryConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.insight.query.MOST_ROWS", 3)
    numbers = "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r LIMIT 4) SELECT n FROM r"
    with pytest.raises(QueryError, match="more than 3 rows"):
        connection.run(numbers)
    assert MOST_ROWS == 1_000_000


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_each_view_has_its_columns_and_states_what_it_needs(
    connection: QueryConnection, view: object
) -> None:
    name, columns = view.name, view.columns  # type: ignore[attr-defined]
    for sql in (f"SELECT * FROM {name}", f"SELECT (SELECT count(*) FROM {name})"):  # noqa: S608
        connection.layers.clear()
        connection.check(sql)
        assert connection.layers, sql
    result = connection.run(f"SELECT * FROM {name}")  # noqa: S608
    assert result.columns == tuple(columns)
    assert all(text.endswith(".") for text in columns.values())


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_each_view_can_be_queried(connection: QueryConnection, question: object) -> None:
    values = question.bind(["1"] * len(question.parameters))  # type: ignore[attr-defined]
    connection.check(question.sql, values)  # type: ignore[attr-defined]
    assert connection.run(question.sql, values).rows == []  # type: ignore[attr-defined]


def test_a_question_has_a_name_and_its_values() -> None:
    assert find_question("SELECT 1") is None
    with pytest.raises(UsageError, match="no question 'unfinishd'"):
        find_question("unfinishd")
    question = find_question("pull-request")
    assert question
    with pytest.raises(UsageError, match="wants 2 values"):
        question.bind(["12"])


def test_bytes_are_hexadecimal_digits(connection: QueryConnection) -> None:
    assert connection.run("SELECT x'00ff', NULL, 1.5, 'a'").rows == [("00ff", None, 1.5, "a")]


def test_a_name_with_a_typo_has_a_suggestion(connection: QueryConnection) -> None:
    with pytest.raises(UsageError) as table:
        connection.check("SELECT * FROM stakcs")
    assert table.value.advice.startswith("Did you mean stacks? ")
    with pytest.raises(UsageError) as column:
        connection.check("SELECT s.staus FROM stacks s")
    assert column.value.advice.startswith("Did you mean status? ")


def test_a_dataset_holds_half_characters_and_huge_numbers(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, {})
    with dataset.transaction() as transaction:
        transaction.insert(
            "edge", [("a", "b", "k", "", None, None, 1), ("\udcff", "b", "k", "", None, None, 2**70)]
        )
    assert dataset.rows("SELECT source, line FROM edge") == [("a", 1), ("?", 2**70)]
    dataset.close()
