"""One look at the dataset: which layers a statement needs, bringing these up to date, and its result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from orchestrator.insight.dataset import Dataset
from orchestrator.insight.query import DEFAULT_SECONDS, QueryConnection, QueryResult
from orchestrator.insight.refresh import Refresher


@dataclass(frozen=True)
class HiddenEnvironment:
    """An environment of which something that was requested could not be read, and why."""

    name: str
    reason: str


@dataclass
class DatasetSession:
    """A dataset with its two sides: the one that is brought up to date, and the one that is read."""

    dataset: Dataset
    refresher: Refresher
    connection: QueryConnection
    days: float

    def ask(
        self, sql: str, values: Mapping[str, object] | None = None, *, seconds: float = DEFAULT_SECONDS
    ) -> QueryResult:
        """The result of a statement over what it needs, as it is now. Its errors are those of `run`."""
        self.prepare({sql: values or {}})
        return self.connection.run(sql, values, seconds=seconds)

    def prepare(self, statements: Mapping[str, Mapping[str, object]]) -> None:
        """Brings up to date what statements, each with its values, read; UsageError for one that may not be
        run."""
        self.connection.layers.clear()
        for sql, values in statements.items():
            self.connection.check(sql, values)
        self.refresher.refresh(self.connection.layers, days=self.days)

    @property
    def hidden(self) -> tuple[HiddenEnvironment, ...]:
        """The environments that were not visible in the last look, in promotion order."""
        rows = self.dataset.rows(
            "SELECT r.environment, max(r.problem) FROM reading r JOIN env e ON e.name = r.environment "
            "WHERE r.problem <> '' GROUP BY r.environment ORDER BY e.position"
        )
        return tuple(HiddenEnvironment(str(name), str(reason)) for name, reason in rows)


@contextmanager
def open_session_of_dataset(dataset: Dataset, refresher: Refresher, days: float) -> Iterator[DatasetSession]:
    """A session over a dataset, closed at the end; runs as far back as `days` are in its views."""
    connection = QueryConnection(dataset.path, datetime.now(UTC) - timedelta(days=days))
    try:
        yield DatasetSession(dataset, refresher, connection, days)
    finally:
        connection.close()
        dataset.close()
