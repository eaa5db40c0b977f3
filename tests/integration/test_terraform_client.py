"""Terraform's commands through the client, on real Terraform with its built-in resource."""

from __future__ import annotations

import fcntl
import json
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from orchestrator.errors import (
    InterruptedRunError,
    LockedError,
    ProcessError,
    StateError,
    TerraformError,
)
from orchestrator.process import Supervisor, is_alive, read_pid_file
from orchestrator.sandbox.faults import HttpFault
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.client import Client, CommandTimeouts, PlanOptions, Workdir
from orchestrator.terraform.environment import child_environment
from orchestrator.terraform.graph import dependents

MAIN = """
variable "word" { default = "one" }
resource "terraform_data" "a" {
  for_each = toset(["x y", "z"])
  input    = "${each.key} ${var.word}"
}
output "word" { value = var.word }
output "secret" {
  value     = "s3cr3t-${var.word}"
  sensitive = true
}
"""

SLOW = """
resource "terraform_data" "slow" {
  count = 3
  input = count.index
  provisioner "local-exec" { command = "touch started; sleep %s" }
}
"""


@pytest.fixture
def client(binary: Binary, tmp_path: Path) -> Client:
    return Client(binary, Supervisor(), tmp_path / "cache")


MakeWork = Callable[..., Workdir]


@pytest.fixture
def make_work(tmp_path: Path, child_env: dict[str, str]) -> MakeWork:
    def make(text: str, name: str = "a") -> Workdir:
        root = tmp_path / "repo" / "infra" / "envs" / "dev" / name
        root.mkdir(parents=True)
        (tmp_path / "repo" / ".git").mkdir(exist_ok=True)
        (root / "main.tf").write_text(text)
        run_dir = tmp_path / "repo" / ".infra" / "runs" / "r1" / f"dev%2F{name}"
        run_dir.mkdir(parents=True, mode=0o700)
        env = child_environment(child_env, extra={"XDG_STATE_HOME": str(tmp_path / "state-home")})
        return Workdir(root, tmp_path / "repo" / ".infra" / "data" / f"dev%2F{name}", run_dir, env)

    return make


class _Refusing(BaseHTTPRequestHandler):
    """A state backend that reads and does not write."""

    def do_GET(self) -> None:
        self._answer(404)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(403)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@contextmanager
def refusing_state_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/state"
        server.shutdown()
        thread.join()


def planned_and_applied(client: Client, work: Workdir, *, destroy: bool = False) -> None:
    outcome = client.apply(work, client.plan(work, PlanOptions(destroy=destroy)).plan_file)
    assert outcome.ok, outcome.diagnostics


def test_a_stack_from_its_first_plan_to_its_last(client: Client, make_work: MakeWork) -> None:
    work = make_work(MAIN)
    client.init(work, "key", {})
    first = client.plan(work, PlanOptions())
    assert first.changed
    assert first.text.startswith(b"Terraform used") or b"will perform the following" in first.text
    assert b"Saved the plan" not in first.text
    assert stat.S_IMODE(first.plan_file.stat().st_mode) == 0o600

    events: list[str] = []
    applied = client.apply(work, first.plan_file, events.append)
    assert (applied.ok, applied.created, applied.updated, applied.deleted) == (True, 2, 0, 0)
    assert 'creating terraform_data.a["x y"]' in events
    assert 'created terraform_data.a["z"]' in events
    assert sorted(resource.address for resource in applied.finished) == [
        'terraform_data.a["x y"]',
        'terraform_data.a["z"]',
    ]
    assert all(resource.id_key == "id" and len(resource.id_value) == 36 for resource in applied.finished)
    assert applied.outputs is not None
    assert applied.outputs["word"]["value"] == "one"
    assert b"s3cr3t" not in applied.journal.read_bytes()
    assert stat.S_IMODE(applied.journal.stat().st_mode) == 0o600
    assert applied.rescued is None

    doing: list[str] = []
    clean = client.plan(work, PlanOptions(), doing.append)
    assert not clean.changed
    assert 'refreshing terraform_data.a["x y"]' in doing
    assert not any("id=" in text for text in doing)
    assert clean.text.startswith(b"No changes.")

    assert client.output(work)["secret"] == {"sensitive": True, "type": "string", "value": "s3cr3t-one"}
    assert client.state_list(work) == ['terraform_data.a["x y"]', 'terraform_data.a["z"]']
    assert "x y one" in client.state_show(work, 'terraform_data.a["x y"]')
    assert json.loads(client.state_pull(work))["serial"] >= 1

    changed = client.plan(work, PlanOptions(variables=("word=two",), targets=('terraform_data.a["z"]',)))
    changes = json.loads(client.show_json(work, changed.plan_file))["resource_changes"]
    assert [(c["address"], c["change"]["actions"]) for c in changes] == [
        ('terraform_data.a["z"]', ["update"])
    ]
    replaced = client.plan(work, PlanOptions(replaces=('terraform_data.a["z"]',)))
    assert b"must be replaced" in replaced.text or b"will be replaced" in replaced.text

    planned_and_applied(client, work, destroy=True)
    assert client.state_list(work) == []


