"""Which lines of a plan are about progress."""

from __future__ import annotations

import pytest

from orchestrator.terraform.plan_text import progress_text, without_progress

PROGRESS = (
    b"google_x.y: Refreshing state... [id=projects/p/x/y]\n"
    b"data.google_x.z: Reading...\n"
    b"data.google_x.z: Still reading... [10s elapsed]\n"
    b"data.google_x.z: Read complete after 0s [id=z]\n"
    b'module.m.google_x.w["a"]: Preparing import... [id=projects/p/x/w]\n'
)


@pytest.mark.parametrize(
    ("line", "text"),
    list(
        zip(
            PROGRESS.splitlines(),
            [
                "refreshing google_x.y",
                "reading data.google_x.z",
                "still reading data.google_x.z",
                None,
                'importing module.m.google_x.w["a"]',
            ],
            strict=True,
        )
    ),
)
def test_a_line_of_progress_names_the_action_and_the_resource(line: bytes, text: str | None) -> None:
    assert progress_text(line) == text


def test_progress_before_the_diff_is_left_out_and_nothing_after_it() -> None:
    diff = b"Terraform will perform the following actions:\n  # google_x.y: Reading... is a comment\n"
    assert without_progress(PROGRESS + b"\n" + diff) == diff


def test_no_line_of_a_value_is_progress() -> None:
    """Progress is shown at once, the diff only when the plan's JSON has said what is sensitive."""
    diff = b"Changes to Outputs:\n  + x = <<-EOT\n        the-secret: Reading...\n    EOT\n"
    assert [progress_text(line) for line in diff.splitlines()] == [None] * 4
    assert without_progress(PROGRESS + diff) == diff
