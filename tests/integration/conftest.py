"""The project of `recorded_stack.FILES`, with nothing applied, or with what `@pytest.mark.applied` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.recorded_stack import FILES, RecordedProject, applied_before, serving
from tests.support.repo import Repo
from tests.support.steady import restore_init, steady_folder


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what was applied once for many tests."""
    return tmp_path_factory.mktemp("worlds")


@pytest.fixture
def steady_path() -> Iterator[Path]:
    """A folder at the same path in each test of this process: see `tests.support.steady`."""
    with steady_folder() as folder:
        yield folder


@pytest.fixture
def make_steady_repo(steady_path: Path) -> MakeRepo:
    """`make_repo` below `steady_path`: for tests that do not care whether `init` ran before."""

    def make(files: Mapping[str, str] | None = None, name: str = "repo") -> Repo:
        repo = Repo(steady_path / name, files)
        restore_init(repo.root)
        return repo

    return make


@pytest.fixture
def recorded(request: pytest.FixtureRequest, steady_path: Path, worlds: Path) -> Iterator[RecordedProject]:
    """The project; `@pytest.mark.applied("dev/net")` applied a stack before, without names all of them."""
    marker = request.node.get_closest_marker("applied")
    if marker is None:
        files: Mapping[str, str] | None = FILES
    else:
        files = None
        applied_before(steady_path, worlds, *marker.args)
    repo = Repo(steady_path / "repo", files)
    restore_init(repo.root)
    with serving(steady_path / "gcs") as server:
        yield RecordedProject(repo, server)
