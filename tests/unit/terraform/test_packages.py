"""Shared provider packages, locks, and rescued states."""

from __future__ import annotations

import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import InterruptedRunError, StateError
from orchestrator.terraform.locking import file_lock
from orchestrator.terraform.model import Workdir
from orchestrator.terraform.packages import private_cache, provider_signature
from orchestrator.terraform.rescue import require_no_errored_state, rescue_errored_state

PACKAGE = "registry.terraform.io/acme/x/1.0.0/linux_amd64"


def never() -> bool:
    return False


def test_a_fetched_package_is_shared_and_the_stack_is_led_to_it(tmp_path: Path) -> None:
    shared, root = tmp_path / "packages", tmp_path / "root"
    root.mkdir()
    for data in (tmp_path / "d1", tmp_path / "d2"):
        with private_cache(shared, data, root, never) as cache:
            package = cache / PACKAGE
            if not package.exists():
                package.mkdir(parents=True)
                (package / "provider").write_text(data.name)
            link = data / "providers" / PACKAGE
            link.parent.mkdir(parents=True)
            link.symlink_to(package)
        assert link.readlink() == shared / PACKAGE
        assert (link / "provider").read_text() == "d1"
    assert sorted(path.name for path in shared.iterdir()) == ["registry.terraform.io"]


def test_the_first_of_two_fetches_wins(tmp_path: Path) -> None:
    shared, root = tmp_path / "packages", tmp_path / "root"
    root.mkdir()
    fetched = threading.Barrier(2)

    def fetch(name: str) -> None:
        with private_cache(shared, tmp_path / name, root, never) as cache:
            (cache / PACKAGE).mkdir(parents=True)
            (cache / PACKAGE / "provider").write_text(name)
            link = tmp_path / name / "providers" / PACKAGE
            link.parent.mkdir(parents=True)
            link.symlink_to(cache / PACKAGE)
            fetched.wait(10)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fetch, ["a", "b"]))
    texts = {(tmp_path / n / "providers" / PACKAGE / "provider").read_text() for n in ("a", "b")}
    assert len(texts) == 1


def test_a_failed_init_leaves_no_link_into_nothing(tmp_path: Path) -> None:
    shared, root, data = tmp_path / "packages", tmp_path / "root", tmp_path / "d"
    root.mkdir()
    link = data / "providers" / PACKAGE

    def fail() -> None:
        with private_cache(shared, data, root, never) as cache:
            (cache / PACKAGE).mkdir(parents=True)
            link.parent.mkdir(parents=True)
            link.symlink_to(cache / PACKAGE)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not link.is_symlink()
    assert not list(shared.glob(".init-*"))


def test_a_package_of_a_mirror_that_is_gone_is_not_offered(tmp_path: Path) -> None:
    shared, root = tmp_path / "packages", tmp_path / "root"
    root.mkdir()
    (shared / PACKAGE).parent.mkdir(parents=True)
    (shared / PACKAGE).symlink_to(tmp_path / "gone")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    with private_cache(shared, tmp_path / "d", root, never) as cache:
        assert not (cache / PACKAGE).is_symlink()
        (cache / PACKAGE).parent.mkdir(parents=True)
        (cache / PACKAGE).symlink_to(mirror)
    assert (shared / PACKAGE).readlink() == mirror


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('  source  = "a/x"\n', '  source = "a/x"\n# more\n', True),
        ('  source = "a/x"\n', '  source = "a/y"\n', False),
        ('resource "google_x" "a" {}\n', 'resource "google_y" "b" {}\n', True),
        ('resource "google_x" "a" {}\n', 'data "aws_y" "b" {}\n', False),
    ],
)
def test_sets_of_providers_are_distinguished(tmp_path: Path, first: str, second: str, same: bool) -> None:
    signatures = []
    for name, text in (("a", first), ("b", second)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.tf").write_text(text)
        signatures.append(provider_signature(tmp_path / name))
    assert (signatures[0] == signatures[1]) is same
    assert all(signatures)


def test_built_in_resources_need_no_provider(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "terraform_data" "a" {}\n')
    assert provider_signature(tmp_path) == ""


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with file_lock(tmp_path / "l"):
            inside.append(number)
            most.append(len(inside))
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    assert most == [1] * 40


def test_waiting_for_a_lock_can_be_interrupted(tmp_path: Path) -> None:
    with (
        file_lock(tmp_path / "l"),
        pytest.raises(InterruptedRunError),
        file_lock(tmp_path / "l", lambda: True),
    ):
        pass


def workdir(tmp_path: Path) -> Workdir:
    run_dir = tmp_path / "runs" / "r1" / "dev%2Fa"
    return Workdir(tmp_path, tmp_path / "d", run_dir, {"HOME": str(tmp_path / "home")})


def test_rescued_states_never_overwrite_each_other(tmp_path: Path) -> None:
    work = workdir(tmp_path)
    assert rescue_errored_state(work, tmp_path) is None
    packages = []
    for text in ("one", "two"):
        (tmp_path / "errored.tfstate").write_text(text)
        packages.append(rescue_errored_state(work, tmp_path))
    assert [path.read_text() for path in packages if path] == ["one", "two"]
    assert packages[0] == tmp_path / "home/.local/state/infra/rescue/r1/dev%2Fa"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in packages if path)


def test_an_errored_state_stops_the_next_apply(tmp_path: Path) -> None:
    require_no_errored_state(tmp_path)
    (tmp_path / "errored.tfstate").write_text("{}")
    with pytest.raises(StateError, match="could not be saved"):
        require_no_errored_state(tmp_path)
