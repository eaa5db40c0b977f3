"""A misspelt word where `infra drift` takes names."""

from __future__ import annotations

import pytest

from orchestrator.cli.drift import is_misspelt


@pytest.mark.parametrize("word", ["histroy", "hisotry", "history.", "hstory", "History"])
def test_a_word_that_is_nearly_another(word: str) -> None:
    assert is_misspelt(word, "history")


@pytest.mark.parametrize("word", ["history", "dev", "prod", "dev/history", "hist", "*"])
def test_another_word(word: str) -> None:
    assert not is_misspelt(word, "history")
