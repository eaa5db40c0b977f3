"""How the story is told: chapters of scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.sandbox.demo.stage import Stage


@dataclass(frozen=True)
class Step:
    """One scene: a title, a sentence or two, and what happens.

    `pictured` is how many lines of a page the demo's picture has of it; with 0 the scene is not in it.
    """

    title: str
    text: str
    act: Callable[[Stage], None]
    pictured: int = 0


@dataclass(frozen=True)
class Chapter:
    """Scenes that belong together."""

    title: str
    steps: tuple[Step, ...]


def play(stage: Stage, story: Sequence[Chapter]) -> None:
    """Tell a story; SandboxError at the first thing that is not as it should be."""
    total = sum(len(chapter.steps) for chapter in story)
    number = 0
    for chapter in story:
        stage.narrator.chapter(chapter.title)
        for step in chapter.steps:
            number += 1
            stage.narrator.scene(f"{number}/{total} {step.title}", step.text, pictured=step.pictured)
            step.act(stage)