def test_nothing_is_written_in_the_checkout_but_a_local_state(client: Client, make_work: MakeWork) -> None:
    work = make_work(MAIN)
    client.init(work, "key", {})
    plan = client.plan(work, PlanOptions())
    assert sorted(path.name for path in work.root.iterdir()) == ["main.tf"]
    client.apply(work, plan.plan_file)
    assert sorted(path.name for path in work.root.iterdir()) == ["main.tf", "terraform.tfstate"]


def test_a_stale_plan_is_a_failed_outcome(client: Client, make_work: MakeWork) -> None:
    work = make_work(MAIN)
    client.init(work, "key", {})
    plan = client.plan(work, PlanOptions()).plan_file
    rename = plan.rename(plan.with_name("kept.tfplan"))
    planned_and_applied(client, work)
    again = client.apply(work, rename)
    assert not again.ok
    assert (again.created, again.finished) == (0, ())
    assert [diagnostic.summary for diagnostic in again.diagnostics] == ["Saved plan is stale"]


def test_an_apply_that_fails_half_way_states_what_it_did(client: Client, make_work: MakeWork) -> None:
    work = make_work("""
resource "terraform_data" "good" { input = 1 }
resource "terraform_data" "bad" {
  input = terraform_data.good.output
  provisioner "local-exec" { command = "exit 3" }
}
""")
    client.init(work, "key", {})
    outcome = client.apply(work, client.plan(work, PlanOptions()).plan_file)
    assert (outcome.ok, outcome.returncode, outcome.ended) == (False, 1, "exited")
    assert [applied.address for applied in outcome.finished] == ["terraform_data.good"]
    assert outcome.failed == ("terraform_data.bad",)
    assert outcome.created == 1
    (error,) = outcome.diagnostics
    assert (error.severity, error.address, error.file, error.line) == (
        "error",
        "terraform_data.bad",
        "main.tf",
        5,
    )
    assert error.root == str(work.root)


@pytest.mark.parametrize(
    ("text", "summary", "line"),
    [
        ('resource "terraform_data" "a" { input = var.no }', "Reference to undeclared input variable", 1),
        ('variable "x" {}', "No value for required variable", 1),
    ],
)
def test_a_failed_plan_keeps_terraforms_words(
    client: Client, make_work: MakeWork, text: str, summary: str, line: int
) -> None:
    work = make_work(text)
    client.init(work, "key", {})
    with pytest.raises(TerraformError) as raised:
        client.plan(work, PlanOptions())
    (diagnostic,) = raised.value.diagnostics
    assert (diagnostic.summary, diagnostic.file, diagnostic.line) == (summary, "main.tf", line)  # type: ignore[attr-defined]
    assert raised.value.message == summary
    assert not (work.run_dir / "plan.tfplan").exists()


def test_validate_gives_diagnostics(client: Client, make_work: MakeWork) -> None:
    work = make_work('resource "terraform_data" "a" {\n  inptu = 1\n}\n')
    client.init(work, "key", {})
    (diagnostic,) = client.validate(work)
    assert (diagnostic.summary, diagnostic.file, diagnostic.line) == ("Unsupported argument", "main.tf", 2)
    assert "inptu" in diagnostic.snippet


def test_fmt_names_files_and_shows_how(client: Client, make_work: MakeWork) -> None:
    work = make_work('variable   "x" {}\n')
    files, _ = client.fmt_check(work.root, work.env)
    assert files == ("main.tf",)
    _, text = client.fmt_check(work.root, work.env, diff=True)
    assert '+variable "x" {}' in text
    (work.root / "main.tf").write_text('variable "x" {}\n')
    assert client.fmt_check(work.root, work.env) == ((), "")


