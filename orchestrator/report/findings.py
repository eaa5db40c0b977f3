"""The result of linting: what a renderer is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from orchestrator.errors import Exit
from orchestrator.project.documents import finding_document, told_document
from orchestrator.project.model import Finding


@dataclass(frozen=True)
class LintReport:
    """All findings in order. `accepted` are those that infra.yaml accepts, each with its reason.

    `tools` are the other linters that took part.
    """

    findings: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, str], ...] = ()
    tools: tuple[str, ...] = ()
    simulated: bool = False

    def exit_code(self, *, strict: bool) -> int:
        """1 when something is wrong; with `strict` warnings count too."""
        bad = {"error", "warning"} if strict else {"error"}
        return int(Exit.ERROR if any(one.severity in bad for one in self.findings) else Exit.OK)

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(one.severity == severity for one in self.findings)

    def document(self) -> dict[str, Any]:
        """The `--json` document except its version, which the writer adds."""
        return {
            "run": None,
            "stacks": [],
            "simulated": self.simulated,
            "tools": list(self.tools),
            "accepted": [{**finding_document(one), "reason": why} for one, why in self.accepted],
            **told_document(self.findings),
        }
