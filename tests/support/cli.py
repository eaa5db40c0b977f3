"""`infra` run inside the test's own process, with streams and an environment that the test gives."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.cli.app import App
from orchestrator.cli.main import run


@dataclass(frozen=True)
class InfraResult:
    """What came of one `infra` command."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The `--json` document, which must be all there is on standard output."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def results(self) -> dict[str, str]:
        """Stack id → result, from the `--json` document."""
        return {stack["id"]: stack["result"] for stack in self.document["stacks"]}

    def stack(self, name: str) -> dict[str, Any]:
        """One stack's entry of the `--json` document."""
        return next(stack for stack in self.document["stacks"] if stack["id"] == name)


@dataclass(frozen=True)
class Infra:
    """`infra` in a folder."""

    root: Path
    env: Mapping[str, str]

    def __call__(self, *argv: str, code: int | None = None) -> InfraResult:
        """Run it off a terminal; with `code` the exit code must be that."""
        out, err = io.StringIO(), io.StringIO()
        exit_code = run(argv, App({**os.environ, **self.env}, io.StringIO(), out, err, str(self.root)))
        ran = InfraResult(exit_code, out.getvalue(), err.getvalue())
        if code is not None:
            assert exit_code == code, f"infra {' '.join(argv)}: exit {exit_code}\n{ran.out}\n{ran.err}"
        return ran
