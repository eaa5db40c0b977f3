"""Holds and retention: until when an object may neither be deleted nor overwritten, and why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.sandbox.gcs.errors import GcsError, invalid
from orchestrator.sandbox.gcs.resources import Resource, timestamp

# When an event-based hold was released: the bucket's retention period counts from then. Never shown.
RELEASED = "eventBasedHoldReleased"

_MODES = ("Locked", "Unlocked")
_FIELDS = ("mode", "retainUntilTime")


def visible_object(bucket: Mapping[str, Any], resource: Mapping[str, Any]) -> Resource:
    """The object's resource as the API returns it, with the end of the bucket's retention period."""
    fields = {key: value for key, value in resource.items() if key != RELEASED}
    expires = _policy_end(bucket, resource)
    return {**fields, "retentionExpirationTime": expires} if expires else fields


def check_removable(bucket: Mapping[str, Any], resource: Mapping[str, Any], now: str) -> None:
    """Raise 403 while a hold or a retention keeps the generation from being deleted or overwritten."""
    label = f"Object '{resource['bucket']}/{resource['name']}'"
    for field, hold in (("temporaryHold", "Temporary"), ("eventBasedHold", "Event-Based")):
        if resource.get(field):
            raise GcsError(
                403,
                "objectUnderActiveHold",
                f"{label} is under active {hold} hold and cannot be deleted, overwritten or archived until "
                "hold is removed.",
            )
    expires = _policy_end(bucket, resource)
    if expires and expires > now:
        raise GcsError(
            403,
            "retentionPolicyNotMet",
            f"{label} is subject to bucket's retention policy and cannot be deleted, overwritten or archived "
            f"until {expires}",
        )
    until = resource.get("retention", {}).get("retainUntilTime", "")
    if until and _moment(until) > _moment(now):
        raise GcsError(
            403,
            "forbidden",
            f"{label} is subject to object retention and cannot be deleted, overwritten or archived until "
            f"{until}",
        )


def prepare_new(bucket: Mapping[str, Any], resource: Resource) -> None:
    """Set the bucket's default hold on a new object, and check its retention."""
    if bucket.get("defaultEventBasedHold"):
        resource.setdefault("eventBasedHold", True)
    _check_retention(bucket, resource)


def apply_change(
    bucket: Mapping[str, Any], before: Mapping[str, Any], changed: Resource, now: str, *, override: bool
) -> None:
    """Finish a change of an object's metadata: note a released hold, refuse to weaken its retention.

    `override` is the parameter `overrideUnlockedRetention`: an unlocked retention may then be shortened.
    """
    if before.get("eventBasedHold") and not changed.get("eventBasedHold"):
        changed[RELEASED] = now
    _check_retention(bucket, changed)
    old, new = before.get("retention"), changed.get("retention")
    if not old or not _is_weaker(old, new):
        return
    if old["mode"] == "Locked" or not override:
        advice = "" if old["mode"] == "Locked" else " without overrideUnlockedRetention"
        raise GcsError(
            403,
            "forbidden",
            f"The retention of object '{changed['bucket']}/{changed['name']}' cannot be removed, unlocked or "
            f"shortened{advice}.",
        )


def _is_weaker(old: Mapping[str, Any], new: Mapping[str, Any] | None) -> bool:
    if new is None or (old["mode"] == "Locked" and new["mode"] != "Locked"):
        return True
    return _moment(new["retainUntilTime"]) < _moment(old["retainUntilTime"])


def _check_retention(bucket: Mapping[str, Any], resource: Resource) -> None:
    # Clients send back what they read.
    retention = {key: value for key, value in (resource.get("retention") or {}).items() if key in _FIELDS}
    if not any(retention.values()):
        resource.pop("retention", None)
        return
    resource["retention"] = retention
    if "objectRetention" not in bucket:
        raise invalid("Object retention is not enabled on this bucket.", location="retention")
    if retention.get("mode") not in _MODES or not retention.get("retainUntilTime"):
        raise invalid("An object's retention needs a mode, Locked or Unlocked, and a retainUntilTime.")
    _moment(retention["retainUntilTime"])


def _policy_end(bucket: Mapping[str, Any], resource: Mapping[str, Any]) -> str:
    """When the bucket's retention period ends for the object; empty without one, or while a hold stops it."""
    seconds = int(bucket.get("retentionPolicy", {}).get("retentionPeriod", 0))
    if not seconds or resource.get("eventBasedHold"):
        return ""
    start = _moment(resource.get(RELEASED) or resource["timeCreated"])
    return timestamp(start + timedelta(seconds=seconds))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise invalid(f"Invalid time '{text}'.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
