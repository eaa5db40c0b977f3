"""A plan file's head, and what is no plan file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from orchestrator.errors import PlanFileError
from orchestrator.plan.plan_file import PlanFileInfo, plan_file_info


def field(number: int, value: int | bytes) -> bytes:
    """A protobuf field; numbers below 128 only."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


GOOD = (
    field(1, 3) + field(3, b"change") + bytes([13 << 3 | 5]) + b"1234" + field(14, b"1.11.4") + field(15, 1)
)

HEADS = [
    (GOOD, PlanFileInfo("1.11.4", True)),
    (GOOD + field(15, b"later"), PlanFileInfo("1.11.4", True)),
    (field(1, 4) + field(14, b"2.0.0"), PlanFileInfo("", False)),
    (field(1, 3) + field(14, 7), PlanFileInfo("", False)),
    (b"", PlanFileInfo("", False)),
]


def plan_file(path: Path, message: bytes, name: str = "tfplan") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, message)
    return path


@pytest.mark.parametrize(("message", "info"), HEADS)
def test_heads(tmp_path: Path, message: bytes, info: PlanFileInfo) -> None:
    assert plan_file_info(plan_file(tmp_path / "p", message)) == info


@pytest.mark.parametrize(
    "message", [GOOD[:-9], b"\xff" * 12, bytes([1 << 3 | 3]), field(14, b"\xff\xfe") + GOOD[:2]]
)
def test_damaged_messages(tmp_path: Path, message: bytes) -> None:
    with pytest.raises(PlanFileError, match="not a plan file, or it is damaged"):
        plan_file_info(plan_file(tmp_path / "p", message))


def test_other_files(tmp_path: Path) -> None:
    path = tmp_path / "plan.tfplan"
    with pytest.raises(PlanFileError, match="no such plan file") as caught:
        plan_file_info(path)
    assert caught.value.file == str(path)
    path.write_text('{"format_version": "1.2"}')
    with pytest.raises(PlanFileError, match="not a plan file"):
        plan_file_info(path)
    plan_file(path, GOOD, name="other")
    with pytest.raises(PlanFileError, match="not a plan file"):
        plan_file_info(path)
    plan_file(path, GOOD * 100)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(PlanFileError, match="not a plan file"):
        plan_file_info(path)
    with pytest.raises(PlanFileError, match="cannot be read"):
        plan_file_info(tmp_path)
