from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from beans.__main__ import main
from beans.deploy import COMPILED
from beans.pipeline import compile_pipeline, digest

ROOT = Path(__file__).parents[1]


def test_the_compiled_file_is_what_the_code_compiles_to() -> None:
    assert COMPILED.read_bytes() == compile_pipeline()


def test_another_process_compiles_the_same() -> None:
    argv = [sys.executable, "-m", "beans", "compile", "--check"]
    printed = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == digest(COMPILED.read_bytes())


def test_nothing_is_registered_before_the_model_is_good_enough() -> None:
    tasks = yaml.safe_load(COMPILED.read_text())["root"]["dag"]["tasks"]
    assert "require-quality" in tasks["register"]["dependentTasks"]


@pytest.mark.slow
def test_the_pipeline_runs_on_this_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "beans.csv"
    assert main(["generate", "--rows", "600", "--out", str(data)]) == 0
    assert main(["local", "--data", str(data), "--out", str(tmp_path)]) == 0
    assert "accuracy 0.9" in capsys.readouterr().out
    assert (tmp_path / "confusion_matrix.png").read_bytes().startswith(b"\x89PNG")


def test_a_broken_table_ends_the_run_with_its_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "beans.csv"
    data.write_text("Area,Class\n1,SIRA\n")
    assert main(["local", "--data", str(data), "--out", str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert "lacks the columns" in captured.out + captured.err
