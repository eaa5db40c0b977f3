"""`init`: skipped while it holds, asked for again, many at once, and never in the checkout's own files."""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import TerraformError
from orchestrator.process import Supervisor
from orchestrator.repository.lock_file import LOCK_FILE
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.client import Client, PlanOptions, Workdir
from orchestrator.terraform.environment import child_environment
from orchestrator.terraform.shadow import make_shadow
from tests.support.providers import make_mirror, platform_name, requires


class MirroredRepository:
    """A repository with a mirror of fake providers beside it, and a client that counts its commands."""

    def __init__(self, folder: Path, binary: Binary, env: dict[str, str]) -> None:
        self.repo = folder / "repo"
        (self.repo / ".git").mkdir(parents=True)
        config = make_mirror(folder, [("x", "1.0.0"), ("x", "1.1.0"), ("y", "1.0.0")], size=200_000)
        self.env = child_environment(env, extra={"TF_CLI_CONFIG_FILE": str(config)})
        self.supervisor = Supervisor()
        self.binary = binary
        self.cache = self.repo / ".infra" / "cache"
        self.client = self.new_client()

    def new_client(self) -> Client:
        return Client(self.binary, self.supervisor, self.cache)

    def work(self, name: str, text: str) -> Workdir:
        root = self.repo / "envs" / name
        root.mkdir(parents=True, exist_ok=True)
        (root / "main.tf").write_text(text)
        run_dir = self.repo / ".infra" / "runs" / "r" / name
        run_dir.mkdir(parents=True, exist_ok=True)
        return Workdir(root, self.repo / ".infra" / "data" / name, run_dir, self.env)

    def packages(self) -> list[str]:
        shared = self.cache / "packages"
        return sorted(str(path.relative_to(shared)) for path in shared.glob("[!.]*/*/*/*/*"))


@pytest.fixture
def place(tmp_path: Path, binary: Binary, child_env: dict[str, str]) -> MirroredRepository:
    return MirroredRepository(tmp_path, binary, child_env)


def told(client: Client, work: Workdir, key: str = "k", **backend: str) -> list[str]:
    """What `init` said that it did; empty when it was skipped."""
    texts: list[str] = []
    client.init(work, key, backend, on_progress=texts.append)
    return texts


def test_it_runs_only_when_something_changed(place: MirroredRepository) -> None:
    work = place.work("a", 'terraform {\n  backend "local" {}\n}\n')
    assert told(place.client, work) == ["initialising"]
    assert told(place.client, work) == []
    assert told(place.new_client(), work) == []
    assert told(place.client, work, "other key") == ["initialising"]
    assert told(place.client, work, "other key", path="x.tfstate") == ["initialising"]
    assert told(place.client, work, "other key", path="x.tfstate") == []
    shutil.rmtree(work.data_dir)
    assert told(place.client, work, "other key", path="x.tfstate") == ["initialising"]


def test_it_runs_again_when_a_package_is_gone(place: MirroredRepository) -> None:
    work = place.work("a", requires(x="1.0.0"))
    assert "installing acme/x v1.0.0" in told(place.client, work)
    assert told(place.client, work) == []
    shutil.rmtree(place.cache / "packages")
    assert told(place.client, work) != []
    assert told(place.client, work) == []


def test_a_command_that_asks_for_init_gets_one(place: MirroredRepository) -> None:
    work = place.work("a", 'resource "terraform_data" "a" {}\n')
    place.client.init(work, "k", {})
    module = place.repo / "modules" / "m"
    module.mkdir(parents=True)
    (module / "main.tf").write_text('resource "terraform_data" "m" {}\n')
    (work.root / "more.tf").write_text('module "m" { source = "../../modules/m" }\n')
    outcome = place.client.plan(work, PlanOptions())
    assert b"module.m.terraform_data.m" in outcome.text


