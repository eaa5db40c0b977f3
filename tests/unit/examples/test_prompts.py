"""The example of a prompt with its evaluation set and gate: examples/prompts."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[3] / "examples/prompts"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("prompt_example", FOLDER / "evaluate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look themselves up there.
    sys.modules["prompt_example"] = module
    spec.loader.exec_module(module)
    return module


def written(tmp_path: Path, prompt: str = "", evaluation: str = "") -> list[str]:
    """The options for a copy of the example in which some text is another."""
    text = (FOLDER / "prompt.toml").read_text()
    old, _, new = prompt.partition(" -> ")
    (tmp_path / "prompt.toml").write_text(text.replace(old, new) if prompt else text)
    (tmp_path / "evaluation.jsonl").write_text(evaluation or (FOLDER / "evaluation.jsonl").read_text())
    return ["--prompt", str(tmp_path / "prompt.toml"), "--evaluation", str(tmp_path / "evaluation.jsonl")]


def test_the_prompt_is_good_enough(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert example.main(["--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["problems"] == []
    assert document["accuracy"] == pytest.approx(15 / 16, abs=1e-6)
    assert len(document["wrong"]) == 1


def test_a_worse_prompt_is_stopped(
    example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = written(tmp_path, 'label = "outage" -> label = "billing"')
    assert example.main(options) == 1
    assert "recall of outage 0.000 is below 0.7" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prompt", "evaluation", "problem"),
    [
        ('labels = ["access", -> labels = [', "", "prompt.toml: unknown labels: access"),
        ("[gate] -> [gates]", "", "prompt.toml lacks 'gate'"),
        ("version -> version =", "", "Error"),
        ("", "\n", "evaluation.jsonl holds no messages"),
        ("", '{"message": "Hello", "label": "sales"}', "evaluation.jsonl: unknown labels: sales"),
        ("", '{"message": "We were charged twice this month", "label": "billing"}', "as an example"),
        ("", '{"message": "The site is down", "label": "outage"}', "no message of the evaluation set"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    example: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    prompt: str,
    evaluation: str,
    problem: str,
) -> None:
    assert example.main(written(tmp_path, prompt, evaluation)) == 1
    assert problem in capsys.readouterr().err


def test_the_digest_covers_the_prompt_and_its_evaluation_set(example: ModuleType, tmp_path: Path) -> None:
    def digest() -> str:
        return str(example.artifact_digest([tmp_path / "prompt.toml", tmp_path / "evaluation.jsonl"]))

    written(tmp_path)
    before = digest()
    assert before == example.artifact_digest([FOLDER / "evaluation.jsonl", FOLDER / "prompt.toml"])
    written(tmp_path, "version = 3 -> version = 4")
    changed_prompt = digest()
    written(tmp_path, "", '{"message": "The site is down", "label": "outage"}')
    assert len({before, changed_prompt, digest()}) == 3


def test_any_answer_but_the_label_is_wrong(example: ModuleType) -> None:
    prompt = example.read_prompt(FOLDER / "prompt.toml")
    rows = [("The site is down", "outage"), ("My password", "access")]
    scores = example.evaluate(
        prompt, rows, lambda text: "outage, I think" if "password" in text[-60:] else "outage\n"
    )
    assert (scores.right, scores.rows, scores.recall["access"]) == (1, 2, 0)
