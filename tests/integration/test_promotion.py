"""Checks and soak between two environments, with real answers, programs and states."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orchestrator.config.checks import HttpCheck
from orchestrator.errors import InterruptedRunError
from orchestrator.project import load
from orchestrator.run.ports import Silent
from orchestrator.run.promotion import Checked, Promotion, failed_blocks, probe
from orchestrator.run.session import Session, open_session
from orchestrator.state.records import Entry
from tests.conftest import MakeRepo
from tests.support.cli import Infra

LOCAL = 'terraform {\n  backend "local" {}\n}\n'
BLOCKS = """
resource "terraform_data" "x" {
  input = "one"
}
check "is_two" {
  assert {
    condition     = terraform_data.x.output == "two"
    error_message = "it is ${terraform_data.x.output}, password=hunter2hunter2"
  }
}
check "is_text" {
  assert {
    condition     = terraform_data.x.output != null
    error_message = "never"
  }
}
"""


@contextmanager
def answering(*answers: tuple[int, str]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer after the other, the last one for ever; its address, what was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[min(len(asked), len(answers) - 1)]
            asked.append(self.path)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/health", asked
        finally:
            server.shutdown()
            thread.join()


class Clock:
    """A time that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def opened(root: Path) -> Session:
    return open_session(load(root), dict(os.environ), Silent())


def promotion(root: Path, environment: str = "dev") -> tuple[Promotion, Clock]:
    clock = Clock()
    return Promotion(opened(root), environment, clock=clock, sleep=clock.sleep), clock


@pytest.mark.parametrize(
    ("answer", "more", "words"),
    [
        ((200, "all is well"), {}, ""),
        ((200, "all is well"), {"contains": "well"}, ""),
        ((200, "all is bad"), {"contains": "well"}, "its answer does not hold 'well'"),
        ((503, "down"), {}, "answered 503, not 200"),
        ((503, "down"), {"status": 503}, ""),
        ((302, ""), {}, "answered 302, not 200"),
        ((302, ""), {"status": 302}, ""),
    ],
)
def test_an_answer_is_judged(answer: tuple[int, str], more: dict[str, object], words: str) -> None:
    with answering(answer) as (url, asked):
        assert probe(HttpCheck("c", url, **more)) == words  # type: ignore[arg-type]
        assert asked == ["/health"]


def test_nobody_answers() -> None:
    with answering((200, "")) as (url, _):
        pass
    assert probe(HttpCheck("c", url)).startswith("no answer: ")


def test_a_wrong_answer_is_asked_for_again(make_repo: MakeRepo) -> None:
    with answering((500, ""), (500, ""), (200, "")) as (url, asked):
        config = f'environments: {{dev: {{checks: [{{name: shop, http: "{url}", retries: 2, every: 30s}}]}}}}'
        repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL})
        looked, clock = promotion(repo.root)
        assert looked.check(()) == (Checked("shop", ok=True),)
        assert (len(asked), clock.now) == (3, 60.0)


def test_retries_come_to_an_end(make_repo: MakeRepo) -> None:
    with answering((500, "")) as (url, asked):
        config = f'environments: {{dev: {{checks: [{{http: "{url}", retries: 1, every: 1s}}]}}}}'
        repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL})
        (found,) = promotion(repo.root)[0].check(())
        assert (found.ok, found.words, len(asked)) == (False, "answered 500, not 200", 2)


@pytest.mark.parametrize(
    ("argv", "ok", "words"),
    [
        ('[sh, -c, "test $INFRA_ENVIRONMENT = dev && test -f infra.yaml"]', True, ""),
        ('[sh, -c, "echo fine; echo it is broken >&2; exit 3"]', False, "exit code 3: it is broken"),
        ('[sh, -c, "echo password=hunter2hunter2; exit 1"]', False, "exit code 1: password="),
        ("[no-such-program]", False, "no-such-program"),
        ('[sh, -c, "exec sleep 20"]', False, "it did not end in 0.3 s"),
    ],
)
def test_a_program_is_judged_by_its_exit_code(make_repo: MakeRepo, argv: str, ok: bool, words: str) -> None:
    config = f"environments: {{dev: {{checks: [{{name: smoke, command: {argv}, timeout: 0.3s}}]}}}}"
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL})
    (found,) = promotion(repo.root)[0].check(())
    assert (found.name, found.ok) == ("smoke", ok)
    assert words in found.words
    assert "hunter2" not in found.words


