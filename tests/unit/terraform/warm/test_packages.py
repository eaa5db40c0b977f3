"""Which installed packages are the ones that a lock file names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.repository.lock_file import read_lock_file
from orchestrator.terraform.warm.packages import ChecksumCache, find_packages, h1_checksum

SOURCE = "registry.terraform.io/example/thing"
# `h1` of the two files below, as `terraform providers lock` writes it for such a folder.
LOCK = """\
# This file is maintained automatically by "terraform init".
provider "{source}" {{
  version     = "{version}"
  constraints = "~> 1.0"
  hashes = [
    "{checksum}",
    "zh:0123456789abcdef",
  ]
}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "providers" / SOURCE / "1.2.3" / "linux_amd64"
    package.mkdir(parents=True)
    (package / "LICENSE.txt").write_text("free\n")
    program = package / "terraform-provider-thing_v1.2.3_x5"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    return package


def lock(folder: Path, **changes: str) -> str:
    files = [path for path in folder.iterdir() if path.is_file()]
    return LOCK.format(
        **{"source": SOURCE, "version": "1.2.3", "checksum": h1_checksum(folder, files), **changes}
    )


def packages(folder: Path, text: str) -> list[str]:
    cache = ChecksumCache(folder.parents[6] / "checksums.json")
    providers = find_packages(text.encode(), folder.parents[4], cache)
    return [package.program.name for package in providers]


def test_the_lock_file_is_read() -> None:
    provider = read_lock_file(LOCK.format(source=SOURCE, version="1.2.3", checksum="h1:abc=").encode())[0]
    assert (provider.source, provider.version) == (SOURCE, "1.2.3")
    assert provider.checksums == {"h1:abc=", "zh:0123456789abcdef"}


def test_a_package_as_locked_is_used(folder: Path) -> None:
    assert packages(folder, lock(folder)) == ["terraform-provider-thing_v1.2.3_x5"]


def test_a_package_that_was_changed_is_not(folder: Path) -> None:
    text = lock(folder)
    assert packages(folder, text)
    program = folder / "terraform-provider-thing_v1.2.3_x5"
    before = program.stat()
    program.write_text("#!/bin/no\n")
    os.utime(program, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert packages(folder, text) == []


@pytest.mark.parametrize(
    "changes",
    [{"version": "1.2.4"}, {"source": "registry.terraform.io/example/other"}, {"checksum": "zh:00"}],
    ids=["version", "source", "no h1"],
)
def test_what_the_lock_file_does_not_name_is_not(folder: Path, changes: dict[str, str]) -> None:
    assert packages(folder, lock(folder, **changes)) == []


def test_two_programs_are_not_guessed_between(folder: Path) -> None:
    other = folder / "terraform-provider-thing_v1.2.3_x6"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o700)
    assert packages(folder, lock(folder)) == []


def test_providers_that_work_on_the_folder_are_not_shared(folder: Path) -> None:
    local = "registry.terraform.io/hashicorp/local"
    target = folder.parents[4] / local / "1.2.3" / "linux_amd64"
    target.parent.mkdir(parents=True)
    folder.rename(target)
    (target / "terraform-provider-thing_v1.2.3_x5").rename(target / "terraform-provider-local_v1")
    files = list(target.iterdir())
    text = LOCK.format(source=local, version="1.2.3", checksum=h1_checksum(target, files))
    cache = ChecksumCache(target.parent / "checksums.json")
    assert find_packages(text.encode(), folder.parents[4], cache) == ()