def test_a_lock_is_reported_with_who_and_since_when(client: Client, make_work: MakeWork) -> None:
    work = make_work(MAIN)
    client.init(work, "key", {})
    planned_and_applied(client, work)
    plan = client.plan(work, PlanOptions(variables=("word=two",))).plan_file
    plan = plan.rename(plan.with_name("kept.tfplan"))
    lock = {
        "ID": "1-2",
        "Operation": "OperationTypeApply",
        "Info": "",
        "Who": "ada@laptop",
        "Version": "1.11.4",
        "Created": "2026-11-01T00:00:00Z",
        "Path": "terraform.tfstate",
    }
    (work.root / ".terraform.tfstate.lock.info").write_text(json.dumps(lock))
    with (work.root / "terraform.tfstate").open("r+") as state:
        fcntl.lockf(state, fcntl.LOCK_EX)
        with pytest.raises(LockedError, match=r"ada@laptop since 2026-11-01 .*OperationTypeApply"):
            client.plan(work, PlanOptions(lock=True))
        outcome = client.apply(work, plan)
    assert not outcome.ok
    assert outcome.locked is not None
    assert (outcome.locked.id, outcome.locked.who) == ("1-2", "ada@laptop")


def test_an_unsaved_state_is_rescued_and_stops_the_next_apply(client: Client, make_work: MakeWork) -> None:
    with refusing_state_server() as address:
        work = make_work(f"""
terraform {{
  backend "http" {{
    address   = "{address}"
    retry_max = 0
  }}
}}
resource "terraform_data" "a" {{}}
""")
        client.init(work, "key", {})
        outcome = client.apply(work, client.plan(work, PlanOptions()).plan_file)
    assert not outcome.ok
    assert outcome.rescued is not None
    assert outcome.rescued.relative_to(work.env["XDG_STATE_HOME"]) == Path("infra/rescue/r1/dev%2Fa")
    assert stat.S_IMODE(outcome.rescued.stat().st_mode) == 0o600
    assert "terraform_data" in outcome.rescued.read_text()
    assert not (work.root / "errored.tfstate").exists()

    (work.root / "errored.tfstate").write_text("{}")
    with pytest.raises(StateError, match="could not be saved"):
        client.apply(work, work.run_dir / "plan.tfplan")


def test_a_hanging_unlock_has_a_deadline_of_its_own(
    client: Client, make_work: MakeWork, tmp_path: Path
) -> None:
    server = GcsServer(tmp_path / "gcs")
    server.start()
    server.store.create_bucket("project", {"name": "states"})
    work = make_work('terraform {\n  backend "gcs" {}\n}\nresource "terraform_data" "a" {}\n')
    env = {**work.env, "STORAGE_EMULATOR_HOST": server.url}
    work = replace(work, env=env, timeouts=CommandTimeouts(unlock=0.3, finish=0.3))
    try:
        client.init(work, "key", {"bucket": "states", "prefix": "dev/state/a"})
        plan = client.plan(work, PlanOptions()).plan_file
        server.faults.add(HttpFault(method="DELETE", path="*tflock*", latency_ms=5_000))
        outcome = client.apply(work, plan)
        server.faults.clear()
        assert (outcome.ok, outcome.ended) == (False, "deadline")
        assert outcome.seconds < 4
        assert [applied.address for applied in outcome.finished] == ["terraform_data.a"]
        assert "Releasing state lock" in outcome.diagnostics[0].summary
        assert client.state_list(work) == ["terraform_data.a"]
        with pytest.raises(LockedError) as raised:
            client.plan(work, PlanOptions(lock=True))
        assert "`infra unlock dev/a`" in raised.value.advice
    finally:
        server.close()


def test_one_interrupt_saves_what_was_made(client: Client, binary: Binary, make_work: MakeWork) -> None:
    work = make_work(SLOW % "0.5")
    supervisor = Supervisor()
    client = Client(binary, supervisor, work.data_dir / "cache")
    client.init(work, "key", {})
    plan = client.plan(work, PlanOptions()).plan_file
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(client.apply, work, plan, parallelism=1)
        while not (work.root / "started").exists():
            time.sleep(0.01)
        supervisor.interrupt()
        outcome = future.result()
    assert (outcome.ok, outcome.ended, outcome.returncode) == (False, "interrupted", 1)
    address = [applied.address for applied in outcome.finished]
    assert len(address) < 3
    state = json.loads((work.root / "terraform.tfstate").read_text())
    in_state = {
        f"{r['type']}.{r['name']}[{i['index_key']}]" for r in state["resources"] for i in r["instances"]
    }
    assert set(address) <= in_state
    with pytest.raises(InterruptedRunError):
        client.plan(work, PlanOptions())


