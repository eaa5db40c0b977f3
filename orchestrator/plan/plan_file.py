"""Reads the head of a plan file: the Terraform version and the drift, without running Terraform.

The file is a zip whose `tfplan` is a protobuf message; only three fields of it are read, and a format version
other than the one they were learned from is not guessed at.
"""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import PlanFileError
from orchestrator.protobuf import read_fields

PLAN_FORMAT = 3
_VERSION_FIELD = 1
_TERRAFORM_VERSION_FIELD = 14
_DRIFT_FIELD = 18
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
    for number, value in read_fields(message):
        if number == _VERSION_FIELD:
            version = value
        elif number == _TERRAFORM_VERSION_FIELD:
            terraform = value
        elif number == _DRIFT_FIELD:
            drifted += 1
    if version != PLAN_FORMAT or not isinstance(terraform, bytes):
        return PlanFileInfo("", format_ok=False)
    return PlanFileInfo(terraform.decode("utf-8"), format_ok=True, drifted=drifted)
