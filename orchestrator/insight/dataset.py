"""The file of the dataset: private to its owner, rebuilt where it is of no use, written in transactions."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import DatasetError
from orchestrator.insight.schema import INDEXES, TABLES, VERSION, Layer

NAME = f"insight-{VERSION}.sqlite"
# "infr", by which SQLite's own header says whose file it is.
APPLICATION = 0x696E6672
# Seconds that a process waits for another one that writes.
BUSY = 120.0
LARGEST_INTEGER = 2**63
# Not emptied with the code that they stand beside: they say what was read.
_OF_READING = ("reading",)


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise DatasetError(
            f"{path} cannot be read or written: {error}.",
            advice="Delete the file, a cache, and see whether the disk is full.",
        ) from error


class Dataset:
    """The writing side of the dataset in a folder. `origin` says what its rows came from and by which rules.

    The file is a cache: it is made again where its origin, its owner's marks or its tables differ, or if it
    cannot be read.
    """

    def __init__(self, folder: Path, origin: Mapping[str, str]) -> None:
        self.path = folder / NAME
        self._origin = json.dumps(dict(origin), sort_keys=True)
        with database_errors(self.path):
            self._connection = self._open()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def setting(self, key: str) -> str:
        """What is noted under a name; empty for nothing."""
        row = self._connection.execute("SELECT value FROM setting WHERE key = ?", (key,)).fetchone()
        return str(row[0]) if row else ""

    @property
    def hash_key(self) -> bytes:
        """The key of this file's hashes: who reads a result of a query cannot try values against them."""
        return bytes.fromhex(self.setting("hash_key"))

    @property
    def is_new(self) -> bool:
        """True while nothing was read into it."""
        return not self.rows("SELECT 1 FROM reading LIMIT 1")

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """The rows of a statement of ours."""
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """One transaction: all of it or nothing, whatever ends the process."""
        with database_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Transaction(self._connection)
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def _open(self) -> sqlite3.Connection:
        """The file, made again where what is there is not of this origin."""
        with contextlib.suppress(sqlite3.DatabaseError):
            if self.path.is_file() and not self.path.is_symlink():
                self.path.chmod(0o600)
                connection = _connect(self.path)
                if self._is_ours(connection):
                    return connection
                connection.close()
        self.path.unlink(missing_ok=True)
        self.path.with_name(f"{NAME}-journal").unlink(missing_ok=True)
        os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        connection = _connect(self.path)
        self._create(connection)
        return connection

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if (application, version) != (APPLICATION, VERSION):
            return False
        row = connection.execute("SELECT value FROM setting WHERE key = 'origin'").fetchone()
        return bool(row and row[0] == self._origin)

    def _create(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("CREATE TABLE setting (key TEXT PRIMARY KEY, value TEXT)")
        for name, (_, columns) in TABLES.items():
            connection.execute(f"CREATE TABLE {name} ({columns})")
        for name, target in INDEXES.items():
            connection.execute(f"CREATE INDEX {name} ON {target}")
        connection.executemany(
            "INSERT INTO setting VALUES (?, ?)",
            [("origin", self._origin), ("hash_key", secrets.token_hex(32))],
        )
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")


class Transaction:
    """Writes rows of the dataset; made by `Dataset.transaction`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def insert(self, table: str, rows: Iterable[Sequence[object]]) -> None:
        """Add rows, over those of the same key."""
        columns = TABLES[table][1]
        count = len([part for part in columns.partition(", PRIMARY KEY (")[0].split(", ") if part])
        sql = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * count)})"  # noqa: S608
        listed = list(rows)
        self._connection.execute("SAVEPOINT inserting")
        try:
            self._connection.executemany(sql, listed)
        except (OverflowError, UnicodeEncodeError):
            # Names and numbers come from whoever may commit or write a state.
            self._connection.execute("ROLLBACK TO inserting")
            self._connection.executemany(sql, [tuple(map(_storable, row)) for row in listed])
        self._connection.execute("RELEASE inserting")

    def delete(self, table: str, column: str, values: Iterable[str], environment: str) -> None:
        """Remove the rows of an environment that have one of these values in a column."""
        self._connection.executemany(
            f"DELETE FROM {table} WHERE environment = ? AND {column} = ?",  # noqa: S608
            [(environment, value) for value in values],
        )

    def execute(self, sql: str, values: Sequence[object] = ()) -> None:
        """A statement of ours."""
        self._connection.execute(sql, values)

    def clear(self, layer: Layer, environment: str | None = None) -> None:
        """Remove all rows of a layer, or those of one environment."""
        for table, (of_layer, _) in TABLES.items():
            if of_layer == layer and table not in _OF_READING:
                where = "" if environment is None else " WHERE environment = ?"
                self._connection.execute(
                    f"DELETE FROM {table}{where}",  # noqa: S608
                    () if environment is None else (environment,),
                )

    def note(self, key: str, value: str) -> None:
        """Note something under a name."""
        self._connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (key, value))


def _storable(value: object) -> object:
    """A value as SQLite can hold it: a number beyond 64 bits as text, half characters replaced."""
    if isinstance(value, int) and not -LARGEST_INTEGER <= value < LARGEST_INTEGER:
        return str(value)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY, isolation_level=None)
    # A cache that a failing machine broke is made again.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