def test_terraforms_check_blocks_are_read_from_the_state(make_repo: MakeRepo) -> None:
    config = "environments: {dev: {checks: [{terraform: true}]}, prod: {}}"
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL + BLOCKS})
    Infra(repo.root, {})("apply", "dev", "--auto-approve", "--confirm", "dev", code=0)
    looked, _ = promotion(repo.root)
    (found,) = looked.check(["dev/a"])
    assert not found.ok
    assert found.words.startswith("dev/a: check.is_two: it is one, password=")
    assert "hunter2" not in found.words
    assert "is_text" not in found.words
    # What this run did not touch is not looked at.
    assert looked.check(()) == (Checked("Terraform's check blocks", ok=True),)


def test_a_block_that_could_not_be_evaluated_does_not_pass() -> None:
    state = {
        "check_results": [
            {"object_kind": "check", "config_addr": "check.a", "status": "error", "objects": None},
            {"object_kind": "check", "config_addr": "check.b", "status": "unknown", "objects": None},
            {"object_kind": "resource", "config_addr": "x.y", "status": "fail", "objects": None},
        ]
    }
    assert failed_blocks(state) == ["check.a: it could not be evaluated"]
    assert failed_blocks({}) == []


def soaking(make_repo: MakeRepo, checks: str = "[]", *, age: float) -> tuple[Promotion, Clock]:
    """dev soaks for ten minutes, and was applied `age` seconds ago."""
    config = f"environments: {{dev: {{soak: 10m, checks: {checks}}}, prod: {{}}}}"
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL})
    looked, clock = promotion(repo.root)
    stack = looked.session.project.stacks["dev/a"]
    ledger = looked.session.ledgers.of(stack)
    at = datetime.now(UTC) - timedelta(seconds=age)
    entry = Entry("dev/a", result="applied", applied_at=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    ledger._write(entry, "0")
    return looked, clock


@pytest.mark.parametrize(("age", "left"), [(0, 600), (450, 150), (700, 0)])
def test_it_soaks_since_the_newest_apply(make_repo: MakeRepo, age: float, left: float) -> None:
    looked, clock = soaking(make_repo, age=age)
    assert looked.soak_left() == pytest.approx(left, abs=5)
    assert looked.soak() == ()
    assert clock.now == pytest.approx(left, abs=5)


def test_what_fails_while_it_soaks_ends_the_wait(make_repo: MakeRepo) -> None:
    with answering((200, ""), (200, ""), (500, "")) as (url, asked):
        looked, clock = soaking(make_repo, f'[{{http: "{url}", retries: 0}}]', age=0)
        (failed,) = looked.soak()
        assert failed.words == "answered 500, not 200"
        assert (len(asked), clock.now) == (3, 180.0)


def test_an_environment_that_was_never_applied_does_not_soak(make_repo: MakeRepo) -> None:
    config = "environments: {dev: {soak: 10m}, prod: {}}"
    repo = make_repo({"infra.yaml": config, "infra/envs/dev/a/main.tf": LOCAL})
    assert promotion(repo.root)[0].soak_left() == 0


def test_an_interrupt_ends_the_soak(make_repo: MakeRepo) -> None:
    looked, clock = soaking(make_repo, age=0)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        looked.session.supervisor.interrupt()

    with pytest.raises(InterruptedRunError):
        replace(looked, sleep=sleep).soak()
    assert clock.now < 5
