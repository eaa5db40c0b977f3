"""How much code of a tree is read, and how much of it is kept."""

from __future__ import annotations

from hashlib import sha1

from orchestrator.repository.hcl.text import UNKNOWN
from orchestrator.repository.source import CodeLimits, ParseCache, Source
from orchestrator.repository.tree import Tree

SMALL = CodeLimits(folder=4_000, tree=64_000, bytes_kept=1_000)
LIMIT = (None, "the folder has more than 0 MiB of code")


def code(number: int, size: int) -> bytes:
    """A file of so many bytes: one block and a comment."""
    block = b'variable "v%d" {}\n#' % number
    return block + b"x" * (size - len(block))


def source_of(files: dict[str, bytes], memo: ParseCache | None = None, limits: CodeLimits = SMALL) -> Source:
    ids = {path: sha1(data, usedforsecurity=False).hexdigest() for path, data in files.items()}
    return Source(Tree(ids, lambda path: files[path], commit="0" * 40), "modules", memo, None, limits)


def test_no_more_than_the_limit_of_a_folder_is_read() -> None:
    source = source_of({f"a/{number}.tf": code(number, 1_000) for number in range(6)})
    files = source.files("a")
    assert [file.is_read for file in files] == [True] * 4 + [False, False]
    assert [file.problem for file in files[4:]] == [LIMIT] * 2
    assert list(source.module("a").variables) == ["v0", "v1", "v2", "v3"]
    assert [name for name, _, _ in source.directory("a").broken] == ["4.tf", "5.tf"]


def test_a_folder_at_the_limit_is_read() -> None:
    source = source_of({f"a/{number}.tf": code(number, 2_000) for number in range(2)})
    assert source.beyond_limit("a") == {}
    assert all(file.is_read for file in source.files("a"))


def test_no_more_than_the_limit_of_a_tree_is_read() -> None:
    """One content under many names is read for each of them, and counts as often."""
    data = code(1, 4_000)
    source = source_of({f"{number}/{number}.tf": data for number in range(17)})
    files = [source.files(str(number))[0] for number in range(17)]
    assert [file.is_read for file in files] == [True] * 16 + [False]
    assert files[-1].problem == (None, "the repository has more than 0 MiB of code")
    # Those that were read can be read again.
    assert source.files("0")[0].is_read


def test_variable_files_and_templates_count_for_the_limit_of_a_tree() -> None:
    files = {f"{number}.tfvars": b"#" + b" " * 3_999 + b"\n" * number for number in range(15)}
    template = b'${file("x")}' + b" " * 4_000
    source = source_of({**files, "a.tftpl": template, "b.tftpl": b" " * 9_000, "last.tfvars": b"#" * 4_000})
    assert [use.path for use in source.template("a.tftpl")] == [("x",)]
    assert source.template("b.tftpl") == ()
    assert [source.values(path) for path in files] == [{}] * 14 + [None]
    assert source.values("last.tfvars") is None


def test_a_template_beyond_the_limit_may_read_anything() -> None:
    source = source_of({"a.tftpl": b'${file("x")}' + b" " * 64_000})
    [use] = source.template("a.tftpl")
    assert (use.function, use.path) == ("file", UNKNOWN)


def test_facts_of_what_is_not_read_are_not_saved() -> None:
    """The same file may be read in another folder."""
    memo = ParseCache(extract=lambda file: file.name)
    data = code(1, 1_000)
    crowded = {f"a/{number}.tf": code(number + 2, 1_000) for number in range(4)}
    source = source_of({**crowded, "a/z.tf": data, "b/z.tf": data}, memo)
    assert source.directory("a").broken
    assert "z.tf" not in memo.extracted.values()
    assert not source.directory("b").broken
    assert "z.tf" in memo.extracted.values()


def test_trees_of_large_files_are_not_cached() -> None:
    source = source_of({f"a/{number}.tf": code(number, 250) for number in range(10)})
    first = source.file("0.tf", "a/0.tf")
    for number in range(1, 4):
        source.file(f"{number}.tf", f"a/{number}.tf")
    assert source.file("0.tf", "a/0.tf") is first
    for number in range(4, 8):
        source.file(f"{number}.tf", f"a/{number}.tf")
    assert source.file("0.tf", "a/0.tf") is not first
