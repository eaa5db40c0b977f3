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
def mirrored(tmp_path: Path, binary: Binary, child_env: dict[str, str]) -> MirroredRepository:
    return MirroredRepository(tmp_path, binary, child_env)


def init_messages(client: Client, work: Workdir, key: str = "k", **backend: str) -> list[str]:
    """What `init` said that it did; empty when it was skipped."""
    texts: list[str] = []
    client.init(work, key, backend, on_progress=texts.append)
    return texts


def test_it_runs_only_when_something_changed(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", 'terraform {\n  backend "local" {}\n}\n')
    assert init_messages(mirrored.client, work) == ["initialising"]
    assert init_messages(mirrored.client, work) == []
    assert init_messages(mirrored.new_client(), work) == []
    assert init_messages(mirrored.client, work, "other key") == ["initialising"]
    assert init_messages(mirrored.client, work, "other key", path="x.tfstate") == ["initialising"]
    assert init_messages(mirrored.client, work, "other key", path="x.tfstate") == []
    shutil.rmtree(work.data_dir)
    assert init_messages(mirrored.client, work, "other key", path="x.tfstate") == ["initialising"]


def test_it_runs_again_when_a_package_is_gone(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x="1.0.0"))
    assert "installing acme/x v1.0.0" in init_messages(mirrored.client, work)
    assert init_messages(mirrored.client, work) == []
    shutil.rmtree(mirrored.cache / "packages")
    assert init_messages(mirrored.client, work) != []
    assert init_messages(mirrored.client, work) == []


def test_a_command_that_asks_for_init_gets_one(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", 'resource "terraform_data" "a" {}\n')
    mirrored.client.init(work, "k", {})
    module = mirrored.repo / "modules" / "m"
    module.mkdir(parents=True)
    (module / "main.tf").write_text('resource "terraform_data" "m" {}\n')
    (work.root / "more.tf").write_text('module "m" { source = "../../modules/m" }\n')
    outcome = mirrored.client.plan(work, PlanOptions())
    assert b"module.m.terraform_data.m" in outcome.text


def test_a_committed_lock_file_is_never_touched(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x=">= 1.0.0"))
    mirrored.client.init(work, "k", {})
    lock = (mirrored.client.root(work) / LOCK_FILE).read_text()
    (work.root / LOCK_FILE).write_text(lock + "# ours\n")
    assert init_messages(mirrored.client, work) != []
    assert mirrored.client.root(work) == work.root
    assert (work.root / LOCK_FILE).read_text() == lock + "# ours\n"

    (work.root / "main.tf").write_text(requires(x=">= 1.0.0", y="1.0.0"))
    with pytest.raises(TerraformError, match="Provider dependency changes detected") as raised:
        mirrored.client.init(work, "k2", {})
    assert "terraform init" in raised.value.advice
    assert (work.root / LOCK_FILE).read_text() == lock + "# ours\n"


def test_a_lock_file_that_does_not_fit_is_refused(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x="1.0.0"))
    mirrored.client.init(work, "k", {})
    lock = (mirrored.client.root(work) / LOCK_FILE).read_text()
    start = lock.index("h1:")
    (work.root / LOCK_FILE).write_text(lock[:start] + "h1:AAAA" + lock[start + 7 :])
    with pytest.raises(TerraformError, match="Failed to install provider"):
        mirrored.client.init(work, "k", {})


@pytest.mark.parametrize("committed", ["none", "without this platform's checksum"])
def test_without_a_whole_lock_file_the_work_is_done_in_a_shadow(
    mirrored: MirroredRepository, committed: str
) -> None:
    work = mirrored.work("a", requires(x="1.0.0") + 'resource "terraform_data" "a" {}\n')
    if committed != "none":
        host = "registry.opentofu.org" if mirrored.binary.flavour == "tofu" else "registry.terraform.io"
        zip_hash = "zh:" + "0" * 64
        (work.root / LOCK_FILE).write_text(
            f'provider "{host}/acme/x" {{\n  version = "1.0.0"\n  hashes = [\n    "{zip_hash}",\n  ]\n}}\n'
        )
    before = {path.name: path.read_bytes() for path in work.root.iterdir()}
    mirrored.client.init(work, "k", {})
    root = mirrored.client.root(work)
    assert root != work.root
    assert root.is_relative_to(mirrored.repo / ".infra" / "shadow")
    assert "h1:" in (root / LOCK_FILE).read_text()
    assert {path.name: path.read_bytes() for path in work.root.iterdir()} == before
    assert init_messages(mirrored.new_client(), work) == []
    assert mirrored.new_client().root(work) == root


