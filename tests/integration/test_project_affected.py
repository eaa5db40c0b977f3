"""What a change affects, by which files, and what follows."""

from __future__ import annotations

import json
import posixpath
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.errors import GitError
from orchestrator.repository.affected import Affected, find_affected, load_base
from orchestrator.repository.loading import load
from tests.conftest import MakeRepo
from tests.support.repo import Repo

FILES = {
    "infra.yaml": "backend: {gcs: {bucket: states}}\n"
    "environments: {dev: {var_files: [infra/dev.tfvars], timeouts: {plan: 5m}}, prod: {}}\n",
    "infra/dev.tfvars": "",
    "infra/modules/net/main.tf": 'module "sub" {\n  source = "../sub"\n}\n'
    'locals {\n  p = file("${path.module}/../shared/policy.json")\n}\n',
    "infra/modules/net/README.md": "",
    "infra/modules/net/tests/x.tftest.hcl": "",
    "infra/modules/net/examples/e/main.tf": "",
    "infra/modules/sub/main.tf": 'locals {\n  t = templatefile("${path.module}/t.tpl", {})\n}\n',
    "infra/modules/sub/t.tpl": 'hello ${file("motd")}\n',
    "infra/modules/shared/policy.json": "{}",
    "infra/modules/unused/main.tf": "",
    "infra/envs/dev/net/main.tf": 'terraform {\n  backend "gcs" {}\n}\n'
    'module "net" {\n  source = "../../../modules/net"\n}\n',
    "infra/envs/dev/net/motd": "hi\n",
    "infra/envs/dev/net/.terraform.lock.hcl": "",
    "infra/envs/dev/net/notes.md": "",
    "infra/envs/dev/app/main.tf": 'terraform {\n  backend "gcs" {}\n}\n'
    'data "terraform_remote_state" "net" {\n  backend = "gcs"\n'
    '  config = {\n    bucket = "states"\n    prefix = "dev/state/net"\n  }\n}\n'
    "locals {\n  id = data.terraform_remote_state.net.outputs.id\n}\n",
    "infra/envs/dev/late/main.tf": 'data "terraform_remote_state" "app" {\n  backend = "gcs"\n'
    '  config = {\n    bucket = "states"\n    prefix = "dev/state/app"\n  }\n}\n',
    "infra/envs/prod/net/main.tf": 'module "net" {\n  source = "../../../modules/net"\n}\n',
    "README.md": "",
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    repository = make_repo(FILES)
    repository.branch("feature")
    return repository


def affected_stacks(repo: Repo) -> Affected:
    return find_affected(load(repo.root))


def _ignore_config(repo: Repo) -> None:
    repo.remove("infra.yaml")
    repo.commit({"README.md": "without infra.yaml"})
    repo.write({".git/info/exclude": "infra.yaml\n", "infra.yaml": FILES["infra.yaml"]})


def _leave_config_out(repo: Repo) -> None:
    repo.git("update-index", "--skip-worktree", "infra.yaml")
    (repo.root / "infra.yaml").unlink()


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda repo: None, True),
        (lambda repo: repo.commit({".gitattributes": "*.tf ident\n"}), False),
        (lambda repo: repo.write({"infra/envs/dev/net/motd": "bye\n"}), False),
        (lambda repo: repo.write({"infra/envs/dev/net/new.tf": ""}), False),
        (_ignore_config, False),
        (_leave_config_out, False),
    ],
)
def test_a_base_with_the_same_files_is_not_read(
    repo: Repo, monkeypatch: pytest.MonkeyPatch, change: Callable[[Repo], None], is_same: bool
) -> None:
    """Only where the bytes and infra.yaml are the same too, and never with `--cold`."""
    monkeypatch.setattr("orchestrator.repository.git.MANY_FILES", 1)
    change(repo)
    project, cold = load(repo.root, with_stored=True), load(repo.root)
    head = repo.git("rev-parse", "HEAD").strip()
    same = [load_base(of, head)[0] is of for of in (project, cold)]
    assert same == [is_same, False]
    assert find_affected(project) == find_affected(cold)