def test_a_committed_lock_file_is_never_touched(place: MirroredRepository) -> None:
    work = place.work("a", requires(x=">= 1.0.0"))
    place.client.init(work, "k", {})
    lock = (place.client.root(work) / LOCK_FILE).read_text()
    (work.root / LOCK_FILE).write_text(lock + "# ours\n")
    assert told(place.client, work) != []
    assert place.client.root(work) == work.root
    assert (work.root / LOCK_FILE).read_text() == lock + "# ours\n"

    (work.root / "main.tf").write_text(requires(x=">= 1.0.0", y="1.0.0"))
    with pytest.raises(TerraformError, match="Provider dependency changes detected") as raised:
        place.client.init(work, "k2", {})
    assert "terraform init" in raised.value.advice
    assert (work.root / LOCK_FILE).read_text() == lock + "# ours\n"


def test_a_lock_file_that_does_not_fit_is_refused(place: MirroredRepository) -> None:
    work = place.work("a", requires(x="1.0.0"))
    place.client.init(work, "k", {})
    lock = (place.client.root(work) / LOCK_FILE).read_text()
    start = lock.index("h1:")
    (work.root / LOCK_FILE).write_text(lock[:start] + "h1:AAAA" + lock[start + 7 :])
    with pytest.raises(TerraformError, match="Failed to install provider"):
        place.client.init(work, "k", {})


@pytest.mark.parametrize("committed", ["none", "without this platform's checksum"])
def test_without_a_whole_lock_file_the_work_is_done_in_a_shadow(
    place: MirroredRepository, committed: str
) -> None:
    work = place.work("a", requires(x="1.0.0") + 'resource "terraform_data" "a" {}\n')
    if committed != "none":
        host = "registry.opentofu.org" if place.binary.flavour == "tofu" else "registry.terraform.io"
        zip_hash = "zh:" + "0" * 64
        (work.root / LOCK_FILE).write_text(
            f'provider "{host}/acme/x" {{\n  version = "1.0.0"\n  hashes = [\n    "{zip_hash}",\n  ]\n}}\n'
        )
    before = {path.name: path.read_bytes() for path in work.root.iterdir()}
    place.client.init(work, "k", {})
    root = place.client.root(work)
    assert root != work.root
    assert root.is_relative_to(place.repo / ".infra" / "shadow")
    assert "h1:" in (root / LOCK_FILE).read_text()
    assert {path.name: path.read_bytes() for path in work.root.iterdir()} == before
    assert told(place.new_client(), work) == []
    assert place.new_client().root(work) == root


def test_the_local_state_of_a_stack_in_a_shadow_is_at_its_root(place: MirroredRepository) -> None:
    # The fake provider cannot run, so it is required only while `init` looks.
    work = place.work("a", requires(x="1.0.0") + 'resource "terraform_data" "a" {}\n')
    place.client.init(work, "k", {})
    (work.root / "main.tf").write_text('resource "terraform_data" "a" {}\n')
    assert place.client.root(work) != work.root
    outcome = place.client.apply(work, place.client.plan(work, PlanOptions()).plan_file)
    assert outcome.ok, outcome.diagnostics
    state = work.root / "terraform.tfstate"
    assert not state.is_symlink()
    assert json.loads(state.read_text())["serial"] == 1
    destroyed = place.client.apply(work, place.client.plan(work, PlanOptions(destroy=True)).plan_file)
    assert destroyed.ok
    assert json.loads(state.read_text())["resources"] == []
    assert place.new_client().state_list(work) == []


def test_in_a_shadow_of_the_callers_the_lock_file_is_ours(place: MirroredRepository) -> None:
    work = place.work("a", requires(x="1.0.0"))
    target = place.repo / ".infra" / "shadow" / "a"
    root = make_shadow(place.repo, Path("envs/a"), target, {})
    shadow = Workdir(root, target.with_name("a.data"), work.run_dir, work.env)
    place.client.init(shadow, "k", {})
    assert place.client.root(shadow) == root
    assert (root / LOCK_FILE).is_file()
    assert [path.name for path in work.root.iterdir()] == ["main.tf"]


