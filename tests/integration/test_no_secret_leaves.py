"""No secret leaves: one story from pull request to drift, and everything that anybody is told in it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc")
pytest.importorskip("regopy")

from orchestrator.sandbox.provider.server import ProviderServer, reattach_config
from orchestrator.sandbox.schemas import RecordedSchemas
from orchestrator.sandbox.sentinel import Sentinel
from orchestrator.sandbox.world import World
from tests.support import merging, secrets
from tests.support.ci import CiProject, running
from tests.support.cli import Infra, InfraResult
from tests.support.scheduled_checks import TYPES

pytestmark = pytest.mark.usefixtures("terraform_argv")

CONFIG = """
version: 1
backend:
  gcs: {bucket: states}
environments:
  dev:
    env: [TF_VAR_db_password, TF_VAR_motd]
    var_files: [infra/dev.tfvars]
    protected: true
drift:
  webhook: DRIFT_WEBHOOK_URL
  summary: issue
  actions: {dev: {reverted: pr}}
"""
APP, BROKEN = "infra/envs/dev/app/main.tf", "infra/envs/dev/broken/main.tf"
FIRST = {
    "infra.yaml": CONFIG,
    "policies/look.rego": secrets.REGO,
    "infra/dev.tfvars": secrets.variables(1),
    APP: secrets.code(1),
    ".github/workflows/infra-apply.yml": "on: {workflow_dispatch: {inputs: {environment: {}, drift: {}}}}\n",
}
# What is nobody's to read, or holds the code itself: states, clones, the sandbox's own files.
OWN = ("gcs/", "repo/", "job-", "worlds/", "github/work/")


KEEPER = dict.fromkeys(("issues", "actions", "contents", "pull_requests"), "write")


@dataclass
class Sinks:
    """What was told, by where."""

    ci: CiProject
    attached: str
    world: World
    folder: Path
    version: int = 1
    sent: dict[str, str] = field(default_factory=dict)
    hook: str = ""

    def run(self, infra: Infra, *argv: str, code: int | None = None) -> InfraResult:
        env = {
            **infra.env,
            "TF_REATTACH_PROVIDERS": self.attached,
            "DRIFT_WEBHOOK_URL": self.hook,
            **secrets.environ(self.version),
        }
        ran = Infra(infra.root, env)("--debug", *argv, code=code)
        name = f"{len(self.sent)}: infra {' '.join(argv)}"
        self.sent[f"{name} (out)"], self.sent[f"{name} (err)"] = ran.out, ran.err
        return ran

    def everything(self) -> dict[str, str]:
        texts = dict(self.sent)
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and not name.startswith(OWN) and ".git/" not in name:
                texts[name] = path.read_text(errors="replace")
        server = self.ci.recorded.server.store
        for name in self.ci.objects(""):
            if "/state/" not in name:
                texts[f"bucket: {name}"] = server.read_object("states", name)[1].decode(errors="replace")
        for number, issue in self.ci.github.server.world.repositories[
            self.ci.github.repository
        ].issues.items():
            texts[f"github: #{number}"] = secrets.text_of(issue)
        texts["github: the rest"] = secrets.text_of(self.ci.github.server.world)
        return texts


@contextmanager
def webhook(sinks: dict[str, str]) -> Iterator[str]:
    class WebhookHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sinks[f"webhook {len(sinks)}"] = body.decode()
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), WebhookHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/x"
        server.shutdown()


@pytest.fixture
def sinks(tmp_path: Path) -> Iterator[Sinks]:
    provider = ProviderServer(tmp_path / "worlds", RecordedSchemas())
    provider.start()
    provider.serve_types("google", TYPES)
    sentinel = Sentinel()
    try:
        with running(tmp_path, files=FIRST) as ci:
            attached = reattach_config(provider.open("secrets"), sentinel.pid)
            all_sinks = Sinks(ci, attached, provider.world("secrets"), tmp_path)
            with webhook(all_sinks.sent) as all_sinks.hook:
                yield all_sinks
    finally:
        provider.close()
        sentinel.close()


def test_no_secret_leaves(sinks: Sinks) -> None:
    ci, run = sinks.ci, sinks.run
    owner = ci.recorded.infra
    yes = ("--auto-approve", "--allow-destroy", "--confirm", "dev")

    # Before: applied by hand, on a laptop.
    run(owner, "plan", "--all", code=0)
    run(owner, "apply", "--all", *yes, "--json", code=0)
    run(owner, "status", "--json")

    # A pull request, with one stack that cannot be planned.
    sinks.version = 2
    second = {
        APP: secrets.code(2),
        BROKEN: secrets.code(2, secrets.BROKEN, 'terraform {\n  backend "gcs" {}\n}\n'),
        "infra/dev.tfvars": secrets.variables(2),
    }
    number = ci.change(second, "feature", "A change")
    report = str(sinks.folder / "told" / "infra-plan-dev-0")
    run(ci.job(number), "ci", "plan", "--report", report, "--json", code=1)
    run(ci.job(number), "ci", "comment", str(sinks.folder / "told"), code=0)
    run(ci.job(number), "ci", "plan", "--dry-run")

    # Without it, labelled and approved; then the world moves, and the merge finds another plan.
    ci.github.commit("feature", {BROKEN: None}, "Take it back")
    run(ci.job(number), "ci", "plan", code=4)
    ci.github.label(number, "allow-destroy", "bert")
    run(
        ci.job(number, GITHUB_RUN_ATTEMPT="2"),
        "ci",
        "plan",
        "--sarif",
        str(sinks.folder / "told.sarif"),
        code=0,
    )
    ci.github.review(number)
    ci.github.merge(number, "squash")
    sinks.world.set("service", "template[0].containers[0].env[0].value", secrets.secret("run", 3))
    sinks.world.set("labelled", "labels.note", secrets.secret("label", 3))
    push = ci.job(0, event="push", rights=merging.APPLY, commit=ci.github.trunk)
    report_folder = str(sinks.folder / "landed" / "infra-compare-dev")
    run(push, "ci", "compare", "dev", "--report", report_folder)
    run(push, "ci", "apply", "--json")
    run(push, "ci", "comment", str(sinks.folder / "landed"))
    run(push, "ci", "approve", "dev", "--dry-run", code=0)

    # Approved at the gate: the provider fails in the middle, and quotes what it was given.
    ticket = outputs(push)["ticket"]
    ci.github.approve_gate("dev")
    cloud_error = f"googleapi: Error 400: {secrets.secret('label', 2)} and {secrets.secret('version', 2)}"
    sinks.world.break_(
        "google_pubsub_topic", "update", f"{cloud_error} password={secrets.secret('provider', 2)}", 1
    )
    run(
        push, "ci", "apply", "dev", "--gate", ticket, "--report", str(sinks.folder / "landed/infra-apply-dev")
    )
    run(push, "ci", "comment", str(sinks.folder / "landed"))
    sinks.world.mend()
    run(owner_at(sinks), "apply", "--all", *yes, code=0)
    run(owner_at(sinks), "history", "dev/app", "--json")

    # Then somebody changed things by hand before a scheduled check; then the provider does not answer.
    sinks.version = 3
    sinks.world.set("service", "template[0].containers[0].env[0].value", secrets.secret("run", 1))
    sinks.world.set("labelled", "labels.note", secrets.secret("label", 1))
    sinks.world.set("labelled", "message_retention_duration", "700s")
    scheduled = owner_at(sinks)
    report_options = ("--report", str(sinks.folder / "check"), "--junit", str(sinks.folder / "check.xml"))
    sinks.version = 2
    run(scheduled, "drift", "--json", *report_options)
    run(scheduled, "drift", "--show-ignored", "--markdown", str(sinks.folder / "check.md"))
    keeper = ci.job(0, event="schedule", rights=KEEPER, commit=ci.github.trunk)
    run(keeper, "ci", "drift", str(sinks.folder / "check"))
    sinks.world.break_("google_pubsub_topic", "read", f"{cloud_error} {secrets.secret('tfvars', 2)}", 9)
    run(scheduled, "drift")
    sinks.world.mend()
    run(scheduled, "drift", "history", "--json")
    run(scheduled, "drift", "--fix", "--action", "revert", *yes)

    everything = sinks.everything()
    assert [leak for leak in secrets.leaks(everything, (1, 2, 3)) if not is_journal(leak)] == []
    # All of it was told, without the secrets.
    words = ("Resource precondition failed", "than approved", "googleapi: Error 400", "[rego]")
    assert [word for word in words if not any(word in text for text in everything.values())] == []
    assert "labels.note: (sensitive value) → (sensitive value)" in everything["check.md"]
    assert sum(name.startswith("github: #") for name in everything) == 4, "two pull requests and two issues"


def is_journal(leak: secrets.Leak) -> bool:
    """An address in the journal is what Terraform knows a resource by: `infra resume` imports by it."""
    return leak.sink.startswith("bucket: dev/ledger/journal/") and leak.kind == "each"


def outputs(job: Infra) -> dict[str, str]:
    """The outputs of a job's last step, by name."""
    text = Path(job.env["GITHUB_OUTPUT"]).read_text()
    matches = re.findall(r"^(\w+)<<(\w+)\n(.*?)\n\2$", text, re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in matches}


def owner_at(sinks: Sinks) -> Infra:
    """The bucket's owner, on trunk as it is."""
    owner = sinks.ci.recorded.infra
    return Infra(sinks.ci.checkout(sinks.ci.github.trunk), owner.env)
