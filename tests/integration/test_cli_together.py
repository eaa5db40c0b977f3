"""apply and the ledger: what is written, who waits for whom, what goes over what, who may."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

import pytest

from orchestrator.sandbox.faults import HttpFault
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.recorded_stack import CONFIG, UPSTREAM, RecordedProject
from tests.support.repo import Repo
from tests.support.schemas import check_schema

GO = ("--auto-approve", "--confirm", "dev", "--confirm", "prod")
NET = "infra/envs/dev/net/main.tf"


@pytest.mark.applied
def test_an_apply_is_remembered(recorded: RecordedProject) -> None:
    entry = recorded.ledger("dev/app").entry("dev/app")
    assert entry
    assert (entry.result, entry.commit, entry.subject) == ("applied", recorded.repo.head, "First")
    assert entry.operation is None
    assert entry.from_trunk
    assert entry.serial
    assert list(entry.upstreams) == ["dev/net"]
    (run,) = recorded.ledger("dev/app").runs()
    assert {id_: stack.result for id_, stack in run.stacks.items()} == {
        "dev/app": "applied",
        "dev/net": "applied",
    }


@pytest.mark.applied("dev/net")
def test_what_failed_is_remembered_with_what_was_tried(recorded: RecordedProject) -> None:
    good = recorded.repo.head
    fails = 'resource "terraform_data" "z" {\n  input = file(terraform_data.x.output)\n}\n'
    tried = recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"/nowhere"') + fails})
    ran = recorded.infra("apply", "dev/net", *GO, "--json", code=7)
    assert ran.results == {"dev/net": "failed"}
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert (entry.result, entry.commit, entry.attempted) == ("failed", good, tried)


@pytest.mark.applied("dev/net")
def test_a_part_of_the_code_does_not_count_as_all_of_it(recorded: RecordedProject) -> None:
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    recorded.infra("apply", "dev/net", "--target", "terraform_data.x", *GO, code=0)
    ran = recorded.infra("plan", "dev", "--pending", "--json", code=0)
    assert "dev/net" in ran.results


def test_another_run_at_work_is_reported(recorded: RecordedProject) -> None:
    recorded.at_work("dev/net")
    ran = recorded.infra("apply", "dev/net", *GO, "--json", code=6)
    assert ran.results == {"dev/net": "locked"}
    assert "bo runs apply R-other from elsewhere since" in ran.stack("dev/net")["reason"]
    assert "--wait" in ran.stack("dev/net")["advice"]


@pytest.mark.applied("dev/net")
def test_another_run_is_waited_for(recorded: RecordedProject) -> None:
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    entry = recorded.at_work("dev/net")
    ledger = recorded.ledger("dev/net")

    def looks() -> int:
        return sum(
            "ledger" in entry.path and "net" in entry.path for entry in recorded.server.requests.entries
        )

    begun = looks()

    def end() -> None:
        """End once the run that waits has looked a second time."""
        limit = time.monotonic() + 30
        while looks() < begun + 2 and time.monotonic() < limit:
            time.sleep(0.02)
        ledger.finish(replace(entry, result="applied"))

    other = threading.Thread(target=end)
    other.start()
    ran = recorded.infra("apply", "dev/net", "--wait", "30s", *GO, "--json", code=0)
    other.join()
    assert ran.results == {"dev/net": "applied"}
    assert looks() >= begun + 3


def test_a_run_that_was_cut_off_stands_in_the_way(recorded: RecordedProject) -> None:
    recorded.at_work("dev/net", host=_this_machine(), pid=2**22 - 1)
    ran = recorded.infra("apply", "dev/net", *GO, "--json", code=7)
    assert "was interrupted" in ran.stack("dev/net")["reason"]
    assert "infra resume dev/net" in ran.stack("dev/net")["advice"]


def test_an_older_commit_does_not_go_over_a_newer_one(recorded: RecordedProject) -> None:
    old = recorded.repo.head
    new = recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    recorded.apply("dev/net")
    recorded.repo.git("switch", "-q", "--detach", old)
    ran = recorded.infra("apply", "dev/net", *GO, "--json", code=0)
    assert ran.results == {"dev/net": "skipped"}
    assert ran.stack("dev/net")["reason"] == f"superseded by {new[:10]}"
    assert recorded.ledger("dev/net").entry("dev/net").commit == new  # type: ignore[union-attr]


@pytest.mark.applied
def test_two_runs_that_cross_at_the_gate(recorded: RecordedProject) -> None:
    """The older one planned first and waited for its approval; the newer one went ahead."""
    older = recorded.repo.commit({"infra/envs/prod/net/main.tf": UPSTREAM.replace('"one"', '"two"')})
    recorded.infra("plan", "prod", "--out", "../plans", code=0)
    newer = recorded.repo.commit({"infra/envs/prod/net/main.tf": UPSTREAM.replace('"one"', '"three"')})
    recorded.apply("prod")
    recorded.repo.git("switch", "-q", "--detach", older)
    ran = recorded.infra("apply", "--plan", "../plans", *GO, "--json")
    assert ran.code == 5, ran.out + ran.err
    assert recorded.ledger("prod/net").entry("prod/net").commit == newer  # type: ignore[union-attr]
    assert recorded.infra("output", "prod/net", "x", "--json", code=0).out.count("three")


def test_a_trunk_that_was_pushed_by_force_needs_a_word(recorded: RecordedProject) -> None:
    commit = recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    recorded.apply("dev/net")
    recorded.repo.git("reset", "-q", "--hard", "HEAD~1")
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"three"')})
    assert recorded.infra("apply", "dev/net", *GO, "--json", code=0).results == {"dev/net": "skipped"}
    ran = recorded.infra("apply", "dev/net", "--supersede", commit[:10], *GO, "--json", code=0)
    assert ran.results == {"dev/net": "applied"}


def test_where_only_ci_applies(recorded: RecordedProject) -> None:
    recorded.repo.commit({"infra.yaml": CONFIG + "environments: {dev: {}, prod: {apply: ci}}\n"})
    refused = recorded.infra("apply", "prod", *GO, code=4)
    assert "Only CI applies to prod." in refused.err
    assert "--break-glass" in refused.err
    assert recorded.infra("plan", "prod", "--json", code=0).results == {"prod/net": "changed"}
    assert recorded.server.store.list_objects("states").items == []
    recorded.infra("apply", "prod", "--break-glass", "the site is down", *GO, code=0)
    entry = recorded.ledger("prod/net").entry("prod/net")
    assert entry
    assert entry.break_glass == "the site is down"
    (run,) = recorded.ledger("prod/net").runs()
    assert run.break_glass == "the site is down"
    ci = Infra(recorded.repo.root, {**recorded.infra.env, "CI": "true", "GITHUB_ACTOR": "bot"})
    assert ci("apply", "--pending", "--auto-approve", "--confirm", "prod", "--confirm", "dev", code=0)
    entry = recorded.ledger("prod/net").entry("prod/net")
    assert entry
    assert entry.break_glass is None


@pytest.mark.applied("dev/net")
def test_a_lock_that_was_gone_when_terraform_looked_is_tried_again(recorded: RecordedProject) -> None:
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    recorded.server.faults.add(HttpFault(method="POST", path="*.tflock", status=412, count=2))
    ran = recorded.infra("apply", "dev/net", *GO, "--json", code=0)
    assert ran.results == {"dev/net": "applied"}
    assert recorded.server.faults.report()[0]["struck"] == 2


def test_a_read_only_account_is_reported_and_writes_nothing(recorded: RecordedProject) -> None:
    reader = recorded.reader()
    assert reader("plan", "--all", "--json", code=0).results["dev/net"] == "changed"
    assert reader("plan", "--pending", "--json", code=0).results["dev/app"] == "waiting"
    ran = reader("apply", "dev/net", *GO, "--json", code=1)
    assert "refused" in ran.stack("dev/net")["reason"]
    assert recorded.server.store.list_objects("states").items == []


def test_in_ci_the_journal_goes_to_the_bucket_without_values(recorded: RecordedProject) -> None:
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"hush-hush"')})
    ci = Infra(recorded.repo.root, {**recorded.infra.env, "GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "bot"})
    ci("apply", "dev/net", *GO, code=0)
    ledger = recorded.ledger("dev/net")
    (run,) = ledger.runs()
    lines = [json.loads(line) for line in ledger.journal(run.id, "dev/net")]
    assert [line["type"] for line in lines] == ["planned_resource", "apply_start", "apply_complete"]
    assert "hush" not in json.dumps(lines)
    assert run.trigger == "ci"
    assert run.person == "bot"


def _this_machine() -> str:
    from orchestrator.engine.ledgers import this_machine

    return this_machine()


def catch_up(repo: Repo, infra: Infra) -> dict[str, str]:
    """What is owed, by a plan."""
    return infra("plan", "--pending", "--json", code=0).results


def test_what_is_pending_is_caught_up_whatever_was_pushed(recorded: RecordedProject) -> None:
    assert set(catch_up(recorded.repo, recorded.infra)) == {"dev/app", "dev/net", "prod/net"}
    recorded.apply()
    assert catch_up(recorded.repo, recorded.infra) == {}
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    recorded.repo.commit({"README.md": "Only words.\n"})
    infra = recorded.infra("plan", "--pending", "--json", code=0)
    assert infra.results == {"dev/net": "changed", "dev/app": "unchanged"}
    recorded.infra("apply", "--pending", *GO, code=0)
    assert catch_up(recorded.repo, recorded.infra) == {}


@pytest.mark.applied
def test_a_reader_whose_upstream_moved_without_it_is_pending(recorded: RecordedProject) -> None:
    recorded.repo.commit({NET: UPSTREAM.replace('"one"', '"two"')})
    recorded.apply("dev/net")
    ran = recorded.infra("plan", "--pending", code=0)
    assert "dev/app: outputs of dev/net have changed since." in ran.err
    assert "dev/net:" not in ran.err.split("reading")[0]
    recorded.infra("apply", "--pending", *GO, code=0)
    assert catch_up(recorded.repo, recorded.infra) == {}


@pytest.mark.applied
def test_adopt_records_what_is_there(recorded: RecordedProject) -> None:
    for name in list(recorded.server.store.list_objects("states").items):
        if "/ledger/" in name["name"]:
            recorded.server.store.delete_object("states", name["name"])
    recorded.repo.commit({"infra/envs/prod/net/main.tf": UPSTREAM.replace('"one"', '"two"')})
    assert len(catch_up(recorded.repo, recorded.infra)) == 3
    dry = recorded.infra("adopt", "--all", "--dry-run", code=0)
    assert "Would be adopted: 2 (dev/app, dev/net)" in dry.out
    assert "Has changes: 1 (prod/net)" in dry.out
    assert len(catch_up(recorded.repo, recorded.infra)) == 3
    ran = recorded.infra("adopt", "--all", "--json", code=4)
    assert ran.results == {"dev/app": "unchanged", "dev/net": "unchanged", "prod/net": "blocked"}
    check_schema(ran.document, "adopt")
    assert ran.document["unmanaged"] == {"roots": [], "states": [], "unlisted_buckets": []}
    assert list(catch_up(recorded.repo, recorded.infra)) == ["prod/net"]
    entry = recorded.ledger("dev/app").entry("dev/app")
    assert entry
    assert entry.result == "adopted"
    assert entry.upstreams


@pytest.mark.applied
def test_an_empty_plan_moves_the_ledger_on(recorded: RecordedProject) -> None:
    new = recorded.repo.commit({NET: UPSTREAM + "# A comment.\n"})
    assert catch_up(recorded.repo, recorded.infra) == {"dev/net": "unchanged"}
    assert recorded.infra("apply", "--pending", "--json", code=0).results == {"dev/net": "unchanged"}
    entry = recorded.ledger("dev/net").entry("dev/net")
    assert entry
    assert (entry.commit, entry.result) == (new, "unchanged")
    assert catch_up(recorded.repo, recorded.infra) == {}


def test_stacks_are_left_out_by_glob_and_chosen_by_tag(make_repo: MakeRepo) -> None:
    names = ("dev/net", "dev/app", "prod/net", "prod/app")
    files = {f"infra/envs/{name}/main.tf": 'variable "size" { default = "s" }\n' for name in names}
    tags = "tags: {network: ['*/net'], none: ['x/*']}\n"
    infra = Infra(
        make_repo(files | {"infra.yaml": f"environments: {{dev: {{}}, prod: {{}}}}\n{tags}"}).root, {}
    )
    chosen = infra("plan", "--all", "--tag", "network", "--exclude", "prod", "--json", code=0)
    assert list(chosen.results) == ["dev/net"]
    assert "leave none of 4 stacks" in infra("plan", "--all", "--tag", "none", code=3).err
    assert "leave none of 4 stacks" in infra("plan", "--all", "--exclude", "**", code=3).err
    assert "There are: network, none" in infra("plan", "--all", "--tag", "nothing", code=3).err
    assert "no variable file" in infra("plan", "--all", "--var-file", "nothing.tfvars", code=3).err


def test_a_variable_file_of_the_command_line_counts_and_its_secrets_are_hidden(make_repo: MakeRepo) -> None:
    main = """\
variable "size" { default = "s" }
variable "token" { default = "none" }
resource "terraform_data" "x" { input = [var.size, var.token] }
"""
    infra = Infra(
        make_repo({"infra/envs/dev/app/main.tf": main, "infra.yaml": "environments: {dev: {}}\n"}).root, {}
    )
    (infra.root / "mine.tfvars").write_text('size  = "from-file"\ntoken = "hunter2-from-file"\n')
    ran = infra("plan", "dev/app", "--var-file", "mine.tfvars", code=0)
    assert "from-file" in ran.out
    assert "hunter2" not in ran.out + ran.err
    quiet = infra("plan", "dev/app", "-q", code=0)
    assert quiet.err == ""
    assert quiet.out.strip().count("\n") == 0
