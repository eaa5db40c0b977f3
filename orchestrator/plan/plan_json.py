"""Plan JSON, read by Terraform or without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.errors import PlanFileError
from orchestrator.jsontext import read_json

FORMAT_MAJOR = "1"


@dataclass(frozen=True)
class PlanJson:
    """`parts` are what infra itself reads of plan JSON; `show` gives all of it, as Terraform prints it.

    Both hold sensitive values in clear.
    """

    parts: Mapping[str, Any]
    show: Callable[[], bytes]

    @classmethod
    def of(cls, show_json: bytes) -> PlanJson:
        """What `terraform show -json PLAN` printed; PlanFileError when it is no plan."""
        return cls(parse_plan_json(show_json), lambda: show_json)

    def whole(self) -> Mapping[str, Any]:
        """All of plan JSON."""
        return parse_plan_json(self.show())


def parse_plan_json(show_json: bytes | str) -> dict[str, Any]:
    """Plan JSON as a mapping; PlanFileError when it is none, or of a format not known here."""
    try:
        document = read_json(show_json)
    except ValueError as error:
        raise PlanFileError(
            "Terraform's description of the plan is not JSON.",
            advice="Make the plan again; when that does not help, look at `infra --debug plan`.",
        ) from error
    if not isinstance(document, dict):
        document = {}
    version = document.get("format_version")
    if not isinstance(version, str):
        raise PlanFileError(
            "This is not the description of a plan: it names no format version.",
            advice="Give a file that `terraform plan -out` wrote.",
        )
    if version.partition(".")[0] != FORMAT_MAJOR:
        raise PlanFileError(
            f"The plan's description has format {version}; format {FORMAT_MAJOR}.x is known here.",
            advice="It comes from a newer Terraform: use a newer infra, or an older Terraform.",
        )
    if "resource_changes" not in document and "values" in document:
        raise PlanFileError("This is a state, not a plan.", advice="Give a file that `plan -out` wrote.")
    return document
