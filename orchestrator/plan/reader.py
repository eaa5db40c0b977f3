"""Plan JSON → `Plan`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from orchestrator.errors import PlanFileError
from orchestrator.jsontext import MALFORMED
from orchestrator.masking import Masker, SecretSet
from orchestrator.plan.addresses import mask_addresses
from orchestrator.plan.attributes import changed_attributes, join_parts, mask_secrets, newly_marked
from orchestrator.plan.model import AttributeChange, CheckBlock, OutputChange, Plan, ResourceChange
from orchestrator.plan.plan_json import parse_plan_json


def read_plan(show_json: bytes | str, masker: Masker) -> Plan:
    """The plan that `show -json` printed, masked.

    PlanFileError when it is no plan, or of a format that this version does not know.
    """
    with documented_errors():
        return _plan(parse_plan_json(show_json), masker)


def read_plan_parts(parts: Mapping[str, Any], masker: Masker) -> Plan:
    """The same from the parts of plan JSON that infra reads, in whichever way they were read."""
    with documented_errors():
        return _plan(parts, masker)


@contextmanager
def documented_errors() -> Iterator[None]:
    """Plan JSON is read: what does not have the documented form is a PlanFileError."""
    try:
        yield
    except MALFORMED as error:
        raise PlanFileError(
            f"Terraform's description of the plan is not as documented ({type(error).__name__}).",
            advice="Make the plan again; when that does not help, report what `infra --debug plan` prints.",
        ) from error


def _plan(document: Mapping[str, Any], masker: Masker) -> Plan:
    secrets = masker.secrets_of(document)
    addresses = mask_addresses(document, masker)
    reader = _PlanReader(masker, secrets, addresses)
    outputs = {
        name: reader.output(name, output_change)
        for name, output_change in (document.get("output_changes") or {}).items()
    }
    errored = bool(document.get("errored", False))
    return Plan(
        terraform_version=str(document.get("terraform_version", "")),
        format_version=document["format_version"],
        changes=tuple(map(reader.change, document.get("resource_changes") or ())),
        drift=tuple(map(reader.change, document.get("resource_drift") or ())),
        outputs=dict(sorted(outputs.items())),
        checks=tuple(map(reader.check, document.get("checks") or ())),
        errored=errored,
        invocations=len(document.get("action_invocations") or ()),
        is_deferred=bool(document.get("deferred_changes")),
        applyable=bool(document.get("applyable", not errored)),
        complete=bool(document.get("complete", not errored)),
        addresses=addresses,
        secrets=secrets,
        masker=masker,
    )


class _PlanReader:
    """Turns the parts of plan JSON into the model, masking on the way."""

    def __init__(self, masker: Masker, secrets: SecretSet, addresses: Mapping[str, str]) -> None:
        self.masker = masker
        self.addresses = addresses
        self.secrets = secrets
        self.walker = masker.walker()

    def masked(self, change: Mapping[str, Any], side: str, path: tuple[str, ...]) -> Any:
        value = self.walker.walk(change.get(side), change.get(f"{side}_sensitive"), path)
        return mask_secrets(value, self.secrets)

    def change(self, raw: Mapping[str, Any]) -> ResourceChange:
        change = raw.get("change") or {}
        address = str(raw.get("address", ""))
        actions = tuple(change.get("actions") or ("no-op",))
        importing = change.get("importing")
        identity = importing.get("id") or json.dumps(importing.get("identity")) if importing else None
        previous: str | None = raw.get("previous_address")
        return ResourceChange(
            address=self.addresses.get(address, address),
            actions=actions,
            type=str(raw.get("type", "")),
            mode=str(raw.get("mode", "managed")),
            provider=str(raw.get("provider_name", "")),
            previous_address=self.addresses.get(previous, previous) if previous else None,
            action_reason=raw.get("action_reason"),
            deposed=raw.get("deposed"),
            import_id=self.masker.mask_text(identity, self.secrets) if identity is not None else None,
            attributes=() if actions == ("no-op",) else self.attributes(change, address),
            replace_paths=tuple(join_parts(path) for path in change.get("replace_paths") or ()),
        )

    def attributes(self, change: Mapping[str, Any], address: str) -> tuple[AttributeChange, ...]:
        changes = changed_attributes(
            change.get("before"),
            change.get("after"),
            change.get("after_unknown"),
            self.masked(change, "before", (address,)),
            self.masked(change, "after", (address,)),
        )
        return changes or newly_marked(change.get("before_sensitive"), change.get("after_sensitive"))

    def output(self, name: str, raw: Mapping[str, Any]) -> OutputChange:
        path = ("output", name)
        before, after = self.masked(raw, "before", path), self.masked(raw, "after", path)
        unknown = raw.get("after_unknown")
        return OutputChange(
            name=name,
            actions=tuple(raw.get("actions") or ("no-op",)),
            before=before,
            after=after,
            sensitive=before != raw.get("before") or after != raw.get("after"),
            unknown=unknown not in (None, False, {}, []),
            raw_before=raw.get("before"),
            raw_after=raw.get("after"),
        )

    def check(self, raw: Mapping[str, Any]) -> CheckBlock:
        address = raw.get("address") or {}
        problems = (
            str(problem.get("message", ""))
            for instance in raw.get("instances") or ()
            for problem in instance.get("problems") or ()
        )
        return CheckBlock(
            address=self.masker.mask_address(str(address.get("to_display", ""))),
            kind=str(address.get("kind", "")),
            status=str(raw.get("status", "unknown")),
            problems=tuple(self.masker.mask_text(text, self.secrets) for text in problems),
        )
