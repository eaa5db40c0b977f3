"""A manifest counts by its SHA-256 alone, and for its own environment, commit and stacks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.errors import InfraError, MismatchError, StateError, UsageError
from orchestrator.plan.digest import sha256
from orchestrator.review.manifest import Manifest, decode_manifest, encode_manifest, read_manifest
from tests.unit.plan.test_digest_comparison import plan, update

COMMIT = "a" * 40
MANIFEST = Manifest("prod", COMMIT, {"prod/app": plan(update(x=(1, 2)), stack="prod/app")})


def written(folder: Path, data: bytes | None = None) -> tuple[Path, str]:
    """A manifest's file, and the SHA-256 of what `MANIFEST` is written as."""
    path = folder / "prod.json"
    path.write_bytes(encode_manifest(MANIFEST) if data is None else data)
    return path, sha256(encode_manifest(MANIFEST))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path, approved = written(tmp_path)
    assert read_manifest(path, f"  {approved.upper()}\n", "prod", COMMIT) == MANIFEST


def test_a_manifest_is_the_same_in_each_run() -> None:
    digest = MANIFEST.digests["prod/app"]
    later = Manifest("prod", COMMIT, {"prod/app": replace(digest, facts={"run": "R-2", "serial": 7})})
    assert encode_manifest(later) == encode_manifest(MANIFEST)
    other = Manifest("prod", COMMIT, {"prod/app": replace(digest, lock_file="b" * 64)})
    assert encode_manifest(other) != encode_manifest(MANIFEST)


def test_a_file_with_another_hash_is_refused_unread(tmp_path: Path) -> None:
    path, approved = written(tmp_path, encode_manifest(MANIFEST) + b"\n")
    with pytest.raises(MismatchError, match=r"not the manifest that was approved") as refused:
        read_manifest(path, approved, "prod", COMMIT)
    assert refused.value.exit_code == 5
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(MismatchError):
        read_manifest(path, approved, "prod", COMMIT)


def test_a_manifest_of_another_environment_is_refused(tmp_path: Path) -> None:
    path, approved = written(tmp_path)
    with pytest.raises(MismatchError, match=r"a manifest of prod, not of dev"):
        read_manifest(path, approved, "dev", COMMIT)


def test_a_manifest_of_another_commit_is_refused(tmp_path: Path) -> None:
    path, approved = written(tmp_path)
    with pytest.raises(MismatchError, match=r"written at aaaaaaaaaa, and this is bbbbbbbbbb"):
        read_manifest(path, approved, "prod", "b" * 40)


@pytest.mark.parametrize("hexadecimal", ["", "abc", "z" * 64, "a" * 63, "sha256:" + "a" * 64])
def test_a_hash_that_is_none_is_refused(tmp_path: Path, hexadecimal: str) -> None:
    path, _ = written(tmp_path)
    with pytest.raises(UsageError, match=r"64 hexadecimal digits"):
        read_manifest(path, hexadecimal, "prod", COMMIT)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: No such file"):
        read_manifest(tmp_path / "none.json", "a" * 64, "prod", COMMIT)


def changed(**fields: object) -> bytes:
    return json.dumps({**json.loads(encode_manifest(MANIFEST)), **fields}).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        changed(version=2),
        changed(kind="plan"),
        changed(commit=1),
        changed(stacks=[]),
        changed(stacks={"prod/app": {}}),
        changed(stacks={"prod/other": json.loads(encode_manifest(MANIFEST))["stacks"]["prod/app"]}),
    ],
)
def test_an_approved_file_that_is_no_manifest_is_an_error(data: bytes) -> None:
    with pytest.raises(InfraError) as refused:
        decode_manifest(data, "prod.json")
    assert isinstance(refused.value, StateError)
    assert refused.value.advice
