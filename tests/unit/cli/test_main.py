"""The entry point."""

from __future__ import annotations

import pytest

from orchestrator.cli.main import forget_relative_folders


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"PATH": ":/usr/bin:.:bin::/bin:"}, {"PATH": "/usr/bin:/bin"}),
        ({"PATH": "/usr/bin"}, {"PATH": "/usr/bin"}),
        ({"HOME": "/home/x"}, {"HOME": "/home/x"}),
    ],
)
def test_path_loses_folders_that_depend_on_where_we_are(
    environ: dict[str, str], expected: dict[str, str]
) -> None:
    """The working directory is a checkout: a `git` in it would run."""
    forget_relative_folders(environ)
    assert environ == expected