def test_the_local_state_of_a_stack_in_a_shadow_is_at_its_root(mirrored: MirroredRepository) -> None:
    # The fake provider cannot run, so it is required only while `init` looks.
    work = mirrored.work("a", requires(x="1.0.0") + 'resource "terraform_data" "a" {}\n')
    mirrored.client.init(work, "k", {})
    (work.root / "main.tf").write_text('resource "terraform_data" "a" {}\n')
    assert mirrored.client.root(work) != work.root
    outcome = mirrored.client.apply(work, mirrored.client.plan(work, PlanOptions()).plan_file)
    assert outcome.ok, outcome.diagnostics
    state = work.root / "terraform.tfstate"
    assert not state.is_symlink()
    assert json.loads(state.read_text())["serial"] == 1
    destroyed = mirrored.client.apply(work, mirrored.client.plan(work, PlanOptions(destroy=True)).plan_file)
    assert destroyed.ok
    assert json.loads(state.read_text())["resources"] == []
    assert mirrored.new_client().state_list(work) == []


def test_in_a_shadow_of_the_callers_the_lock_file_is_ours(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x="1.0.0"))
    target = mirrored.repo / ".infra" / "shadow" / "a"
    root = make_shadow(mirrored.repo, Path("envs/a"), target, {})
    shadow = Workdir(root, target.with_name("a.data"), work.run_dir, work.env)
    mirrored.client.init(shadow, "k", {})
    assert mirrored.client.root(shadow) == root
    assert (root / LOCK_FILE).is_file()
    assert [path.name for path in work.root.iterdir()] == ["main.tf"]


def test_a_users_own_init_writes_the_lock_file_where_it_is_committed(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x=">= 1.0.0"))
    mirrored.client.init(work, "k", {})
    assert mirrored.client.root(work) != work.root
    assert mirrored.client.run_raw(work, ["init", "-input=false"]).ok
    assert "h1:" in (work.root / LOCK_FILE).read_text()
    assert init_messages(mirrored.client, work) != []
    assert mirrored.client.root(work) == work.root
    assert init_messages(mirrored.client, work) == []


def test_a_diagnostic_in_a_shadow_names_the_checkout(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x="1.0.0"))
    mirrored.client.init(work, "k", {})
    (work.root / "main.tf").write_text('resource "terraform_data" "a" { input = var.no }\n')
    with pytest.raises(TerraformError) as raised:
        mirrored.client.plan(work, PlanOptions())
    (diagnostic,) = raised.value.diagnostics
    assert diagnostic.root == str(work.root)  # type: ignore[attr-defined]
    assert diagnostic.file == "main.tf"  # type: ignore[attr-defined]


def links_of(work: Workdir) -> list[Path]:
    return sorted(work.data_dir.glob("providers/*/*/*/*/*"))


def cold_inits(mirrored: MirroredRepository, count: int, threads: int) -> None:
    """Initialise many roots at once into an empty cache: half of them locked, two sets of providers."""
    texts = [requires(x="1.0.0"), requires(x=">= 1.0.0", y="1.0.0")]
    locks: dict[int, str] = {}
    for kind, text in enumerate(texts):
        work = mirrored.work(f"lock{kind}", text)
        mirrored.client.init(work, "k", {})
        locks[kind] = (mirrored.client.root(work) / LOCK_FILE).read_text()
    shutil.rmtree(mirrored.cache)
    works = [mirrored.work(f"s{n}", texts[n % 2]) for n in range(count)]
    for n, work in enumerate(works):
        if n % 4 < 2:
            (work.root / LOCK_FILE).write_text(locks[n % 2])
    clients = [mirrored.new_client() for _ in works]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda pair: pair[0].init(pair[1], "k", {}), zip(clients, works, strict=True)))

    host = "registry.opentofu.org" if mirrored.binary.flavour == "tofu" else "registry.terraform.io"
    expected = [f"{host}/acme/{p}/{platform_name()}" for p in ("x/1.0.0", "x/1.1.0", "y/1.0.0")]
    assert mirrored.packages() == expected
    shared = mirrored.cache / "packages"
    for n, work in enumerate(works):
        links = links_of(work)
        assert len(links) == 1 + n % 2
        assert all(link.readlink().is_relative_to(shared) and link.exists() for link in links)
    assert not list(shared.glob(".init-*")), "a private cache was left behind"


def test_many_cold_inits_share_packages_without_races(mirrored: MirroredRepository) -> None:
    cold_inits(mirrored, 20, 8)


@pytest.mark.soak
def test_a_hundred_cold_inits_at_once(mirrored: MirroredRepository) -> None:
    cold_inits(mirrored, 100, 100)


def test_two_clients_initialise_the_same_stack_one_after_the_other(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(x="1.0.0"))
    clients = [mirrored.new_client() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        messages = list(pool.map(lambda client: init_messages(client, work), clients))
    assert sorted(len(texts) > 0 for texts in messages) == [False, False, False, True]


def test_a_provider_that_is_attached_needs_no_package(mirrored: MirroredRepository) -> None:
    work = mirrored.work("a", requires(z="9.9.9"))
    with pytest.raises(TerraformError):
        mirrored.client.init(work, "k", {})
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
    assert init_messages(mirrored.client, sandboxed) == ["initialising"]
    assert init_messages(mirrored.client, sandboxed) == []
    assert mirrored.client.root(sandboxed) == work.root
    with pytest.raises(TerraformError):
        mirrored.client.init(work, "k", {})
