"""Which CLI configuration Terraform gets, and what the one that infra writes says."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config import ProviderInstallation, TerraformSettings
from orchestrator.errors import ConfigError, ProjectError
from orchestrator.terraform.cli_configuration import (
    CliConfiguration,
    choose_cli_configuration,
    render_cli_configuration,
    without_implied_folder,
)

DIRECT = "provider_installation {\n  direct {}\n}\n"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    return folder


@pytest.fixture
def rc(tmp_path: Path) -> Path:
    file = tmp_path / "outside.tfrc"
    file.write_text('plugin_cache_dir = "/x"\n')
    return file


def test_ci_gets_direct_alone_whatever_the_machine_has(checkout: Path, rc: Path, tmp_path: Path) -> None:
    (tmp_path / ".terraformrc").write_text("")
    environ = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(rc)}
    assert choose_cli_configuration(environ, TerraformSettings(), checkout, in_ci=True) == CliConfiguration(
        DIRECT
    )


def test_mirrors_of_trunk_replace_the_registries() -> None:
    text = render_cli_configuration(
        ProviderInstallation(("/opt/m",), ("https://m.example.com/p/",), direct=False)
    )
    assert text == (
        "provider_installation {\n"
        '  filesystem_mirror {\n    path = "/opt/m"\n  }\n'
        '  network_mirror {\n    url = "https://m.example.com/p/"\n  }\n'
        "}\n"
    )


def test_a_mirror_in_the_checkout_is_refused(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(checkout, target_is_directory=True)
    for folder in (checkout / "mirror", tmp_path / "link" / "mirror"):
        settings = TerraformSettings(provider_installation=ProviderInstallation((str(folder),)))
        with pytest.raises(ConfigError, match="lies in the checkout"):
            choose_cli_configuration({}, settings, checkout, in_ci=True)


def test_the_environments_file_counts_in_ci_only_if_trunk_allows_it(checkout: Path, rc: Path) -> None:
    environ = {"TF_CLI_CONFIG_FILE": str(rc)}
    settings = TerraformSettings(cli_config="environment")
    assert choose_cli_configuration(environ, settings, checkout, in_ci=True) == CliConfiguration(file=rc)
    assert choose_cli_configuration({}, settings, checkout, in_ci=True).text == DIRECT


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("in_ci", [False, True])
def test_a_file_in_the_checkout_never_counts(
    checkout: Path, tmp_path: Path, linked: bool, in_ci: bool
) -> None:
    inside = checkout / "evil.tfrc"
    inside.write_text("")
    named = inside
    if linked:
        named = tmp_path / "link.tfrc"
        named.symlink_to(inside)
    settings = TerraformSettings(cli_config="environment")
    cli_configuration = choose_cli_configuration(
        {"TF_CLI_CONFIG_FILE": str(named)}, settings, checkout, in_ci=in_ci
    )
    assert cli_configuration.text == DIRECT
    assert cli_configuration.file is None
    assert str(named) in cli_configuration.notes[0]


def test_a_laptop_keeps_the_users_own_file(checkout: Path, rc: Path, tmp_path: Path) -> None:
    settings = TerraformSettings(provider_installation=ProviderInstallation(("/opt/m",)))
    environ = {"TF_CLI_CONFIG_FILE": str(rc), "HOME": str(tmp_path), "TF_TOKEN_evil_example_com": "t"}
    assert choose_cli_configuration(environ, settings, checkout, in_ci=False) == CliConfiguration(file=rc)
    del environ["TF_CLI_CONFIG_FILE"]
    assert choose_cli_configuration(environ, settings, checkout, in_ci=False) == CliConfiguration()
    home = tmp_path / ".terraformrc"
    home.write_text("")
    assert choose_cli_configuration(environ, settings, checkout, in_ci=False) == CliConfiguration(file=home)


@pytest.mark.parametrize(
    ("credentials", "mirrors", "withheld"),
    [
        ((), (), ("TF_TOKEN_a__b_example_com", "TF_TOKEN_evil_example_com")),
        (("A-B.example.com",), (), ("TF_TOKEN_evil_example_com",)),
        ((), ("https://a-b.example.com:8443/p/",), ("TF_TOKEN_evil_example_com",)),
        (("evil.example.com", "a-b.example.com"), (), ()),
    ],
)
def test_tokens_go_to_listed_hosts_only(
    checkout: Path, credentials: tuple[str, ...], mirrors: tuple[str, ...], withheld: tuple[str, ...]
) -> None:
    environ = {"TF_TOKEN_a__b_example_com": "t", "TF_TOKEN_evil_example_com": "t"}
    settings = TerraformSettings(
        provider_installation=ProviderInstallation((), mirrors), credentials=credentials
    )
    cli_configuration = choose_cli_configuration(environ, settings, checkout, in_ci=True)
    assert cli_configuration.withheld == withheld
    assert bool(cli_configuration.notes) == bool(withheld)


def test_the_working_directorys_folder_is_left_out_on_a_laptop(tmp_path: Path, rc: Path) -> None:
    package = tmp_path / ".terraform.d" / "plugins" / "example.com" / "acme" / "x" / "1.0.0"
    package.mkdir(parents=True)
    environ = {"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(rc), "XDG_DATA_DIRS": "/none"}
    text = without_implied_folder(environ) or ""
    assert text.startswith('plugin_cache_dir = "/x"\n')
    assert f'path = "{tmp_path}/.terraform.d/plugins"' in text
    assert 'exclude = ["example.com/acme/x"]' in text


def test_a_configuration_with_installation_methods_needs_no_other(tmp_path: Path, rc: Path) -> None:
    rc.write_text("provider_installation {\n  direct {}\n}\n")
    assert without_implied_folder({"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(rc)}) is None
    folder = tmp_path / ".terraform.d"
    folder.mkdir()
    (folder / "a.tfrc").write_text("  provider_installation { direct {} }")
    assert without_implied_folder({"HOME": str(tmp_path)}) is None


def test_a_json_configuration_cannot_be_extended(tmp_path: Path, rc: Path) -> None:
    rc.write_text('{"plugin_cache_dir": "/x"}')
    with pytest.raises(ProjectError, match=r"terraform\.d"):
        without_implied_folder({"HOME": str(tmp_path), "TF_CLI_CONFIG_FILE": str(rc)})
