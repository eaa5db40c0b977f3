"""Runs the pipeline on this machine, step by step, in processes of their own; no cloud and no container."""

from __future__ import annotations

import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp import local

from beans.pipeline import pipeline

# What writes while it runs goes below this name in the output folder.
_RUNS = "runs"


@dataclass(frozen=True)
class LocalRun:
    """What a local run made: the evaluation as a document, its picture, the model, and the data's summary."""

    evaluation: dict[str, Any]
    picture: Path
    model: Path
    summary: str


def run_pipeline(data: Path, out: Path, **parameters: float | int) -> LocalRun:
    """Runs the pipeline on a CSV file, and keeps all that it makes below `out`.

    Raises RuntimeError, with the message of the step that failed.
    """
    # The steps are started as `python3`, and install what they need there: that must be this environment.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    logging.getLogger("kfp").setLevel(logging.WARNING)
    root = out / _RUNS
    root.mkdir(parents=True, exist_ok=True)
    before = set(root.iterdir())
    local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root=str(root))
    pipeline(data=str(data.resolve()), **parameters)
    [folder] = set(root.iterdir()) - before
    evaluation = json.loads((folder / "evaluate" / "report").read_text())
    return LocalRun(
        evaluation,
        folder / "evaluate" / "picture",
        folder / "train-model" / "model" / "model.bst",
        (folder / "prepare" / "summary").read_text(),
    )
