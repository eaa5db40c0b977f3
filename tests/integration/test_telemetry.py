"""What a collector gets of a real apply."""

from __future__ import annotations

import pytest

from orchestrator.telemetry.settings import ENDPOINT
from orchestrator.telemetry.spans import TraceParent
from tests.support.cli import Infra
from tests.support.collector import Collector, attributes_of, wait_for_senders
from tests.support.recorded_stack import UPSTREAM, RecordedProject

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
SECRET = "".join(("hunter", "2-", "x" * 20))


def test_an_apply_is_a_trace_and_its_record_names_it(
    recorded: RecordedProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = UPSTREAM.replace(
        'resource "terraform_data" "x" {',
        f'variable "password" {{\n  default = "{SECRET}"\n}}\n'
        'resource "terraform_data" "x" {\n  for_each = toset([var.password])',
    ).replace("terraform_data.x.output", 'keys(terraform_data.x)[0] == "" ? "" : "one"')
    recorded.repo.commit({"infra/envs/dev/net/main.tf": code}, "A secret in an address")
    with Collector() as collector:
        monkeypatch.setenv(ENDPOINT, collector.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        more = {ENDPOINT: collector.url, "TRACEPARENT": PARENT}
        infra = Infra(recorded.repo.root, {**recorded.infra.env, **more})
        ran = infra("apply", "dev/net", "--auto-approve", "--json", code=0)
        wait_for_senders()
    spans = collector.spans
    run, stack, apply = (spans[name] for name in ("RUN infra apply", "dev/net", "terraform apply"))
    assert run.trace_id.hex() == PARENT.split("-")[1]
    assert attributes_of(run)["cicd.pipeline.result"] == "success"
    assert attributes_of(stack)["infra.stack.result"] == "applied"
    assert {"terraform init", "terraform plan", "policy"} <= spans.keys()
    assert spans["policy"].parent_span_id == stack.span_id
    created = spans["create terraform_data"]
    assert created.parent_span_id == apply.span_id
    assert apply.start_time_unix_nano <= created.start_time_unix_nano <= apply.end_time_unix_nano
    assert [line.body.string_value for line in collector.logs] == ["dev/net: applied"]
    assert SECRET not in str(collector.requests)
    record = recorded.ledger("dev/net").run(ran.document["run"]["id"])
    assert record is not None
    parent = TraceParent.parse(record.traceparent)
    assert parent is not None
    assert parent.span_id == run.span_id.hex()
