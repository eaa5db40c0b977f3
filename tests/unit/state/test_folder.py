"""A folder that behaves as a bucket does."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchestrator.errors import StateError
from orchestrator.state.folder import Files, Folder
from orchestrator.state.storage import ABSENT, PreconditionFailed

NAME = "dev/ledger/stacks/net.json"

# Ten writers in processes of their own: each adds its number once, by read and conditional write.
ADD = """
import sys
from pathlib import Path
from orchestrator.state.folder import Folder
from orchestrator.state.storage import PreconditionFailed
folder = Folder(Path(sys.argv[1]))
for number in range(10):
    while True:
        found = folder.read("sum")
        try:
            folder.write("sum", str(int(found.data) + 1).encode(), if_generation=found.generation)
            break
        except PreconditionFailed:
            pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "ledger")


def test_a_write_may_have_to_create(folder: Folder) -> None:
    first = folder.write(NAME, b"one", if_generation=ABSENT, metadata={"a": "1"})
    with pytest.raises(PreconditionFailed):
        folder.write(NAME, b"two", if_generation=ABSENT)
    blob = folder.read(NAME)
    assert blob == first
    assert blob is not None
    assert (blob.data, blob.metadata, blob.size) == (b"one", {"a": "1"}, 3)


def test_a_write_is_conditional_on_the_generation(folder: Folder) -> None:
    first = folder.write(NAME, b"one")
    second = folder.write(NAME, b"one", if_generation=first.generation)
    assert second.generation != first.generation
    with pytest.raises(PreconditionFailed):
        folder.write(NAME, b"three", if_generation=first.generation)
    with pytest.raises(PreconditionFailed):
        folder.delete(NAME, if_generation=first.generation)
    assert folder.read(NAME, first.generation) is None
    folder.delete(NAME, if_generation=second.generation)
    assert folder.stat(NAME) is None
    with pytest.raises(PreconditionFailed):
        folder.write(NAME, b"four", if_generation=second.generation)


def test_a_generation_is_never_used_again(folder: Folder) -> None:
    seen = set()
    for _ in range(20):
        seen.add(folder.write(NAME, b"same").generation)
    folder.delete(NAME)
    seen.add(folder.write(NAME, b"same").generation)
    assert len(seen) == 21


def test_a_patch_keeps_the_generation_and_the_other_keys(folder: Folder) -> None:
    blob = folder.write(NAME, b"one", metadata={"entry": "e"})
    patched = folder.patch_metadata(NAME, {"heartbeat": "now"}, if_metageneration=blob.metageneration)
    assert patched.generation == blob.generation
    assert patched.metadata == {"entry": "e", "heartbeat": "now"}
    with pytest.raises(PreconditionFailed):
        folder.patch_metadata(NAME, {}, if_metageneration=blob.metageneration)
    with pytest.raises(PreconditionFailed):
        folder.patch_metadata("nothing", {}, if_metageneration="1")


def test_a_listing_is_by_prefix_and_name(folder: Folder) -> None:
    assert folder.list("dev/") == []
    for name in ("dev/b", "dev/a", "dev/c/d", "prod/a"):
        folder.write(name, name.encode(), metadata={"is": name})
    blobs = folder.list("dev/")
    assert [blob.name for blob in blobs] == ["dev/a", "dev/b", "dev/c/d"]
    assert [blob.metadata["is"] for blob in blobs] == ["dev/a", "dev/b", "dev/c/d"]
    assert not any(blob.data for blob in blobs)
    assert [blob.name for blob in folder.list("dev/c")] == ["dev/c/d"]


def test_content_whose_properties_were_lost_is_an_object_still(folder: Folder) -> None:
    folder.write(NAME, b"one", metadata={"entry": "old"})
    # A writer that was killed after the content and before the properties.
    (folder.root / NAME).write_bytes(b"two")
    blob = folder.read(NAME)
    assert blob is not None
    assert (blob.data, blob.metadata) == (b"two", {})
    again = folder.write(NAME, b"three", if_generation=blob.generation)
    assert again.generation != blob.generation


def test_threads_and_processes_lose_no_write(folder: Folder) -> None:
    folder.write("sum", b"0")
    argv = [sys.executable, "-c", ADD, str(folder.root)]
    with ThreadPoolExecutor(3) as pool:
        ran = list(pool.map(lambda _: subprocess.run(argv, check=True, cwd=Path.cwd()), range(3)))
    assert len(ran) == 3
    blob = folder.read("sum")
    assert blob is not None
    assert blob.data == b"30"


def test_only_the_owner_can_read_it(folder: Folder) -> None:
    folder.write(NAME, b"one")
    files = [path for path in folder.root.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o077 for path in (folder.root, *files)} == {0}


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        Folder(tmp_path / "file").write(NAME, b"one")


def test_a_file_is_removed_only_while_it_is_what_it_was(tmp_path: Path) -> None:
    path = tmp_path / ".state.lock.info"
    path.write_text("one")
    files = Files()
    stat = files.stat(str(path))
    assert stat is not None
    assert files.versions(str(path)) == [stat]
    path.write_text("two")
    assert files.read(str(path), stat.generation) is None
    with pytest.raises(PreconditionFailed):
        files.delete(str(path), if_generation=stat.generation)
    files.delete(str(path))
    assert not path.exists()