def test_a_deadline_is_reported(client: Client, make_work: MakeWork) -> None:
    work = make_work(SLOW % "0")
    client.init(work, "key", {})
    with pytest.raises(ProcessError, match="did not end in time"):
        client.plan(replace(work, timeouts=CommandTimeouts(plan=0.001)), PlanOptions())


def test_an_apply_outlives_us(binary: Binary, client: Client, make_work: MakeWork, tmp_path: Path) -> None:
    work = make_work(SLOW % "0.3")
    client.init(work, "key", {})
    plan = client.plan(work, PlanOptions()).plan_file
    code = f"""
from pathlib import Path
from orchestrator.process import Supervisor
from orchestrator.terraform.binary import Binary
from orchestrator.terraform.client import Client, Workdir
binary = Binary({binary.argv!r}, {binary.version!r}, {binary.flavour!r}, "PATH", Path({str(binary.path)!r}))
folders = [Path(one) for one in {[str(work.root), str(work.data_dir), str(work.run_dir)]!r}]
work = Workdir(*folders, {work.env!r})
Client(binary, Supervisor(), Path({str(tmp_path)!r})).apply(work, Path({str(plan)!r}), parallelism=1)
"""
    us = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    while not (work.root / "started").exists():
        assert us.poll() is None, "it ended before Terraform started"
        time.sleep(0.01)
    us.send_signal(signal.SIGKILL)
    us.wait()
    apply = read_pid_file(work.run_dir / "pid.json")
    assert apply is not None
    assert apply.alive
    while is_alive(apply.pid, apply.started):
        time.sleep(0.02)
    assert client.state_list(work) == [f"terraform_data.slow[{n}]" for n in range(3)]
    assert '"Apply complete!' in (work.run_dir / "journal.jsonl").read_text()
    assert not (work.root / ".terraform.tfstate.lock.info").exists()


def test_raw_commands(client: Client, make_work: MakeWork) -> None:
    work = make_work(MAIN)
    client.init(work, "key", {})
    planned_and_applied(client, work)
    done = client.run_raw(work, ["output", "-raw", "word"])
    assert (done.returncode, done.stdout) == (0, b"one")
    moved = client.run_raw(work, ["state", "rm", 'terraform_data.a["z"]'])
    assert moved.ok
    assert (work.run_dir / "stdout").read_bytes() == moved.stdout
    assert read_pid_file(work.run_dir / "pid.json") is not None
    assert client.run_raw(work, ["no-such-command"]).returncode == 1
    refused = client.run_raw(work, ["apply", "-no-color"])
    assert not refused.ok
    assert client.state_list(work) == ['terraform_data.a["x y"]']
    assert b'"format_version"' in client.providers_schema(work)


def test_the_graph_shows_what_depends_on_what(client: Client, make_work: MakeWork) -> None:
    others = 'locals {\n  a = terraform_data.a["z"].id\n}\n' + "".join(
        f'resource "terraform_data" "{name}" {{\n  input = {value}\n}}\n'
        for name, value in (("b", "local.a"), ("c", "terraform_data.b.id"), ("d", "1"))
    )
    work = make_work(MAIN + others)
    client.init(work, "key", {})
    names = dependents(client.graph(work), ["terraform_data.a"])
    assert {name for name in names if name.startswith("terraform_data.")} == {
        "terraform_data.b",
        "terraform_data.c",
    }


def test_the_embedded_terraform_does_the_same(
    embedded_binary: Binary, make_work: MakeWork, tmp_path: Path
) -> None:
    binary = embedded_binary
    assert binary.source == "embedded"
    supervisor = Supervisor()
    client = Client(binary, supervisor, tmp_path / "cache")
    work = make_work(SLOW % "0.4")
    client.init(work, "key", {})
    plan = client.plan(work, PlanOptions())
    assert plan.changed
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(client.apply, work, plan.plan_file, parallelism=1)
        while not (work.root / "started").exists():
            time.sleep(0.01)
        supervisor.interrupt()
        outcome = future.result()
    assert (outcome.ended, outcome.returncode) == ("interrupted", 1)
    assert not (work.root / ".terraform.tfstate.lock.info").exists()
    again = Client(binary, Supervisor(), tmp_path / "cache")
    rest = again.apply(work, again.plan(work, PlanOptions()).plan_file)
    assert rest.ok
    assert not again.plan(work, PlanOptions()).changed
