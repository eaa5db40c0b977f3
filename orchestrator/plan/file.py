"""A plan file's head: which Terraform wrote it and whether anything drifted, told without running one.

The file is a zip whose `tfplan` is a protobuf message; only three fields of it are read, and a format version
other than the one they were learned from is not guessed at.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import PlanFileError

PLAN_FORMAT = 3
_VERSION_FIELD = 1
_TERRAFORM_VERSION_FIELD = 14
_DRIFT_FIELD = 18
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_LARGEST = 1024 * 1024 * 1024
_MAKE_ANOTHER = "Make the plan again with `infra plan --out`."


@dataclass(frozen=True)
class PlanFileInfo:
    """`drifted` counts the resources that changed outside, noise included.

    `format_ok` is false for a plan format that is not known here; the rest then says nothing.
    """

    terraform_version: str
    format_ok: bool
    drifted: int = 0


def plan_file_info(path: Path) -> PlanFileInfo:
    """The head of a plan file; PlanFileError when it is missing, damaged, or no plan."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("tfplan").file_size > _LARGEST:
                raise PlanFileError(
                    "The plan file is too large to be one.", file=str(path), advice=_MAKE_ANOTHER
                )
            message = archive.read("tfplan")
        return _info(message)
    except FileNotFoundError as error:
        raise PlanFileError("There is no such plan file.", file=str(path), advice=_MAKE_ANOTHER) from error
    except (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, NotImplementedError) as error:
        raise PlanFileError(
            "This is not a plan file, or it is damaged.", file=str(path), advice=_MAKE_ANOTHER
        ) from error
    except OSError as error:
        raise PlanFileError(
            f"The plan file cannot be read: {error.strerror}.", file=str(path), advice=_MAKE_ANOTHER
        ) from error


def _info(message: bytes) -> PlanFileInfo:
    version: int | bytes = 0
    terraform: int | bytes = b""
    drifted = 0
    for number, value in _fields(message):
        if number == _VERSION_FIELD:
            version = value
        elif number == _TERRAFORM_VERSION_FIELD:
            terraform = value
        elif number == _DRIFT_FIELD:
            drifted += 1
    if version != PLAN_FORMAT or not isinstance(terraform, bytes):
        return PlanFileInfo("", format_ok=False)
    return PlanFileInfo(terraform.decode("utf-8"), format_ok=True, drifted=drifted)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each top-level field; ValueError when the message is cut."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + length > len(message):
            raise ValueError("cut off")
        yield number, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(message) or shift > 63:
            raise ValueError("cut off")
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
