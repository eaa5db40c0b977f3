"""Templates: rendering, answers, trust, updates. No Terraform runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from orchestrator.catalog.record import RECORD_FILE, hash_file
from orchestrator.config import load_text
from orchestrator.errors import ConfigError
from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.github import ServedGitHub
from tests.support.repo import Repo
from tests.support.schemas import check_schema

pytest.importorskip("copier")

SETTINGS = """\
backend: {gcs: {bucket: acme-state}}
catalog:
  queue: {folder: templates/queue}
"""
QUESTIONS = """\
_subdirectory: files
size:
  type: int
  default: 3
  validator: "{% if size > 9 %}At most 9.{% endif %}"
owner:
  type: str
pin:
  type: str
  secret: true
  default: "0000"
"""
MAIN = 'locals {\n  one = 1\n\n\n\n  size = {{ size }}\n\n\n\n  owner = "{{ owner }}"\n}\n'
FILES = {
    "infra.yaml": SETTINGS,
    "infra/envs/dev/net/main.tf": "",
    "infra/envs/dev/net/terraform.tfvars": 'project_id = "acme-dev"\nimage = "x"\n',
    "infra/envs/prod/net/main.tf": "",
    "infra/envs/prod/net/terraform.tfvars": 'project_id = "acme-prod"\n',
    "templates/queue/copier.yml": QUESTIONS,
    "templates/queue/files/main.tf.jinja": MAIN,
    "templates/queue/files/old.txt": "old\n",
}


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(FILES)


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def record(repo: Repo, folder: str) -> dict[str, object]:
    content: dict[str, object] = yaml.safe_load((repo.root / folder / RECORD_FILE).read_text())
    return content


def test_a_service_is_made_in_every_environment_with_the_modules_it_needs(repo: Repo, infra: Infra) -> None:
    document = infra("new", "service", "shop", "--data", "alert_email=a@b.example", "--json", code=0).document
    check_schema(document, "commands")
    for environment in ("dev", "prod"):
        folder = repo.root / "infra/envs" / environment / "shop"
        assert f'project_id  = "acme-{environment}"' in (folder / "terraform.tfvars").read_text()
        assert 'source = "../../../modules/service-app-deployed"' in (folder / "main.tf").read_text()
        content = yaml.safe_load((folder / RECORD_FILE).read_text())
        assert content["answers"]["environment"] == environment
        assert content["files"]["main.tf"] == hash_file((folder / "main.tf").read_bytes())
    assert (repo.root / "infra/modules/alerting/main.tf").exists()
    assert not (repo.root / "infra/modules/network").exists()
    assert {"dev/shop", "prod/shop"} <= {
        stack["id"] for stack in infra("list", "--json", code=0).document["stacks"]
    }


REGISTRY = "https://europe-west1-kfp.pkg.dev/acme-dev/ml-pipelines"
DIGEST = f"{REGISTRY}/train/sha256:{'0' * 64}"
PINNED = ("--data", "scheduled_by=terraform")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("service", "net"), 3, "infra/envs/dev/net exists already"),
        (("service", "Shop"), 3, "cannot be a stack's name"),
        (("service", "../x"), 3, "cannot be a stack's name"),
        (("service", "shop", "--data", "max_instances=0"), 3, "Give 1 to 1000."),
        (("service", "shop", "--data", "max_instances=many"), 3, "max_instances must be a whole number"),
        (("service", "shop", "--data", 'project_id=A" }'), 3, "Give the project's id"),
        (("service", "shop", "--data", "project_id=acme-dev\n"), 3, "Give the project's id"),
        (("pipeline", "a-name-that-is-longer-than-22"), 3, "name has 2 to 22 characters"),
        (("pipeline", "p", "--data", "artifact_days=1"), 3, "name has 2 to 22 characters"),
        (("pipeline", "ml", "--data", "publisher=allUsers"), 3, "Give a member as IAM writes it"),
        (("pipeline", "ml", "--data", "artifact_days=-1"), 3, "Give 0 or more."),
        (("pipeline", "ml", "--data", "scheduled_by=terraform"), 3, "template_uri"),
        (("pipeline", "ml", *PINNED, "--data", f"template_uri={REGISTRY}/train/latest"), 3, "by digest"),
        (
            ("pipeline", "ml", *PINNED, "--data", f"template_uri={DIGEST}", "--data", "cron=0 4"),
            3,
            "five fields",
        ),
        (
            ("service", "shop", "--data", "deployed_by=terraform", "--data", "image=x:latest"),
            3,
            "Name the image",
        ),
        (("service", "shop", "--data", "al_email=x"), 3, "has no question 'al_email'"),
        (("service", "shop", "--data", "test/region=x"), 3, "there is no environment 'test'"),
        (("service", "shop", "--data", "region"), 3, "answers nothing"),
        (("service", "shop", "--env", "pro"), 3, "Did you mean prod?"),
        (("service", "shop", "--template", "queue"), 3, "makes a stack, not a service"),
        (("stack", "shop", "--template", "qeue"), 3, "Did you mean queue?"),
        (("stack", "shop", "--template", "queue"), 3, "owner"),
    ],
)
def test_what_is_wrong_is_reported_and_nothing_is_written(
    repo: Repo, infra: Infra, words: tuple[str, ...], code: int, message: str
) -> None:
    ran = infra("new", *words, code=code)
    assert message in ran.err
    assert repo.status == ""


def test_answers_are_recorded_except_secret_ones(repo: Repo, infra: Infra) -> None:
    infra(
        *("new", "stack", "q", "--template", "queue", "--data", "owner=ada", "--data", "prod/size=5"),
        *("--data", "pin=1234"),
        code=0,
    )
    dev, prod = (record(repo, f"infra/envs/{name}/q") for name in ("dev", "prod"))
    assert dev["source"] == "folder:templates/queue"
    assert dev["version"] == repo.head
    assert (dev["answers"]["size"], prod["answers"]["size"]) == (3, 5)  # type: ignore[index]
    assert "1234" not in (repo.root / "infra/envs/dev/q" / RECORD_FILE).read_text()


@pytest.mark.parametrize(
    "code",
    [
        "_tasks: [touch RAN]\n",
        "_jinja_extensions: [os.path]\n",
    ],
)
def test_a_template_runs_code_only_where_trunk_trusts_it(make_repo: MakeRepo, code: str) -> None:
    """A branch cannot trust its own template."""
    repo = make_repo({**FILES, "templates/queue/copier.yml": code + QUESTIONS})
    words = ("new", "stack", "q", "--template", "queue", "--data", "owner=ada")
    assert "would run code" in Infra(repo.root, {})(*words, code=4).err
    repo.branch("feature")
    repo.write({"infra.yaml": SETTINGS.replace("queue}", "queue, trusted: true}")})
    repo.commit(message="trust me")
    assert "would run code" in Infra(repo.root, {})(*words, code=4).err
    assert repo.status == ""
    repo.switch("main")
    repo.write({"infra.yaml": SETTINGS.replace("queue}", "queue, trusted: true}")})
    repo.commit(message="main trusts it")
    assert trusted(repo)
    repo.branch("other")
    repo.write({"templates/queue/copier.yml": "_tasks: [touch OTHER]\n" + QUESTIONS})
    repo.commit(message="another task")
    assert not trusted(repo)
    assert "would run code" in Infra(repo.root, {})(*words, code=4).err


def trusted(repo: Repo) -> bool:
    templates = Infra(repo.root, {})("catalog", "list", "--json", code=0).document["templates"]
    return next(bool(template["trusted"]) for template in templates if template["name"] == "queue")


def updated_repo(repo: Repo, infra: Infra, **files: str) -> None:
    """A copy of the first version of the template in dev, and a second version."""
    infra("new", "stack", "q", "--template", "queue", "--env", "dev", "--data", "owner=ada", code=0)
    repo.commit(message="a queue")
    repo.write({f"templates/queue/{path}": text for path, text in files.items()})
    repo.commit(message="a newer template")


NEWER = {
    "copier.yml": QUESTIONS + "speed:\n  default: fast\n",
    "files/main.tf.jinja": MAIN.replace("one = 1", 'one = "{{ speed }}"'),
    "files/new.txt": "new\n",
}
MAIN_FILE = "infra/envs/dev/q/main.tf"


def test_an_update_merges_the_template_with_own_changes(repo: Repo, infra: Infra) -> None:
    updated_repo(repo, infra, **NEWER)
    text = (repo.root / MAIN_FILE).read_text()
    repo.write({MAIN_FILE: text.replace('"ada"', '"grace"')})
    assert "uncommitted changes" in infra("new", "update", code=3).err
    repo.commit(message="own change")
    preview = infra("new", "update", "--dry-run", code=0).out
    assert "1 made from templates, 1 to update, 0 conflicts." in preview
    assert repo.status == ""
    document = infra("new", "update", "--branch", "newer", "--json", code=0).document
    check_schema(document, "commands")
    merged = (repo.root / MAIN_FILE).read_text()
    assert 'one = "fast"' in merged
    assert 'owner = "grace"' in merged
    assert (repo.root / "infra/envs/dev/q/new.txt").read_text() == "new\n"
    assert (repo.root / ".git/HEAD").read_text() == "ref: refs/heads/newer\n"
    repo.commit(message="updated")
    assert "0 to update" in infra("new", "--update", code=0).out


def test_conflicts_stay_as_markers_and_nothing_is_lost(repo: Repo, infra: Infra) -> None:
    updated_repo(repo, infra, **NEWER)
    repo.write({MAIN_FILE: (repo.root / MAIN_FILE).read_text().replace("one = 1", "one = 17")})
    (repo.root / "templates/queue/files/old.txt").unlink()
    repo.write({"infra/envs/dev/q/old.txt": "mine\n"})
    repo.commit(message="own changes")
    document = infra("new", "update", "--json", code=1).document
    check_schema(document, "commands")
    (update,) = document["updates"]
    assert [conflict["file"] for conflict in update["conflicts"]] == [MAIN_FILE, "infra/envs/dev/q/old.txt"]
    merged = (repo.root / MAIN_FILE).read_text()
    assert "<<<<<<< here" in merged
    assert "one = 17" in merged
    assert 'one = "fast"' in merged
    assert (repo.root / "infra/envs/dev/q/old.txt").read_text() == "mine\n"


@pytest.fixture
def github(tmp_path: Path, repo: Repo) -> Iterator[ServedGitHub]:
    with ServedGitHub(tmp_path, repo=repo) as github:
        repo.git("remote", "add", "origin", str(github.bare))
        yield github


def developer(github: ServedGitHub, repo: Repo) -> Infra:
    return Infra(repo.root, github.environ(github.token("ada"), "push"))


def test_a_stack_and_an_update_are_proposed_as_pull_requests(repo: Repo, github: ServedGitHub) -> None:
    infra = developer(github, repo)
    document = infra(
        *("new", "stack", "q", "--template", "queue", "--env", "dev", "--data", "owner=ada"),
        *("--pull-request", "--json"),
        code=0,
    ).document
    check_schema(document, "commands")
    assert document["pull_request"].endswith("/pull/1")
    assert github.pull(1).title == "Add q from the template queue"
    assert github.branches()["new-stack-q"] == repo.head
    assert repo.status == ""
    assert MAIN_FILE in repo.git("show", "--name-only", "--format=", "HEAD").split()
    words = ("new", "stack", "r", "--template", "queue", "--data", "owner=ada", "--pull-request")
    assert "has commits that are not on main" in infra(*words, code=3).err
    repo.write({"notes.txt": "mine\n"})
    assert "uncommitted changes" in infra(*words, code=3).err
    assert github.branches().keys() == {"main", "new-stack-q"}


def test_an_update_with_conflicts_is_proposed_with_them(repo: Repo, github: ServedGitHub) -> None:
    infra = developer(github, repo)
    updated_repo(repo, infra, **NEWER)
    repo.write({MAIN_FILE: (repo.root / MAIN_FILE).read_text().replace("one = 1", "one = 17")})
    (repo.root / "templates/queue/files/old.txt").unlink()
    repo.commit(message="own change")
    github.push(repo, "main")
    document = infra("new", "update", "--pull-request", "--json", code=1).document
    check_schema(document, "commands")
    pull_request = github.pull(1)
    assert f"- `{MAIN_FILE}`: changed here and in the template: conflict markers" in pull_request.body
    assert repo.status == ""
    assert github.branches()["update-templates"] == repo.head
    assert not (repo.root / "infra/envs/dev/q/old.txt").exists()


@pytest.mark.parametrize("change", ["write", "delete"])
def test_no_link_leads_an_update_out_of_the_repository(
    repo: Repo, infra: Infra, tmp_path: Path, change: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    updated_repo(repo, infra, **{"files/sub/a.txt": "a\n"})
    infra("new", "update", code=0)
    repo.commit(message="updated")
    if change == "write":
        repo.write({"templates/queue/files/sub/b.txt": "b\n"})
    else:
        (repo.root / "templates/queue/files/sub/a.txt").unlink()
    folder = repo.root / "infra/envs/dev/q/sub"
    (folder / "a.txt").rename(outside / "a.txt")
    folder.rmdir()
    folder.symlink_to(outside)
    repo.commit(message="a link, and a newer template")
    for words in ((), ("--dry-run",)):
        assert "leads out of the project" in infra("new", "update", *words, code=3).err
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"a.txt": "a\n"}
    assert repo.status == ""


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("infra/envs/prod", ("stack", "jobs", "--template", "queue", "--data", "owner=ada")),
        ("infra/modules", ("module", "jobs")),
    ],
)
def test_nothing_new_is_made_where_a_link_leads_out(
    repo: Repo, infra: Infra, tmp_path: Path, link: str, words: tuple[str, ...]
) -> None:
    outside = tmp_path / "outside"
    folder = repo.root / link
    if folder.exists():
        folder.rename(outside)
    else:
        outside.mkdir()
    folder.symlink_to(outside)
    infra("new", *words, code=3)
    assert not (outside / "jobs").exists()
    assert not (repo.root / "infra/envs/dev/jobs").exists()


def test_an_update_of_a_folder_that_is_not_there_is_a_mistake(infra: Infra) -> None:
    assert (
        "There is no folder infra/envs/dev/nowhere"
        in infra("new", "update", "infra/envs/dev/nowhere", code=3).err
    )


def test_a_template_of_another_repository_is_read_at_its_commit(
    make_repo: MakeRepo, repo: Repo, infra: Infra
) -> None:
    other = make_repo(
        {"copier.yml": "a: 1\n", "main.tf.jinja": "locals { a = {{ a }} }\n", "sample.yaml": "a: 2\n"},
        "other",
    )
    entry = f"  far: {{git: 'file://{other.root}', commit: {other.head}}}\n"
    repo.write({"infra.yaml": SETTINGS + entry})
    other.write({"main.tf.jinja": "changed\n"})
    other.commit(message="moved on")
    infra("new", "stack", "q", "--template", "far", "--env", "dev", code=0)
    assert (repo.root / MAIN_FILE).read_text() == "locals { a = 1 }\n"
    assert str(record(repo, "infra/envs/dev/q")["version"]) in entry
    assert not (repo.root / "infra/envs/dev/q/sample.yaml").exists()


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{git: 'https://example.com/x.git'}", "`git` needs `commit`"),
        ("{git: 'https://example.com/x.git', commit: main}", "must be the full id of a commit"),
        ("{git: 'ext::sh -c touch', commit: " + "a" * 40 + "}", "must be the address of a Git repository"),
        ("{git: '--upload-pack=x', commit: " + "a" * 40 + "}", "git"),
        ("{git: 'ssh://-oProxyCommand=x/y', commit: " + "a" * 40 + "}", "git"),
        ("{git: 'https://user:secret@example.com/x.git', commit: " + "a" * 40 + "}", "git"),
        ("{folder: ../x}", "folder"),
        ("{kind: stack}", "`folder` must be"),
    ],
)
def test_sources_that_can_move_or_run_programs_are_refused(entry: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_text(f"catalog:\n  x: {entry}\n")
    assert message in str([caught.value.message, caught.value.key, *caught.value.others])


def test_the_form_of_a_template_s_name_is_explained() -> None:
    with pytest.raises(ConfigError, match="must be a name of lower-case letters"):
        load_text("catalog:\n  Queue: {folder: templates/queue}\n")


def test_the_catalogue_is_listed(infra: Infra) -> None:
    document = infra("catalog", "list", "--json", code=0).document
    check_schema(document, "commands")
    assert [template["name"] for template in document["templates"]] == [
        "network",
        "pipeline",
        "project",
        "queue",
        "service",
        "stack",
    ]
    assert "queue" in infra("catalog", "list", code=0).out
    template = infra("catalog", "show", "service", "--json", code=0).document
    check_schema(template, "commands")
    assert {"project_id", "alert_email"} <= {question["name"] for question in template["questions"]}
    assert "max_instances" in infra("catalog", "show", "service", code=0).out


@pytest.mark.parametrize("name", ["project", "network", "stack", "service", "pipeline"])
def test_templates_of_the_package_have_numbers_and_samples(name: str) -> None:
    folder = Path(__file__).parents[3] / "orchestrator/catalog/templates" / name
    for version in folder.iterdir():
        assert version.name.isdigit()
        assert isinstance(yaml.safe_load((version / "sample.yaml").read_text()), dict)


# Copier leaves a listing of a folder open where a file of it cannot be rendered.
@pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:unclosed scandir iterator:ResourceWarning")
@pytest.mark.parametrize(
    ("questions", "files"),
    [
        ("_external_data: {e: /etc/passwd}\n", {"y.jinja": "{{ _external_data.e }}"}),
        ("", {"y.jinja": '{% include "/etc/hostname" %}'}),
        ("", {'{{ ".." }}/{{ ".." }}/evil': "x"}),
        ("_subdirectory: ../..\n", {}),
        ("x: !include /etc/*.yml\n", {}),
        ("", {"y.jinja": "{{ nothing.of_it }}"}),
        # Mistakes of the template, not of an answer.
        ("_min_copier_version: abc\n", {}),
        ("_subdirectory: nowhere\n", {}),
        ("b: {type: int, default: '{{ 1 // 0 }}'}\n", {}),
        # A repository in a stack's folder: git would run programs that its config names.
        ("_subdirectory: f\n", {'f/{{ ".git" }}/config': "x"}),
        ("_subdirectory: f\n", {'f/{{ ".GIT" }}/config': "x"}),
        ("", {"b/{{ 'a\\nb' }}.tf": "x"}),
    ],
)
def test_a_template_reaches_nothing_outside_its_folder(
    make_repo: MakeRepo, questions: str, files: dict[str, str]
) -> None:
    template = {f"templates/queue/{path}": text for path, text in files.items()}
    repo = make_repo({**FILES, "templates/queue/copier.yml": f"{questions}a: 1\n", **template})
    ran = Infra(repo.root, {})("new", "stack", "q", "--template", "queue", code=1)
    assert "UNSAFE" not in ran.err
    assert repo.status == ""
    gc.collect()
