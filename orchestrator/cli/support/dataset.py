"""Opens the dataset of the working folder's repository for a command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.cli.app import App
from orchestrator.cli.terminal.progress import make_progress
from orchestrator.config import load as load_config
from orchestrator.engine.ports import SilentProgress
from orchestrator.insight.asking import DatasetSession, open_session_of_dataset
from orchestrator.insight.dataset import Dataset
from orchestrator.insight.refresh import Refresher, dataset_folder, origin_of_dataset
from orchestrator.repository.git import Repository
from orchestrator.repository.loading import find_root
from orchestrator.repository.model import Project

# Seconds of a day, in which options have their durations.
DAY = 86_400.0


@contextmanager
def open_dataset(app: App, *, days: float, project: Project | None = None) -> Iterator[DatasetSession]:
    """The dataset, with runs of the last days. Progress is shown on a terminal, and when it is new.

    `project` is the one in the working folder, if it was read before.
    """
    repository = Repository.open(app.cwd)
    repository = repository.at(find_root(app.cwd, repository.top))
    config = load_config(repository.root)
    dataset = Dataset(dataset_folder(repository.root), origin_of_dataset(repository, config, app.environ))
    is_shown = app.stderr.isatty() or dataset.is_new
    refresher = Refresher(
        dataset,
        repository,
        config,
        app.environ,
        load=lambda: project or app.project(),
        progress=make_progress(app) if is_shown else SilentProgress(),
    )
    with open_session_of_dataset(dataset, refresher, days) as session:
        yield session


def note_hidden(app: App, session: DatasetSession) -> None:
    """Says of which environments something is missing in what was printed."""
    for environment in () if app.json else session.hidden:
        app.note(f"{environment.name} is not visible, so its rows are missing: {environment.reason}")


def hidden_documents(session: DatasetSession) -> list[dict[str, str]]:
    """These environments in `--json`."""
    return [{"environment": hidden.name, "reason": hidden.reason} for hidden in session.hidden]
