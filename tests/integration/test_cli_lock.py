"""`infra lock` on real Terraform, with providers from a folder: one version for all, every platform."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import MakeRepo
from tests.support.cli import Infra
from tests.support.providers import platform_name
from tests.support.repo import Repo
from tests.support.schemas import check_schema

PLATFORMS = ("linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64")
REQUIRES = 'terraform {\n  required_providers {\n    x = { source = "acme/x", version = "%s" }\n  }\n}\n'
LOCK = ".terraform.lock.hcl"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """acme/x in three versions, for every platform; no package can run, and none is."""
    for version in ("1.0.0", "1.1.0", "2.0.0"):
        for host in ("registry.terraform.io", "registry.opentofu.org"):
            for platform in PLATFORMS:
                package = tmp_path / "mirror" / host / "acme" / "x" / version / platform
                package.mkdir(parents=True)
                (package / f"terraform-provider-x_v{version}").write_text(f"{version} {platform}\n")
    return tmp_path / "mirror"


@pytest.fixture
def repo(make_repo: MakeRepo) -> Repo:
    return make_repo(
        {
            "infra/envs/dev/a/main.tf": REQUIRES % ">= 1.0",
            "infra/envs/dev/b/main.tf": REQUIRES % "< 2.0",
            "infra/envs/dev/none/main.tf": 'resource "terraform_data" "x" {}\n',
            "infra/envs/prod/a/main.tf": 'module "m" {\n  source = "../../../modules/m"\n}\n',
            "infra/modules/m/main.tf": REQUIRES % ">= 1.0",
        }
    )


@pytest.fixture
def infra(repo: Repo) -> Infra:
    return Infra(repo.root, {})


def locked(repo: Repo) -> dict[str, str]:
    """The version in each lock file, by stack."""
    envs = repo.root / "infra" / "envs"
    versions = {}
    for path in sorted(envs.rglob(LOCK)):
        match = re.search(r'version\s+= "([^"]+)"', path.read_text())
        assert match
        versions[path.parent.relative_to(envs).as_posix()] = match[1]
    return versions


def test_every_stack_gets_the_newest_version_that_fits_all(repo: Repo, infra: Infra, mirror: Path) -> None:
    ran = infra("lock", "--fs-mirror", str(mirror), "--json", code=0)
    check_schema(ran.document, "lock")

    assert locked(repo) == {"dev/a": "1.1.0", "dev/b": "1.1.0", "prod/a": "1.1.0"}
    assert [file["result"] for file in ran.document["files"]] == ["written"] * 3
    text = (repo.root / "infra/envs/dev/b" / LOCK).read_text()
    assert text.count('"h1:') == len(PLATFORMS)
    assert re.search(r'constraints = "< 2\.0(\.0)?"', text)
    again = infra("lock", "--fs-mirror", str(mirror), "--json", code=0)
    assert {file["result"] for file in again.document["files"]} == {"unchanged"}
    assert not list((repo.root / "infra").rglob(".terraform"))


def test_what_it_wrote_is_what_init_wants(repo: Repo, mirror: Path) -> None:
    config = mirror.with_name("terraform.rc")
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    infra = Infra(repo.root, {"TF_CLI_CONFIG_FILE": str(config)})
    infra("lock", "--fs-mirror", str(mirror), code=0)

    for stack in ("dev/a", "dev/b", "prod/a"):
        infra("run", stack, "--", "version", code=0)

    # Initialised in the checkout itself: a shadow is needed where a lock file is not whole.
    assert not list((repo.root / ".infra/shadow").glob("*+lock"))


def test_versions_stay_until_they_are_to_be_upgraded(repo: Repo, infra: Infra, mirror: Path) -> None:
    repo.write({"infra/envs/dev/b/main.tf": REQUIRES % "< 1.1"})
    infra("lock", "--fs-mirror", str(mirror), code=0)
    assert set(locked(repo).values()) == {"1.0.0"}

    repo.write({"infra/envs/dev/b/main.tf": REQUIRES % ">= 0.9"})
    infra("lock", "--fs-mirror", str(mirror), code=0)
    assert set(locked(repo).values()) == {"1.0.0"}
    ran = infra("lock", "dev/a", "--upgrade", "--fs-mirror", str(mirror), code=1)
    assert "2.0.0 in dev/a; 1.0.0 in dev/b, prod/a" in ran.err
    infra("lock", "--fs-mirror", str(mirror), code=0)
    assert set(locked(repo).values()) == {"2.0.0"}


def test_nothing_is_written_unless_everything_can_be(repo: Repo, infra: Infra, mirror: Path) -> None:
    repo.write({"infra/envs/dev/b/main.tf": REQUIRES % "< 1.0"})

    ran = infra("lock", "--fs-mirror", str(mirror), code=1)

    assert "No lock file was written" in ran.err
    assert "no available releases match the given" in ran.err
    assert locked(repo) == {}


def test_a_registry_out_of_reach_is_one_clear_error(repo: Repo, infra: Infra) -> None:
    ran = infra("lock", "dev/a", "--json", code=1)

    (error,) = ran.document["errors"]
    assert error["message"].startswith("A registry cannot be reached, so no lock file was written.")
    assert "--fs-mirror DIR" in error["advice"]
    assert locked(repo) == {}


def test_a_lock_file_for_another_platform_is_one_clear_error(repo: Repo, mirror: Path) -> None:
    config = mirror.with_name("terraform.rc")
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    infra = Infra(repo.root, {"TF_CLI_CONFIG_FILE": str(config)})
    # Locked where only another platform's package was at hand.
    glob = list(mirror.glob(f"*/acme/x/*/{platform_name()}"))
    for path in glob:
        program = next(path.iterdir())
        program.write_text("somewhere else\n")
    infra("lock", "--fs-mirror", str(mirror), code=0)
    for path in glob:
        next(path.iterdir()).write_text("here\n")

    stack = infra("plan", "dev/a", "--json", code=1).stack("dev/a")

    assert stack["reason"].startswith("init failed:")
    assert "infra lock" in stack["advice"]


def test_the_mirror_of_the_cli_configuration_and_the_platforms_count(repo: Repo, mirror: Path) -> None:
    config = mirror.with_name("terraform.rc")
    config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror}"\n  }}\n}}\n')
    infra = Infra(repo.root, {"TF_CLI_CONFIG_FILE": str(config)})

    error = infra("lock", "--platform", "plan9_mips", "--json", code=1).document["errors"][0]
    infra("lock", "dev/a", "--platform", "linux_amd64", "--platform", "darwin_arm64", code=0)

    assert "plan9_mips" in error["message"]
    assert "--platform OS_ARCH" in error["advice"]
    assert (repo.root / "infra/envs/dev/a" / LOCK).read_text().count('"h1:') == 2


def test_validate_and_doctor_point_to_it(infra: Infra) -> None:
    assert "infra lock dev/a" in infra("validate").out
    assert "`infra lock`" in infra("doctor").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--platform", "linux"), "is no platform"),
        (("--fs-mirror", "nowhere"), "is not a folder"),
        (("--fs-mirror", ".", "--net-mirror", "https://x/"), "There can be one mirror"),
        (("dev/c",), "dev/c"),
    ],
)
def test_wrong_arguments_are_reported(infra: Infra, arguments: tuple[str, ...], message: str) -> None:
    assert message in infra("lock", *arguments, code=3).err


def test_on_the_sandbox_there_is_nothing_to_lock(repo: Repo) -> None:
    infra = Infra(repo.root, {"TF_REATTACH_PROVIDERS": "{}"})

    assert "providers are simulated" in infra("lock", code=3).err


def test_stacks_without_providers_need_none(infra: Infra) -> None:
    assert "Nothing to lock" in infra("lock", "dev/none", code=0).out
