"""What is said when drift cannot be looked for, told or put right at all; Terraform is never started."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.ledgers import local_folder
from orchestrator.state.folder import Folder
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.schemas import check_schema

DIGEST = "d" * 64
FILES = {
    "infra.yaml": "version: 1\nenvironments:\n  dev: {}\n  prod: {}\n",
    "infra/envs/dev/app/main.tf": 'resource "terraform_data" "x" {}\n',
    "infra/envs/prod/app/main.tf": 'resource "terraform_data" "x" {}\n',
    "empty/README.md": "No report is here.\n",
    "bad/drift-dev-1.json": '{"version": 1, "kind": "drift", "stacks": 5}',
    "other/drift-dev-1.json": '{"version": 1, "kind": "plan"}',
    "broken/drift-dev-1.json": "{",
    ".gitignore": ".infra\n",
}
MISTAKES = [
    (("drift", "--shard", "5/4"), "'5/4' is not a shard such as 2/4"),
    (("drift", "--budget", "soon"), "must be a duration such as 20m"),
    (("drift", "--action", "revert"), "Add --fix."),
    (("drift", "--last", "--fix"), "--last checks nothing."),
    (("drift", "--last", "--issues"), "--last checks nothing."),
    (("drift", "--all", "dev/app"), "--all and names exclude each other."),
    (("drift", "--env", "nowhere"), "There is no environment 'nowhere'."),
    (("drift", "dev/nothing"), "dev/nothing"),
    (("drift", "history", "dev/nothing"), "dev/nothing"),
    (("ci", "drift", "nowhere"), "There is no folder"),
    (("ci", "drift", "empty"), "There is no report of drift."),
    (("ci", "drift", "bad"), "drift-dev-1.json is not a report of drift"),
    (("ci", "drift", "other"), "its kind or its version is not known"),
    (("ci", "drift", "broken"), "drift-dev-1.json"),
    (("ci", "apply", "dev", "--drift", "all"), "'all' is no digest of drift."),
    (("ci", "apply", "dev", "prod", "--drift", DIGEST), "--drift belongs to one environment."),
    (("ci", "apply", "dev", "--drift", DIGEST, "--shard", "1/2"), "--drift goes with none of"),
]


@pytest.fixture
def infra(make_repo: MakeRepo) -> Infra:
    return Infra(make_repo(FILES).root, {"PATH": "/nowhere"})


@pytest.mark.parametrize(("argv", "message"), MISTAKES)
def test_a_mistake_is_reported_before_anything_is_done(
    infra: Infra, argv: tuple[str, ...], message: str
) -> None:
    ran = infra(*argv, code=3)
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert not (infra.root / ".infra" / "data").exists(), "no `init` was run"


def test_a_program_receives_errors_as_json(infra: Infra) -> None:
    document = infra("drift", "dev/nothing", "--json", code=3).document
    check_schema(document, "drift")
    assert (document["run"], document["stacks"], len(document["errors"])) == (None, [], 1)


def test_where_no_correction_left_a_report_there_is_nothing_to_report(infra: Infra) -> None:
    """The job that tells runs also after one that was cancelled before it began."""
    for folder in ("empty", "nowhere"):
        assert infra("ci", "drift", folder, "--remediated", code=0).out == "No remediation was tried.\n"


def test_what_was_never_checked_reports_it(infra: Infra) -> None:
    out = infra("drift", "--last", code=0).out
    assert out.count("never checked for drift") == 2
    assert out.count("never checked") == 4
    last = infra("drift", "--last", "--json", "--env", "dev", code=0).document
    check_schema(last, "drift-last")
    assert last["heartbeats"] == {"dev": None}
    history = infra("drift", "history", "--json", code=0).document
    check_schema(history, "drift-history")
    assert (history["figures"]["checked"], history["figures"]["mean_time"]) == (0, None)
    assert "2 stacks, 0 checked, 0 in drift now" in infra("drift", "history", code=0).out


def test_a_memory_that_cannot_be_read_is_an_error_with_advice(infra: Infra, tmp_path: Path) -> None:
    known = Infra(infra.root, {**infra.env, "XDG_STATE_HOME": str(tmp_path / "state")})
    folder = local_folder(infra.root, known.env)
    Folder(folder).write("dev/drift/stacks/app.json", b'{"version": 99, "stack": "dev/app"}')
    for argv in (("drift", "--last"), ("drift", "history")):
        assert "version 99" in known(*argv, code=1).err
    Folder(folder).write("dev/drift/heartbeat.json", b'{"version": 99}')
    (check,) = [check for check in known("doctor", "--json").document["checks"] if check["name"] == "drift"]
    assert (check["status"], "version 99" in check["message"]) == ("unseen", True)
