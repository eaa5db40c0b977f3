import tempfile
from pathlib import Path

import pytest

from tests.support.memory_folder import temporary_folder


def test_a_suitable_folder_is_taken_and_left_as_it_was(tmp_path: Path) -> None:
    assert temporary_folder({}, tmp_path, required=0) == str(tmp_path)
    assert not list(tmp_path.iterdir())


def test_settings_of_the_environment_come_first(tmp_path: Path) -> None:
    assert temporary_folder({"TMPDIR": "/elsewhere"}, tmp_path, required=0) == "/elsewhere"


@pytest.mark.parametrize(("name", "required"), [("absent", 0), (".", 1 << 60)], ids=["absent", "too small"])
def test_another_folder_is_not_taken(name: str, required: int, tmp_path: Path) -> None:
    assert temporary_folder({}, tmp_path / name, required) == tempfile.gettempdir()


def test_a_folder_that_starts_no_programs_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a file system mounted with `noexec`: the program cannot be made executable.
    monkeypatch.setattr(Path, "chmod", lambda path, mode: None)
    assert temporary_folder({}, tmp_path, required=0) == tempfile.gettempdir()
