"""Failed commands, as the errors that users meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import InterruptedRunError, LockedError, ProcessError, TerraformError
from orchestrator.process import Completed
from orchestrator.terraform.failures import command_error, end_diagnostics
from tests.unit.terraform.test_journal import LOCKED


def ended(**facts: Any) -> Completed:
    return Completed(
        **{"argv": ("tf",), "returncode": 1, "stdout": b"", "stderr": b"", "seconds": 1.0, **facts}
    )


@pytest.mark.parametrize(
    ("done", "error", "output"),
    [
        (ended(ended="interrupted"), InterruptedRunError, "was interrupted"),
        (ended(ended="deadline"), ProcessError, r"in time: 20 seconds"),
        (ended(ended="deadline", phase=b"Releasing"), ProcessError, "it hung at “Releasing”"),
        (ended(stderr=LOCKED.encode()), LockedError, "locked by ada@laptop since"),
        (ended(stderr=b"Error: No\n"), TerraformError, "^No$"),
        (ended(stdout=b"Usage: terraform\n"), TerraformError, "^Usage: terraform$"),
        (
            ended(stderr=b"Error: No\n\nwrite x: no space left on device\n"),
            TerraformError,
            "^The disk is full: No$",
        ),
        (ended(stderr=b"Error: a\xff\n"), TerraformError, "^a\ufffd$"),
    ],
)
def test_failures(done: Completed, error: type[Exception], output: str) -> None:
    raised = command_error("plan of dev/a", Path("/r"), 20, done, stack="dev/a")
    assert type(raised) is error
    with pytest.raises(error, match=output):
        raise raised
    assert raised.advice or error is InterruptedRunError


@pytest.mark.parametrize(
    ("done", "summary"),
    [
        (ended(stderr=b"Error: Failed to load plan\n\nmore"), "Failed to load plan"),
        (ended(returncode=-9), "Terraform ended by signal 9 and did not say why"),
        (ended(returncode=11), "Terraform ended by exit code 11 and did not say why"),
        (ended(returncode=-9, ended="deadline"), "Terraform was stopped at its deadline"),
    ],
)
def test_an_apply_without_words_still_has_a_reason(done: Completed, summary: str) -> None:
    assert end_diagnostics(done)[0].summary == summary
