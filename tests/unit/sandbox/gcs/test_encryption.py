"""Customer-supplied keys: only the right one reads, and nothing is read or written with half of one."""

from __future__ import annotations

import base64
import hashlib

import pytest

from orchestrator.sandbox.gcs.encryption import CustomerKey
from orchestrator.sandbox.gcs.errors import GcsError
from orchestrator.sandbox.gcs.server import GcsServer
from orchestrator.sandbox.gcs.store import GcsStore
from tests.unit.sandbox.gcs.conftest import BUCKET, Call, MovableClock

O = f"/storage/v1/b/{BUCKET}/o"  # noqa: E741
UPLOAD = f"/upload/storage/v1/b/{BUCKET}/o"
READS = (O + "/{}?alt=media", "/download" + O + "/{}", f"/{BUCKET}/" + "{}")


def key(seed: str, *, source: bool = False) -> dict[str, str]:
    """The headers of a key."""
    raw = hashlib.sha256(seed.encode()).digest()
    prefix = "x-goog-copy-source-encryption-" if source else "x-goog-encryption-"
    digest = hashlib.sha256(raw).digest()
    encoded = {"key": base64.b64encode(raw).decode(), "key-sha256": base64.b64encode(digest).decode()}
    return {prefix + "algorithm": "AES256", **{prefix + name: text for name, text in encoded.items()}}


@pytest.fixture
def encrypted(call: Call) -> None:
    """`a`, written with the key `mine`, and `plain` without one."""
    answer = call("POST", UPLOAD, b"secret", key("mine"), uploadType="media", name="a")
    assert answer.json["customerEncryption"]["keySha256"] == key("mine")["x-goog-encryption-key-sha256"]
    call("POST", UPLOAD, b"open", uploadType="media", name="plain")


@pytest.mark.usefixtures("encrypted")
@pytest.mark.parametrize("path", READS)
def test_only_the_right_key_reads_the_data(call: Call, path: str) -> None:
    right = call("GET", path.format("a"), headers=key("mine"))
    assert (right.status, right.body) == (200, b"secret")
    assert right.headers["x-goog-encryption-key-sha256"] == key("mine")["x-goog-encryption-key-sha256"]
    for headers in ({}, key("other")):
        refused = call("GET", path.format("a"), headers=headers)
        assert refused.status == 400
        assert b"secret" not in refused.body
    assert call("GET", path.format("plain"), headers=key("mine")).status == 400


@pytest.mark.usefixtures("encrypted")
def test_refusals_have_the_services_reasons(call: Call) -> None:
    reasons = [
        call("GET", path, headers=headers).reason
        for path, headers in (
            (f"{O}/a?alt=media", {}),
            (f"{O}/a?alt=media", key("other")),
            (f"{O}/plain?alt=media", key("mine")),
        )
    ]
    assert reasons == [
        "resourceIsEncryptedWithCustomerEncryptionKey",
        "customerEncryptionKeyIsIncorrect",
        "resourceNotEncryptedWithCustomerEncryptionKey",
    ]


@pytest.mark.usefixtures("encrypted")
def test_checksums_are_shown_with_the_key_only(call: Call) -> None:
    assert "md5Hash" in call("GET", f"{O}/a", headers=key("mine")).json
    for resource in (call("GET", f"{O}/a").json, call("GET", O).json["items"][0]):
        assert resource["customerEncryption"]
        assert not {"md5Hash", "crc32c"} & set(resource)


@pytest.mark.usefixtures("encrypted")
def test_copies_and_compositions_need_the_key(call: Call) -> None:
    rewrite = f"{O}/a/rewriteTo/b/{BUCKET}/o/copy"
    assert call("POST", rewrite, {}).status == 400
    assert call("POST", rewrite, {}, key("other", source=True)).reason == "customerEncryptionKeyIsIncorrect"
    rotated = call("POST", rewrite, {}, {**key("mine", source=True), **key("new")})
    assert rotated.json["resource"]["customerEncryption"]
    assert call("GET", f"{O}/copy?alt=media", headers=key("new")).body == b"secret"
    plain = call("POST", rewrite, {}, key("mine", source=True))
    assert "customerEncryption" not in plain.json["resource"]
    parts = {"sourceObjects": [{"name": "a"}]}
    assert call("POST", f"{O}/ab/compose", parts).status == 400
    assert call("POST", f"{O}/ab/compose", parts, key("mine")).json["customerEncryption"]


def test_an_upload_in_pieces_is_encrypted_with_the_key_of_its_start(server: GcsServer, call: Call) -> None:
    begun = call("POST", UPLOAD, {"name": "a"}, key("mine"), uploadType="resumable")
    json = call("PUT", "/" + begun.headers["location"].split("/", 3)[3], b"secret").json
    assert (json["customerEncryption"]["encryptionAlgorithm"], "md5Hash" in json) == ("AES256", True)
    assert call("GET", f"{O}/a?alt=media").status == 400
    assert call("GET", f"{O}/a?alt=media", headers=key("mine")).body == b"secret"


def test_a_key_and_a_kms_key_exclude_each_other(call: Call) -> None:
    query = {"uploadType": "media", "name": "a", "kmsKeyName": "projects/p/k"}
    assert call("POST", UPLOAD, b"x", key("mine"), **query).status == 400


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"x-goog-encryption-algorithm": "AES128"}, "AlgorithmIsInvalid"),
        ({"x-goog-encryption-algorithm": ""}, "AlgorithmIsInvalid"),
        ({"x-goog-encryption-key": "c2hvcnQ="}, "KeyFormatIsInvalid"),
        ({"x-goog-encryption-key": "no base64"}, "KeyFormatIsInvalid"),
        ({"x-goog-encryption-key-sha256": ""}, "KeySha256IsInvalid"),
        (
            {"x-goog-encryption-key-sha256": key("other")["x-goog-encryption-key-sha256"]},
            "KeySha256IsInvalid",
        ),
    ],
)
def test_half_of_a_key_is_refused(change: dict[str, str], reason: str) -> None:
    with pytest.raises(GcsError, match=rf"400 customerEncryption{reason}"):
        CustomerKey.read({**key("mine"), **change})


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("googleManaged", {}),
        ("customerManaged", {"kmsKeyName": "projects/p/locations/l/keyRings/r/cryptoKeys/k"}),
        ("customerSupplied", {"customerEncryption": {"encryptionAlgorithm": "AES256", "keySha256": "x"}}),
    ],
)
def test_a_bucket_restricts_an_encryption_of_new_objects(
    store: GcsStore, clock: MovableClock, kind: str, fields: dict[str, object]
) -> None:
    name = f"{kind}EncryptionEnforcementConfig"
    store.insert_object(BUCKET, "old", b"x", fields)

    def patch(mode: str | None) -> dict[str, str]:
        clock.forward(seconds=1)
        setting = None if mode is None else {"restrictionMode": mode}
        encryption = store.patch_bucket(BUCKET, {"encryption": {name: setting}})["encryption"]
        return dict(encryption.get(name, {}))

    since = patch("FullyRestricted")["effectiveTime"]
    with pytest.raises(GcsError, match="412 conditionNotMet"):
        store.insert_object(BUCKET, "new", b"x", fields)
    assert patch("FullyRestricted")["effectiveTime"] == since
    assert store.read_object(BUCKET, "old")[1] == b"x"
    assert patch("NotRestricted") == {"restrictionMode": "NotRestricted"}
    store.insert_object(BUCKET, "new", b"x", fields)
    assert patch(None) == {}
