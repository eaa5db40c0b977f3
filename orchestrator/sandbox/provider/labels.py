"""Labels and annotations of Google's provider: what one configures, what the provider adds, what is there."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.sandbox.provider.schema import SchemaBlock
from orchestrator.sandbox.provider.session import ProviderInstance
from orchestrator.sandbox.provider.values import UNKNOWN, Value, is_known

_ATTRIBUTION = {"goog-terraform-provisioned": "true"}


def plan_labels(
    block: SchemaBlock,
    planned: dict[str, Value],
    prior: Mapping[str, Value] | None,
    session: ProviderInstance,
) -> None:
    """Plan `terraform_labels`, `effective_labels` and `effective_annotations` from what is configured."""
    if "labels" in block.attributes and "terraform_labels" in block.attributes:
        own = _joined(session.labels, planned.get("labels"))
        planned["terraform_labels"] = _with_attribution(own, prior, "terraform_labels", session)
        planned["effective_labels"] = _effective(
            planned["terraform_labels"], prior, "labels", "terraform_labels"
        )
    if "annotations" in block.attributes and "effective_annotations" in block.attributes:
        own = _joined({}, planned.get("annotations"))
        planned["effective_annotations"] = _effective(own, prior, "annotations", "annotations")


def _joined(defaults: Mapping[str, str], configured: Value) -> Value:
    if configured is not None and not is_known(configured):
        return UNKNOWN
    return {**defaults, **(configured or {})}


def _with_attribution(
    own: Value, prior: Mapping[str, Value] | None, name: str, session: ProviderInstance
) -> Value:
    """The provider marks what it creates, and leaves alone what was there before."""
    if not isinstance(own, dict):
        return own
    marked = (
        session.attribution if prior is None else bool(_ATTRIBUTION.keys() & (prior.get(name) or {}).keys())
    )
    return {**_ATTRIBUTION, **own} if marked else own


def _effective(own: Value, prior: Mapping[str, Value] | None, kind: str, computed: str) -> Value:
    """Ours, and those that others put there."""
    if not isinstance(own, dict) or prior is None:
        return own
    written = {**(prior.get(computed) or {}), **(prior.get(kind) or {})}
    foreign = {
        key: value for key, value in (prior.get(f"effective_{kind}") or {}).items() if key not in written
    }
    return {**foreign, **own}


def read_labels(state: dict[str, Value], values: Mapping[str, Value]) -> None:
    """Sort the labels that the cloud has into those of the resource and those that the provider adds."""
    effective = state.get("effective_labels")
    if not isinstance(effective, dict) or "terraform_labels" not in state:
        return
    configured, own = values.get("terraform_labels") or {}, values.get("labels") or {}
    added = {*_ATTRIBUTION, *(key for key in configured if key not in own)}
    labels = {key: value for key, value in effective.items() if key not in added}
    state["labels"] = labels if labels or values.get("labels") is not None else None
    state["terraform_labels"] = {
        key: value for key, value in effective.items() if key in configured or key in labels
    }
