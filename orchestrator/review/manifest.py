"""The manifest: plans of pending stacks in one file, whose SHA-256 an approval in another CI passes on.

`infra ci compare` writes it. Whoever approves passes its SHA-256 on by a way that the jobs cannot write to,
so the file itself may come from anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import MismatchError, StateError, UsageError
from orchestrator.jsontext import read_object
from orchestrator.plan.digest import Digest, decode, encode, sha256

VERSION = 1
KIND = "infra-manifest"
# A digest takes some kilobytes; far more than any environment has.
MAX_BYTES = 256 * 1024 * 1024

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NEW = "Run `infra ci compare ENV --manifest FILE` again, and have the new manifest approved."


@dataclass(frozen=True)
class Manifest:
    """The plans of an environment's pending stacks at a commit of trunk, by stack."""

    environment: str
    commit: str
    digests: Mapping[str, Digest]


def encode_manifest(manifest: Manifest) -> bytes:
    """The bytes of a manifest's file, the same whenever the same would be done.

    What only explains a digest (the run, times, versions) is left out. So a job that applies may write the
    manifest again, and its SHA-256 is what was approved, or something would be done otherwise.
    """
    stacks = {id_: json.loads(encode(replace(digest, facts={}))) for id_, digest in manifest.digests.items()}
    document = {
        "version": VERSION,
        "kind": KIND,
        "environment": manifest.environment,
        "commit": manifest.commit,
        "stacks": stacks,
    }
    return (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()


def read_manifest(path: Path, approved: str, environment: str, commit: str) -> Manifest:
    """Reads the manifest that was approved by its SHA-256, for one environment at one commit.

    Nothing of a file with another hash is looked at. Raises UsageError for a hash that is none and for a file
    that cannot be read, MismatchError for another file, environment or commit.
    """
    expected = approved.strip().lower()
    if not _SHA256.fullmatch(expected):
        raise UsageError(
            "--sha256 takes 64 hexadecimal digits.",
            advice="Pass on what was approved: `infra ci compare ENV --manifest FILE` prints it.",
        )
    data = _read(path)
    if sha256(data) != expected:
        raise MismatchError(
            f"{path.name} is not the manifest that was approved: its SHA-256 is {sha256(data)}.", advice=_NEW
        )
    manifest = decode_manifest(data, path.name)
    if manifest.environment != environment:
        raise MismatchError(
            f"{path.name} is a manifest of {manifest.environment}, not of {environment}.", advice=_NEW
        )
    if manifest.commit != commit:
        raise MismatchError(
            f"{path.name} was written at {manifest.commit[:10]}, and this is {commit[:10]}.", advice=_NEW
        )
    return manifest


def decode_manifest(data: bytes, name: str) -> Manifest:
    """A manifest from the bytes of its file. Raises StateError if they are none."""
    try:
        content = read_object(data)
        if (content["version"], content["kind"]) != (VERSION, KIND):
            raise StateError(f"{name} is a manifest of another version of infra.", advice=_NEW)
        environment, commit = content["environment"], content["commit"]
        if not (isinstance(environment, str) and isinstance(commit, str)):
            raise TypeError(environment, commit)
        digests = {
            id_: decode(json.dumps(digest).encode(), f"{id_} in {name}")
            for id_, digest in content["stacks"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise StateError(f"{name} is not a manifest of `infra ci compare`.", advice=_NEW) from error
    for id_, digest in digests.items():
        if digest.stack != id_:
            raise StateError(f"{name} has the plan of {digest.stack} in place of that of {id_}.", advice=_NEW)
    return Manifest(environment, commit, digests)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(
            f"The manifest {path} cannot be read: {error.strerror}.",
            advice="Pass the file on from the job that ran `infra ci compare ENV --manifest FILE`.",
        ) from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"{path.name} is larger than any manifest.", advice=_NEW)
    return data