def test_the_number_of_git_processes_does_not_grow_with_the_stacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A template of each stack is read from the working tree, not from the base by a process for each."""

    def processes(count: int) -> int:
        files = {"infra.yaml": "environments: {dev: {}}\n"}
        for number in range(count):
            folder = f"infra/envs/dev/s{number}"
            template = "${path.module}/t.tpl"
            files[f"{folder}/main.tf"] = f'locals {{\n  t{number} = templatefile("{template}", {{}})\n}}\n'
            files[f"{folder}/t.tpl"] = f"{number}"
        repo = Repo(tmp_path / str(count), files)
        repo.branch("feature")
        trace = tmp_path / f"trace-{count}"
        with monkeypatch.context() as patch:
            # Git writes a line for each of its own processes.
            patch.setenv("GIT_TRACE2_EVENT", str(trace))
            assert affected_stacks(repo).ids == ()
        return trace.read_text().count('"event":"start"')

    assert 0 < processes(2) == processes(6)


def test_nothing_changed(repo: Repo) -> None:
    assert affected_stacks(repo) == Affected(repo.head, (), {}, ())


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("infra/envs/dev/net/main.tf", ["dev/net"]),
        ("infra/envs/dev/net/new.tf", ["dev/net"]),
        ("infra/envs/dev/net/x.auto.tfvars", ["dev/net"]),
        ("infra/envs/dev/net/terraform.tfvars.json", ["dev/net"]),
        ("infra/envs/dev/net/.terraform.lock.hcl", ["dev/net"]),
        ("infra/envs/dev/net/.terraform-version", ["dev/net"]),
        ("infra/envs/dev/net/motd", ["dev/net"]),
        ("infra/envs/prod/net/motd", ["prod/net"]),
        ("infra/envs/dev/net/other.tfvars", []),
        ("infra/envs/dev/net/notes.md", []),
        ("infra/dev.tfvars", ["dev/app", "dev/late", "dev/net"]),
        ("infra/modules/net/main.tf", ["dev/net", "prod/net"]),
        ("infra/modules/net/outputs.tf", ["dev/net", "prod/net"]),
        ("infra/modules/sub/main.tf", ["dev/net", "prod/net"]),
        ("infra/modules/sub/t.tpl", ["dev/net", "prod/net"]),
        ("infra/modules/shared/policy.json", ["dev/net", "prod/net"]),
        ("infra/modules/shared/other.json", []),
        ("infra/modules/net/README.md", []),
        ("infra/modules/net/tests/x.tftest.hcl", []),
        ("infra/modules/net/examples/e/main.tf", []),
        ("infra/modules/net/terraform.tfvars", []),
        ("infra/modules/unused/main.tf", []),
        (".terraform-version", ["dev/app", "dev/late", "dev/net", "prod/net"]),
        ("README.md", []),
    ],
)
def test_one_file(repo: Repo, path: str, ids: list[str]) -> None:
    repo.write({path: FILES.get(path, "") + "# changed\n"})
    uncommitted = affected_stacks(repo)
    repo.commit()
    committed = affected_stacks(repo)
    assert list(uncommitted.ids) == list(committed.ids) == ids
    assert uncommitted.stacks == committed.stacks
    for stack in committed.stacks:
        assert stack.change == "changed"
        assert [(chain[0], chain[-1]) for chain in stack.reasons] == [(path, stack.id)]


def test_the_chain_goes_through_the_modules(repo: Repo) -> None:
    repo.write(
        {
            "infra/modules/sub/t.tpl": FILES["infra/modules/sub/t.tpl"] + "changed",
            "infra/modules/shared/policy.json": "[]",
        }
    )
    [dev, _] = affected_stacks(repo).stacks
    assert dev.reasons == (
        ("infra/modules/shared/policy.json", "infra/modules/net", "dev/net"),
        ("infra/modules/sub/t.tpl", "infra/modules/net", "dev/net"),
    )


@pytest.mark.parametrize(
    ("old", "new", "ids", "key"),
    [
        ("bucket: states", "bucket: other", ["dev/app", "dev/net"], "backend.bucket"),
        ("var_files: [infra/dev.tfvars]", "var_files: []", ["dev/app", "dev/late", "dev/net"], "var_files"),
        ("prod: {}", "prod: {env: [TF_VAR_a]}", ["prod/net"], "env"),
        ("plan: 5m", "plan: 6m", [], ""),
        ("prod: {}", "prod: {parallelism: 2, protected: false}", [], ""),
    ],
)
def test_settings(repo: Repo, old: str, new: str, ids: list[str], key: str) -> None:
    repo.write({"infra.yaml": FILES["infra.yaml"].replace(old, new)})
    result = affected_stacks(repo)
    assert list(result.ids) == ids
    assert all(("infra.yaml", key, stack.id) in stack.reasons for stack in result.stacks)


def test_dependents_may_change_after_what_they_read(repo: Repo) -> None:
    repo.write({"infra/envs/dev/net/main.tf": FILES["infra/envs/dev/net/main.tf"] + "\n"})
    result = affected_stacks(repo)
    assert result.ids == ("dev/net",)
    assert result.dependents == {"dev/app": ("dev/net",), "dev/late": ("dev/app",)}


def test_new_deleted_and_renamed_stacks(repo: Repo) -> None:
    repo.write(
        {
            "infra/envs/dev/new/main.tf": "",
            "infra/envs/dev/late2/main.tf": FILES["infra/envs/dev/late/main.tf"],
        }
    )
    repo.remove("infra/envs/dev/late/main.tf")
    result = affected_stacks(repo)
    assert [(stack.id, stack.change) for stack in result.stacks] == [("dev/late2", "new"), ("dev/new", "new")]
    assert [stack.id for stack in result.deleted] == ["dev/late"]
    assert result.dependents == {}


def test_reads_are_part_of_it(repo: Repo) -> None:
    config = FILES["infra.yaml"] + "stacks: {prod/net: {reads: [infra/data]}}\n"
    repo.commit({"infra.yaml": config, "infra/data/a": "1"})
    before = load(repo.root).fingerprint("prod/net")
    repo.write({"infra/data/a": "2"})
    assert load(repo.root).fingerprint("prod/net") != before
    assert "infra/data/a" in load(repo.root).files("prod/net")


def test_a_path_of_unknown_value_stands_for_its_folder(make_repo: MakeRepo) -> None:
    stack = 'variable "n" {}\nlocals {\n  a = file(var.n)\n}\n'
    repo = make_repo({"infra/envs/dev/a/main.tf": stack, "infra/envs/dev/a/deep/x": "1", "infra/other": "1"})
    repo.branch("feature")
    repo.write({"infra/other": "2"})
    assert affected_stacks(repo).ids == ()
    repo.write({"infra/envs/dev/a/deep/x": "2"})
    assert affected_stacks(repo).ids == ("dev/a",)
    repo.commit({"infra.yaml": "stacks: {dev/a: {reads: [infra/other]}}\n"})
    repo.git("branch", "-f", "main", "HEAD")
    repo.write({"infra/envs/dev/a/deep/x": "3"})
    assert affected_stacks(repo).ids == ()
    repo.write({"infra/other": "3"})
    assert affected_stacks(repo).ids == ("dev/a",)


def test_a_module_whose_source_cannot_be_determined_takes_all_modules(make_repo: MakeRepo) -> None:
    repo = make_repo(
        {
            "infra/envs/dev/a/main.tf": 'module "m" {\n  source = var.s\n}\n',
            "infra/modules/m/main.tf": "",
        }
    )
    repo.branch("feature")
    repo.write({"infra/modules/m/main.tf": "# changed\n"})
    assert affected_stacks(repo).ids == ("dev/a",)


def test_a_base_that_cannot_be_read_affects_everything(repo: Repo) -> None:
    repo.switch("main")
    repo.commit({"infra.yaml": "trunk: [\n"})
    repo.git("branch", "-f", "feature", "HEAD")
    repo.switch("feature")
    repo.write({"infra.yaml": FILES["infra.yaml"]})
    result = affected_stacks(repo)
    assert len(result.ids) == 4
    assert all("cannot be read" in stack.reasons[0][0] for stack in result.stacks)


def test_the_base_is_where_the_branches_parted(repo: Repo) -> None:
    first = repo.head
    repo.commit({"infra/envs/dev/late/main.tf": "# mine\n"})
    repo.switch("main")
    repo.commit({"infra/envs/dev/app/main.tf": "# theirs\n"})
    repo.switch("feature")
    result = affected_stacks(repo)
    assert (result.base, result.ids) == (first, ("dev/late",))
    assert find_affected(load(repo.root), "HEAD").ids == ()
    with pytest.raises(GitError, match="no revision 'nowhere'"):
        find_affected(load(repo.root), "nowhere")


def test_before_the_first_commit_everything_is_new(tmp_path: Path) -> None:
    repo = Repo(tmp_path / "new")
    repo.write(FILES)
    result = find_affected(load(repo.root))
    assert result.base is None
    assert {stack.change for stack in result.stacks} == {"new"}
    assert len(result.stacks) == 4


# An oracle for random trees: it knows nothing of HCL but the two things that the generator writes, as text
# and as JSON.

CALL = re.compile(r'source"?(?: =|:) "(\.[^"]*)"')
FILE = re.compile(r'file\(\\?"\$\{path\.module\}/([^"\\]*)\\?"\)')
MAIN = ("main.tf", "main.tf.json")


def truth(files: dict[str, str], stack: str) -> dict[str, str | None]:
    """All that a stack reads: paths with texts, None for a file that is not there."""
    read: dict[str, str | None] = {}
    todo, seen = [f"infra/envs/{stack}"], set()
    while todo:
        folder = todo.pop()
        if folder in seen:
            continue
        seen.add(folder)
        for name, text in files.items():
            if posixpath.dirname(name) == folder and name.endswith((".tf", ".tf.json")):
                read[name] = text
                todo += [posixpath.normpath(f"{folder}/{source}") for source in CALL.findall(text)]
                for path in FILE.findall(text):
                    target = posixpath.normpath(f"{folder}/{path}")
                    read[target] = files.get(target)
        read.update(
            {
                name: text
                for name, text in files.items()
                if name == f"{folder}/terraform.tfvars" and folder == f"infra/envs/{stack}"
            }
        )
    return read


def random_files(pick: random.Random) -> dict[str, str]:
    folders = [f"infra/modules/m{number}" for number in range(pick.randint(1, 6))]
    folders += [f"infra/modules/m0/deep{number}" for number in range(pick.randint(0, 2))]
    stacks = [
        f"infra/envs/{env}/s{number}" for env in ("dev", "prod") for number in range(pick.randint(1, 3))
    ]
    files = {}
    for index, folder in enumerate([*folders, *stacks]):
        # Modules call later modules only, so that there is no ring.
        callable_ = folders[index + 1 :] if folder in folders else folders
        parts = [part(pick, folder, callable_, n) for n in range(pick.randint(0, 3))]
        if pick.random() < 0.25:
            files[f"{folder}/main.tf.json"] = as_json(parts)
        else:
            files[f"{folder}/main.tf"] = "".join(as_text(*part) for part in parts)
        for extra in pick.sample(
            ["data.txt", "README.md", "terraform.tfvars", "more.tf"], pick.randint(0, 3)
        ):
            files[f"{folder}/{extra}"] = f"# {pick.random()}\n"
    return files


def part(pick: random.Random, folder: str, folders: list[str], number: int) -> tuple[str, str, str]:
    """A module call, or a file that is read: kind, name, path."""
    if folders and pick.random() < 0.6:
        source = posixpath.relpath(pick.choice(folders), folder)
        return "module", f"c{number}", source if source.startswith(".") else f"./{source}"
    return "locals", f"f{number}", pick.choice(["data.txt", "../data.txt", "missing", "../m0/data.txt"])


def as_text(kind: str, name: str, path: str) -> str:
    if kind == "module":
        return f'module "{name}" {{\n  source = "{path}"\n}}\n'
    return f'locals {{\n  {name} = file("${{path.module}}/{path}")\n}}\n'


def as_json(parts: list[tuple[str, str, str]]) -> str:
    content: dict[str, dict[str, object]] = {"module": {}, "locals": {}}
    for kind, name, path in parts:
        value = {"source": path} if kind == "module" else f'${{file("${{path.module}}/{path}")}}'
        content[kind][name] = value
    return json.dumps(content)


def mutate(pick: random.Random, files: dict[str, str]) -> dict[str, str]:
    changed = dict(files)
    for _ in range(pick.randint(1, 3)):
        name = pick.choice(sorted(changed))
        match pick.choice(["edit", "delete", "add", "rename", "drop a stack", "move a stack"]):
            case "edit":
                changed[name] += " " if name.endswith(".json") else f"# {pick.random()}\n"
            case "drop a stack" | "move a stack" as what if pick.random() < 0.3:
                stack = pick.choice(stacks_of(changed))
                folder = f"infra/envs/{stack}/"
                taken = {key: changed.pop(key) for key in sorted(changed) if key.startswith(folder)}
                if what == "move a stack" or not stacks_of(changed):
                    changed |= {key.replace(folder, f"{folder[:-1]}-moved/"): taken[key] for key in taken}
            case "delete" if not name.endswith(MAIN):
                del changed[name]
            case "add":
                changed[
                    posixpath.join(posixpath.dirname(name), pick.choice(["missing", "data.txt", "z.tf"]))
                ] = "# x\n"
            case "rename" if not name.endswith(MAIN):
                changed[f"{name}.old"] = changed.pop(name)
    return changed


def stacks_of(files: dict[str, str]) -> list[str]:
    """The folders of environments that hold code."""
    roots = {
        posixpath.dirname(name)
        for name in files
        if name.startswith("infra/envs/") and name.endswith((".tf", ".tf.json"))
    }
    return sorted(root.removeprefix("infra/envs/") for root in roots)


def check_against_truth(repo: Repo, pick: random.Random) -> int:
    """One random tree and change; gives how many stacks were affected."""
    shutil.rmtree(repo.root / "infra", ignore_errors=True)
    old = random_files(pick)
    repo.commit(old)
    new = mutate(pick, old)
    for removed in old.keys() - new.keys():
        repo.remove(removed)
    repo.write(new)
    affected = find_affected(load(repo.root))
    was, now = stacks_of(old), stacks_of(new)
    expected = {stack for stack in now if stack not in was or truth(old, stack) != truth(new, stack)}
    assert set(affected.ids) == expected
    assert {stack.id for stack in affected.stacks if stack.change == "new"} == set(now) - set(was)
    assert {stack.id for stack in affected.deleted} == set(was) - set(now)
    # With what an earlier run stored, and where the base has the same files.
    assert find_affected(load(repo.root, with_stored=True)) == affected
    repo.commit(new)
    assert find_affected(load(repo.root, with_stored=True)) == find_affected(load(repo.root))
    return len(expected)


def test_random_changes_affect_what_they_should(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.repository.git.MANY_FILES", 1)
    repo = make_repo()
    pick = random.Random(3)
    assert sum(check_against_truth(repo, pick) for _ in range(20)) > 6


@pytest.mark.soak
def test_a_thousand_random_changes(make_repo: MakeRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.repository.git.MANY_FILES", 1)
    repo = make_repo()
    pick = random.Random(7)
    assert sum(check_against_truth(repo, pick) for _ in range(1_000)) > 400
