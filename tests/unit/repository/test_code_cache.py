"""Facts of code on disk: equal to those of parsing, and never trusted where they may not be."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.repository import code_cache
from orchestrator.repository.code_cache import CodeCache
from orchestrator.repository.fact_codec import decode_facts, encode_facts
from orchestrator.repository.facts import ModuleFacts, VariableFacts
from orchestrator.repository.git import Repository
from orchestrator.repository.loading import read_tree
from orchestrator.repository.model import Project
from orchestrator.repository.source import ParseCache
from tests.conftest import MakeRepo
from tests.support.differential import generate, write
from tests.support.repo import Repo
from tests.unit.guard.hostile import CALL, HOSTILE, MODULE, STACK

REFERENCE = Path(__file__).parents[3] / "infra"
MAIN = f"{STACK}/main.tf"
FILES = {
    MAIN: CALL + 'variable "p" {\n  default = "one"\n}\nlocals {\n  t = templatefile("x.tftpl", {})\n}\n',
    f"{STACK}/x.auto.tfvars": 'p = "two"\n',
    f"{STACK}/x.tftpl": '${file("other.txt")}',
    f"{STACK}/other.txt": "text",
    f"{MODULE}/main.tf": 'locals {\n  read = file("${path.module}/read.txt")\n}\n',
    f"{MODULE}/read.txt": "text",
}


def _code_of(repo: Repo, cache: CodeCache | None) -> Project:
    repository = Repository.open(repo.root)
    return read_tree(repository, repository.working_tree(), ParseCache(stored=cache))


def _cache(repo: Repo, **more: int) -> CodeCache:
    return CodeCache(repo.root / ".git", worth_saving=1, **more)


def _path(repo: Repo) -> Path:
    return repo.root / ".git" / code_cache.FOLDER / code_cache.NAME


def _facts(project: Project) -> dict[str, Any]:
    source = project.coverage.source
    folders = {path.rpartition("/")[0] for path in source.tree.ids}
    return {
        "facts": {folder: source.directory(folder) for folder in sorted(folders)},
        "fingerprints": {stack: project.fingerprint(stack) for stack in project.stacks},
        "files": {stack: sorted(project.files(stack)) for stack in project.stacks},
    }


def _modules(tmp_path: Path) -> list[ModuleFacts]:
    """Facts of many modules: generated ones, our own, and those of hostile pull requests."""
    sources = [write(generate(seed, 6).files, tmp_path / str(seed)) for seed in range(6)]
    texts: dict[str, str] = {}
    for number, change in enumerate(HOSTILE.values()):
        for name, data in change.files.items():
            if name.endswith((".tf", ".tf.json")) and isinstance(data, str) and len(data) < 10_000:
                texts[f"h{number}/{name.removeprefix('+').rpartition('/')[2]}"] = data
    for path in REFERENCE.rglob("*.tf"):
        texts[f"our/{path.relative_to(REFERENCE)}"] = path.read_text()
    sources.append(write(texts, tmp_path / "more"))
    return [
        source.directory(folder)
        for source in sources
        for folder in sorted({path.rpartition("/")[0] for path in source.tree.ids})
    ]


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    modules = _modules(tmp_path)
    seen = {field.name for field in fields(ModuleFacts) for facts in modules if getattr(facts, field.name)}
    more = ModuleFacts(broken=(("a.tf", 3, "a defect"), ("b.tf", None, "another")), has_only_moves=True)
    variable = VariableFacts(None, "string", nullable=False, ephemeral=True)
    more = replace(more, variables={"v": variable}, settings=("encryption",))
    seen |= {"broken", "has_only_moves", "settings"}
    assert {field.name for field in fields(ModuleFacts)} - seen == set(), "each part of the facts is tried"
    assert len(modules) > 100
    for facts in [*modules, more, ModuleFacts()]:
        assert decode_facts(json.loads(json.dumps(encode_facts(facts)))) == facts


def test_a_project_from_stored_facts_is_the_same(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    parsed = _facts(_code_of(repo, None))
    assert _facts(_code_of(repo, _cache(repo))) == parsed
    assert _path(repo).stat().st_mode & 0o777 == 0o600
    cache = _cache(repo)
    stored = _code_of(repo, cache)
    assert _facts(stored) == parsed
    assert cache._new == 0, "nothing was parsed"


@pytest.mark.parametrize(
    "changed",
    [
        {MAIN: 'variable "p" {\n  default = "three"\n}\n'},
        {f"{STACK}/x.auto.tfvars": 'p = "four"\n'},
        {f"{STACK}/x.tftpl": '${file("main.tf")}'},
        {f"{MODULE}/main.tf": 'locals {\n  read = file("${path.module}/../n/other.txt")\n}\n'},
        {f"{MODULE}/x_override.tf": 'locals {\n  read = "nothing"\n}\n'},
    ],
)
def test_code_that_has_changed_is_parsed(make_repo: MakeRepo, changed: dict[str, str]) -> None:
    repo = make_repo(FILES)
    before = _facts(_code_of(repo, _cache(repo)))
    repo.write(changed)
    parsed = _facts(_code_of(repo, None))
    assert parsed != before
    assert _facts(_code_of(repo, _cache(repo))) == parsed


def test_what_git_converts_is_read_as_it_is_checked_out(make_repo: MakeRepo) -> None:
    repo = make_repo({**FILES, ".gitattributes": "*.tf ident\n"})
    assert not Repository.open(repo.root).working_tree().has_bytes_of_id(MAIN)


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_changed_file_that_git_ignores_by_its_index_flags_is_parsed(
    make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setattr("orchestrator.repository.git.MANY_FILES", 1)
    repo = make_repo(FILES)
    before = _facts(_code_of(repo, _cache(repo)))
    repo.git("update-index", flag, MAIN, f"{STACK}/x.auto.tfvars")
    repo.write({MAIN: 'variable "p" {\n  default = "three"\n}\n', f"{STACK}/x.auto.tfvars": 'p = "four"\n'})
    parsed = _facts(_code_of(repo, None))
    assert parsed != before
    assert _facts(_code_of(repo, _cache(repo))) == parsed
    (repo.root / MAIN).unlink()
    (repo.root / MAIN).symlink_to("x.auto.tfvars")
    tree = Repository.open(repo.root).working_tree()
    assert (MAIN in tree.links, MAIN in tree.ids) == (True, False)


def test_a_file_that_a_sparse_checkout_leaves_out_is_read_from_git(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    before = Repository.open(repo.root).working_tree()
    repo.git("update-index", "--skip-worktree", MAIN)
    (repo.root / MAIN).unlink()
    tree = Repository.open(repo.root).working_tree()
    assert tree.ids == before.ids
    assert tree.read(MAIN) == FILES[MAIN].encode()


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _edited(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"file", b"tile"))


def _of_others(path: Path) -> None:
    path.chmod(0o666)


def _linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _of_another_version(path: Path) -> None:
    head, _, body = path.read_bytes().partition(b"\n")
    form, identity, digest = head.rsplit(b" ", 2)
    path.write_bytes(b"%b %b %b\n" % (form, identity[::-1], digest) + body)


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("spoil", [_truncated, _edited, _of_others, _linked, _a_folder, _of_another_version])
def test_a_file_that_is_not_ours_counts_as_none(make_repo: MakeRepo, spoil: Any) -> None:
    repo = make_repo(FILES)
    parsed = _facts(_code_of(repo, _cache(repo)))
    spoil(_path(repo))
    assert not _cache(repo)._lines
    assert _facts(_code_of(repo, _cache(repo))) == parsed


def test_an_entry_that_is_no_facts_is_passed_over(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    cache = _cache(repo)
    parsed = _facts(_code_of(repo, cache))
    for key in list(cache._used):
        cache.add(key.decode(), [[1], {"calls": 7}])
    cache.save()
    assert _facts(_code_of(repo, _cache(repo))) == parsed


def test_the_file_has_a_limit_and_a_folder_that_cannot_be_written_is_no_failure(make_repo: MakeRepo) -> None:
    repo = make_repo(FILES)
    parsed = _facts(_code_of(repo, None))
    assert _facts(_code_of(repo, _cache(repo, max_bytes=500))) == parsed
    assert _path(repo).stat().st_size < 1_000
    _path(repo).unlink()
    _path(repo).parent.rmdir()
    _path(repo).parent.write_text("a file")
    assert _facts(_code_of(repo, _cache(repo))) == parsed
