"""Encryption: customer-supplied keys, the headers that carry one and the objects that need one; restrictions.

The data is not encrypted on the disk; the key's SHA-256 in the object's resource decides who may read it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orchestrator.sandbox.gcs.errors import GcsError

_ALGORITHM = "AES256"
_KEY_BYTES = 32
_PREFIX = "x-goog-encryption-"
_SOURCE_PREFIX = "x-goog-copy-source-encryption-"


# The settings of a bucket that restrict a kind of encryption of new objects, and the kinds.
ENFORCEMENTS: Mapping[str, str] = MappingProxyType(
    {
        "googleManagedEncryptionEnforcementConfig": "Google-managed",
        "customerManagedEncryptionEnforcementConfig": "customer-managed",
        "customerSuppliedEncryptionEnforcementConfig": "customer-supplied",
    }
)
_RESTRICTED = "FullyRestricted"


def stamp_enforcement(bucket: Mapping[str, Any], before: Mapping[str, Any], now: str) -> None:
    """Set since when each restriction of the bucket holds."""
    for name in ENFORCEMENTS:
        setting = (bucket.get("encryption") or {}).get(name)
        if setting is None:
            continue
        earlier = (before.get("encryption") or {}).get(name) or {}
        setting.pop("effectiveTime", None)
        if setting.get("restrictionMode") == _RESTRICTED:
            setting["effectiveTime"] = earlier.get("effectiveTime") or now


def check_enforcement(bucket: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
    """Raise 412 for a new object whose kind of encryption the bucket restricts."""
    if "customerEncryption" in resource:
        name = "customerSuppliedEncryptionEnforcementConfig"
    elif "kmsKeyName" in resource:
        name = "customerManagedEncryptionEnforcementConfig"
    else:
        name = "googleManagedEncryptionEnforcementConfig"
    setting = (bucket.get("encryption") or {}).get(name) or {}
    if setting.get("restrictionMode") == _RESTRICTED:
        raise GcsError(
            412,
            "conditionNotMet",
            f"Bucket '{bucket['name']}' restricts {ENFORCEMENTS[name]} encryption of new objects.",
        )


@dataclass(frozen=True)
class CustomerKey:
    """The key of a request by its SHA-256 in base64; empty for a request without one."""

    sha256: str = ""

    @classmethod
    def read(cls, headers: Mapping[str, str], *, source: bool = False) -> CustomerKey:
        """From a request's headers, those of a copy's source with `source`; 400 for an incomplete set."""
        prefix = _SOURCE_PREFIX if source else _PREFIX
        algorithm, key, digest = (
            headers.get(prefix + name, "") for name in ("algorithm", "key", "key-sha256")
        )
        if not (algorithm or key or digest):
            return cls()
        if algorithm != _ALGORITHM:
            raise _key_error(
                "customerEncryptionAlgorithmIsInvalid",
                f'Missing an encryption algorithm, or it is not "{_ALGORITHM}".',
            )
        raw = _decode(key)
        if len(raw) != _KEY_BYTES:
            raise _key_error(
                "customerEncryptionKeyFormatIsInvalid",
                "Missing an encryption key, or it is not base64 encoded, or it does not meet the required "
                "length of the encryption algorithm.",
            )
        expected = hashlib.sha256(raw).digest()
        if _decode(digest) != expected:
            raise _key_error(
                "customerEncryptionKeySha256IsInvalid",
                "Missing a SHA256 hash of the encryption key, or it is not base64 encoded, or it does not "
                "match the encryption key.",
            )
        return cls(base64.b64encode(expected).decode())

    @property
    def field(self) -> dict[str, Any]:
        """The field of the resource of an object that is encrypted with this key; empty without a key."""
        if not self.sha256:
            return {}
        return {"customerEncryption": {"encryptionAlgorithm": _ALGORITHM, "keySha256": self.sha256}}

    def fits(self, resource: Mapping[str, Any]) -> bool:
        """True when it is the key of the object, or neither has one."""
        return self.sha256 == _sha256_of(resource)

    def check(self, resource: Mapping[str, Any]) -> None:
        """Raise 400 unless the object's data may be read with it."""
        needed = _sha256_of(resource)
        if self.sha256 == needed:
            return
        if not self.sha256:
            raise _key_error(
                "resourceIsEncryptedWithCustomerEncryptionKey",
                "The target object is encrypted by a customer-supplied encryption key.",
            )
        if not needed:
            raise _key_error(
                "resourceNotEncryptedWithCustomerEncryptionKey",
                "The target object is not encrypted by a customer-supplied encryption key.",
            )
        raise _key_error("customerEncryptionKeyIsIncorrect", "The provided encryption key is incorrect.")

    def visible(self, resource: dict[str, Any]) -> dict[str, Any]:
        """The resource without the checksums of data that it does not open."""
        if self.fits(resource) or not _sha256_of(resource):
            return resource
        return {key: value for key, value in resource.items() if key not in ("md5Hash", "crc32c")}


def _sha256_of(resource: Mapping[str, Any]) -> str:
    return str(resource.get("customerEncryption", {}).get("keySha256", ""))


def _key_error(reason: str, message: str) -> GcsError:
    return GcsError(400, reason, message, xml_code=reason[0].upper() + reason[1:])


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