def test_a_users_own_init_writes_the_lock_file_where_it_is_committed(place: MirroredRepository) -> None:
    work = place.work("a", requires(x=">= 1.0.0"))
    place.client.init(work, "k", {})
    assert place.client.root(work) != work.root
    assert place.client.run_raw(work, ["init", "-input=false"]).ok
    assert "h1:" in (work.root / LOCK_FILE).read_text()
    assert told(place.client, work) != []
    assert place.client.root(work) == work.root
    assert told(place.client, work) == []


def test_a_diagnostic_in_a_shadow_names_the_checkout(place: MirroredRepository) -> None:
    work = place.work("a", requires(x="1.0.0"))
    place.client.init(work, "k", {})
    (work.root / "main.tf").write_text('resource "terraform_data" "a" { input = var.no }\n')
    with pytest.raises(TerraformError) as raised:
        place.client.plan(work, PlanOptions())
    (found,) = raised.value.diagnostics
    assert found.root == str(work.root)  # type: ignore[attr-defined]
    assert found.file == "main.tf"  # type: ignore[attr-defined]


def links_of(work: Workdir) -> list[Path]:
    return sorted(work.data_dir.glob("providers/*/*/*/*/*"))


def cold_inits(place: MirroredRepository, count: int, threads: int) -> None:
    """Initialise many roots at once into an empty cache: half of them locked, two sets of providers."""
    texts = [requires(x="1.0.0"), requires(x=">= 1.0.0", y="1.0.0")]
    locks: dict[int, str] = {}
    for kind, text in enumerate(texts):
        work = place.work(f"lock{kind}", text)
        place.client.init(work, "k", {})
        locks[kind] = (place.client.root(work) / LOCK_FILE).read_text()
    shutil.rmtree(place.cache)
    works = [place.work(f"s{n}", texts[n % 2]) for n in range(count)]
    for n, work in enumerate(works):
        if n % 4 < 2:
            (work.root / LOCK_FILE).write_text(locks[n % 2])
    clients = [place.new_client() for _ in works]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda pair: pair[0].init(pair[1], "k", {}), zip(clients, works, strict=True)))

    host = "registry.opentofu.org" if place.binary.flavour == "tofu" else "registry.terraform.io"
    expected = [f"{host}/acme/{p}/{platform_name()}" for p in ("x/1.0.0", "x/1.1.0", "y/1.0.0")]
    assert place.packages() == expected
    shared = place.cache / "packages"
    for n, work in enumerate(works):
        links = links_of(work)
        assert len(links) == 1 + n % 2
        assert all(link.readlink().is_relative_to(shared) and link.exists() for link in links)
    assert not list(shared.glob(".init-*")), "a private cache was left behind"


def test_many_cold_inits_share_packages_without_races(place: MirroredRepository) -> None:
    cold_inits(place, 20, 8)


@pytest.mark.soak
def test_a_hundred_cold_inits_at_once(place: MirroredRepository) -> None:
    cold_inits(place, 100, 100)


def test_two_clients_initialise_the_same_stack_one_after_the_other(place: MirroredRepository) -> None:
    work = place.work("a", requires(x="1.0.0"))
    clients = [place.new_client() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda client: told(client, work), clients))
    assert sorted(len(one) > 0 for one in said) == [False, False, False, True]


def test_a_provider_that_is_attached_needs_no_package(place: MirroredRepository) -> None:
    work = place.work("a", requires(z="9.9.9"))
    with pytest.raises(TerraformError):
        place.client.init(work, "k", {})
    attached = {
        f"{host}/acme/z": {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "tcp", "String": "127.0.0.1:9"},
        }
        for host in ("registry.terraform.io", "registry.opentofu.org")
    }
    env = {**work.env, "TF_REATTACH_PROVIDERS": json.dumps(attached)}
    sandboxed = Workdir(work.root, work.data_dir, work.run_dir, env)
    assert told(place.client, sandboxed) == ["initialising"]
    assert told(place.client, sandboxed) == []
    assert place.client.root(sandboxed) == work.root
    with pytest.raises(TerraformError):
        place.client.init(work, "k", {})
