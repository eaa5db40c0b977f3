"""The checks of an environment, with real answers and real programs."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from orchestrator.config.checks import Check, CommandCheck, HttpCheck
from orchestrator.engine.checks import CheckOutcome, CheckRunner, failed_blocks, probe
from orchestrator.errors import InterruptedRunError
from orchestrator.process import Supervisor
from tests.support.clocks import SleepingClock


@contextmanager
def answering(*answers: tuple[int, str]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives one answer after the other, the last one for ever; its address, what was asked."""
    requested_paths: list[str] = []

    class HealthHandler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[min(len(requested_paths), len(answers) - 1)]
            requested_paths.append(self.path)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), HealthHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/health", requested_paths
        finally:
            server.shutdown()
            thread.join()


def runner(root: Path, *checks: Check) -> tuple[CheckRunner, SleepingClock]:
    """A runner at a time of its own, which hides the word hunter2."""
    clock = SleepingClock()
    env = {"PATH": os.environ["PATH"], "INFRA_ENVIRONMENT": "dev"}
    check_runner = CheckRunner(
        environment="dev",
        checks=checks,
        root=root,
        env=env,
        supervisor=Supervisor(),
        mask=lambda text: text.replace("hunter2", "***"),
        state=lambda stack: None,
        clock=clock,
        sleep=clock.sleep,
    )
    return check_runner, clock


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
def test_an_answer_is_checked(answer: tuple[int, str], more: dict[str, object], words: str) -> None:
    with answering(answer) as (url, requested_paths):
        assert probe(HttpCheck("c", url, **more)) == words  # type: ignore[arg-type]
        assert requested_paths == ["/health"]


def test_nobody_answers() -> None:
    with answering((200, "")) as (url, _):
        pass
    assert probe(HttpCheck("c", url)).startswith("no answer: ")


def test_a_wrong_answer_is_requested_again(tmp_path: Path) -> None:
    with answering((500, ""), (500, ""), (200, "")) as (url, requested_paths):
        checks, clock = runner(tmp_path, HttpCheck("shop", url, retries=2, every=30))
        assert checks.run(()) == (CheckOutcome("shop", ok=True),)
        assert (len(requested_paths), clock.now) == (3, 60.0)


def test_retries_come_to_an_end(tmp_path: Path) -> None:
    with answering((500, "")) as (url, requested_paths):
        checks, _ = runner(tmp_path, HttpCheck("shop", url, retries=1, every=1))
        (outcome,) = checks.run(())
        assert (outcome.ok, outcome.message, len(requested_paths)) == (False, "answered 500, not 200", 2)


@pytest.mark.parametrize(
    ("argv", "ok", "message"),
    [
        (["sh", "-c", "test $INFRA_ENVIRONMENT = dev && test -d ."], True, ""),
        (["sh", "-c", "echo fine; echo it is broken >&2; exit 3"], False, "exit code 3: it is broken"),
        (["sh", "-c", "echo it is hunter2; exit 1"], False, "exit code 1: it is ***"),
        (["no-such-program"], False, "no-such-program"),
        (["sh", "-c", "exec sleep 20"], False, "it did not end in 0.3 s"),
    ],
)
def test_a_program_is_checked_by_its_exit_code(
    tmp_path: Path, argv: Sequence[str], ok: bool, message: str
) -> None:
    checks, _ = runner(
        tmp_path, CommandCheck("smoke", tuple(argv), timeout=0.3 if "sleep" in argv[-1] else 20)
    )
    (outcome,) = checks.run(())
    assert (outcome.name, outcome.ok) == ("smoke", ok)
    assert message in outcome.message


def test_what_fails_while_it_soaks_ends_the_wait(tmp_path: Path) -> None:
    with answering((200, ""), (200, ""), (500, "")) as (url, requested_paths):
        checks, clock = runner(tmp_path, HttpCheck("shop", url, retries=0))
        (failed,) = checks.soak(600)
        assert failed.message == "answered 500, not 200"
        assert (len(requested_paths), clock.now) == (3, 180.0)


def test_an_interrupt_ends_the_soak(tmp_path: Path) -> None:
    checks, clock = runner(tmp_path)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        checks.supervisor.interrupt()

    with pytest.raises(InterruptedRunError):
        replace(checks, sleep=sleep).soak(600)
    assert clock.now < 5


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
