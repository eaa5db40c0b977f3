"""Measures a prompt on its evaluation set, and fails if it is not good enough.

    python3 examples/prompts/evaluate.py

A prompt and its evaluation set are artifacts: both are files of the repository, and one digest names them
together. The model here is a small one that needs no network: it answers with the label of the most similar
example, by the three-letter groups that two messages share. It makes the same answers each time, and better
examples make better answers, which is all that the example is about. A hosted model takes its place by
another `Model`: a function from a prompt's text to an answer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

# From the whole text of a prompt, with the message as its last line, to the answer.
Model = Callable[[str], str]


@dataclass(frozen=True)
class Prompt:
    """The instruction, the labels that it allows, examples as (message, label), and the gate's limits."""

    instruction: str
    labels: tuple[str, ...]
    examples: tuple[tuple[str, str], ...]
    minimum_accuracy: float
    minimum_recall: float

    def render(self, message: str) -> str:
        """The text that a model gets: instruction, examples, and the message without its answer."""
        shots = [f"Message: {text}\nAnswer: {label}" for text, label in self.examples]
        return "\n\n".join([self.instruction, *shots, f"Message: {message}\nAnswer:"])


@dataclass(frozen=True)
class Scores:
    """How many answers were right, of how many; recall by label; and the messages answered wrongly."""

    right: int
    rows: int
    recall: dict[str, float]
    wrong: tuple[str, ...]

    @property
    def accuracy(self) -> float:
        """The share of right answers."""
        return self.right / self.rows


def read_prompt(path: Path) -> Prompt:
    """Reads a prompt. Raises ValueError if it cannot be used."""
    values = tomllib.loads(path.read_text(encoding="utf-8"))
    try:
        examples = tuple((row["message"], row["label"]) for row in values["examples"])
        gate = values["gate"]
        prompt = Prompt(
            values["instruction"],
            tuple(values["labels"]),
            examples,
            gate["minimum_accuracy"],
            gate["minimum_recall"],
        )
    except KeyError as error:
        raise ValueError(f"{path.name} lacks {error}") from None
    _require_known(path, prompt, [label for _, label in examples])
    return prompt


def read_evaluation(path: Path, prompt: Prompt) -> list[tuple[str, str]]:
    """Reads the messages with their right answers. Raises ValueError if there are none, or unknown labels."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not rows:
        raise ValueError(f"{path.name} holds no messages")
    _require_known(path, prompt, [row["label"] for row in rows])
    known = {message for message, _ in prompt.examples}
    if shared := [row["message"] for row in rows if row["message"] in known]:
        raise ValueError(f"{path.name}: the prompt has this message as an example: {shared[0]}")
    return [(row["message"], row["label"]) for row in rows]


def _require_known(path: Path, prompt: Prompt, labels: Sequence[str]) -> None:
    if unknown := sorted(set(labels) - set(prompt.labels)):
        raise ValueError(f"{path.name}: unknown labels: {', '.join(unknown)}")


def answer_by_similarity(text: str) -> str:
    """The local model: the label of the example in `text` that resembles the last message most."""
    *shots, last = text.split("\n\n")[1:]
    trigrams = _trigrams(last.splitlines()[0].removeprefix("Message: "))
    scored = []
    for example in shots:
        message, label = example.splitlines()
        scored.append((_similarity(trigrams, _trigrams(message.removeprefix("Message: "))), label))
    return max(scored, key=lambda pair: pair[0])[1].removeprefix("Answer: ")


def _trigrams(text: str) -> Counter[str]:
    words = f"  {' '.join(text.lower().split())}  "
    return Counter(words[index : index + 3] for index in range(len(words) - 2))


def _similarity(left: Counter[str], right: Counter[str]) -> float:
    """The cosine of the angle between two counts."""
    shared = sum(count * right[group] for group, count in left.items())
    lengths = [math.sqrt(sum(count**2 for count in counts.values())) for counts in (left, right)]
    return shared / (lengths[0] * lengths[1] or 1)


def evaluate(prompt: Prompt, rows: Sequence[tuple[str, str]], model: Model) -> Scores:
    """Asks the model each message and counts its right answers; anything but the label is a wrong answer."""
    answers = [(message, label, model(prompt.render(message)).strip()) for message, label in rows]
    totals = Counter(label for _, label, _ in answers)
    hits = Counter(label for _, label, answer in answers if answer == label)
    recall = {label: hits[label] / totals[label] for label in prompt.labels if totals[label]}
    wrong = tuple(
        f"{message} → {answer}, not {label}" for message, label, answer in answers if answer != label
    )
    return Scores(sum(hits.values()), len(answers), recall, wrong)


def explain_failure(prompt: Prompt, scores: Scores) -> list[str]:
    """What is below the gate's limits; none if the prompt is good enough."""
    problems = []
    if not scores.accuracy >= prompt.minimum_accuracy:
        problems.append(f"accuracy {scores.accuracy:.3f} is below {prompt.minimum_accuracy}")
    for label in prompt.labels:
        if label not in scores.recall:
            problems.append(f"no message of the evaluation set is for {label}")
        elif not scores.recall[label] >= prompt.minimum_recall:
            problems.append(f"recall of {label} {scores.recall[label]:.3f} is below {prompt.minimum_recall}")
    return problems


def artifact_digest(paths: Sequence[Path]) -> str:
    """`sha256:HEX` of files and their names: what was evaluated, and what may be promoted."""
    total = hashlib.sha256()
    for path in sorted(paths, key=lambda path: path.name):
        total.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{total.hexdigest()}"


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluates; the exit code is 1 if the prompt is not good enough or cannot be used."""
    parser = argparse.ArgumentParser(description="Measure a prompt on its evaluation set.")
    parser.add_argument("--prompt", type=Path, default=HERE / "prompt.toml")
    parser.add_argument("--evaluation", type=Path, default=HERE / "evaluation.jsonl")
    parser.add_argument("--json", action="store_true", help="Print a JSON document.")
    options = parser.parse_args(argv)
    try:
        prompt = read_prompt(options.prompt)
        scores = evaluate(prompt, read_evaluation(options.evaluation, prompt), answer_by_similarity)
    except (OSError, ValueError) as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    problems = explain_failure(prompt, scores)
    document: dict[str, Any] = {
        "artifact": artifact_digest([options.prompt, options.evaluation]),
        "accuracy": round(scores.accuracy, 6),
        "recall": {label: round(value, 6) for label, value in scores.recall.items()},
        "wrong": list(scores.wrong),
        "problems": problems,
    }
    if options.json:
        print(json.dumps(document, indent=2))
    else:
        print(f"{document['artifact']}\n{scores.right} of {scores.rows} answers are right")
        print("\n".join(f"{label:<10} recall {value:.3f}" for label, value in scores.recall.items()))
        for line in scores.wrong:
            print(f"wrong: {line}")
    for problem in problems:
        print(f"Not good enough: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
