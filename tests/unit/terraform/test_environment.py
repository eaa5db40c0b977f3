"""What reaches Terraform's environment, and what stays with us."""

from __future__ import annotations

import pytest

from orchestrator.terraform.environment import (
    ALWAYS,
    GO_TUNING,
    child_environment,
    dropped_names,
    missing_cli_config,
)


def variables(base: dict[str, str], **options: object) -> dict[str, str]:
    """The child's environment without what is always set."""
    child = child_environment(base, exists=lambda path: path == "/there", **options)  # type: ignore[arg-type]
    added = ALWAYS | GO_TUNING
    return {name: value for name, value in child.items() if added.get(name) != value}


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "XDG_CONFIG_HOME"),
        *("HTTPS_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL"),
        *("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_CORE_PROJECT"),
        *("TF_VAR_region", "TF_TOKEN_app_terraform_io", "TF_ENCRYPTION", "GOMAXPROCS"),
    ],
)
def test_what_terraform_and_google_need_is_preserved(name: str) -> None:
    assert variables({name: "v"}) == {name: "v"}
    assert dropped_names({name: "v"}) == ()


@pytest.mark.parametrize(
    "name",
    [
        *("GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "ACTIONS_RUNTIME_TOKEN"),
        *("TF_CLI_ARGS", "TF_CLI_ARGS_plan", "TF_LOG", "TF_LOG_PATH", "TF_WORKSPACE", "TF_DATA_DIR"),
        *("TF_REATTACH_PROVIDERS", "STORAGE_EMULATOR_HOST", "TF_PLUGIN_CACHE_DIR", "TF_INPUT"),
        *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "PYTHONPATH", "LD_PRELOAD", "SECRET_OF_MINE"),
    ],
)
def test_what_is_not_terraforms_business_stays_here(name: str) -> None:
    assert variables({name: "v"}) == {}


def test_what_is_dropped_is_reported() -> None:
    base = {"PATH": "/bin", "TF_LOG": "trace", "DD_API_KEY": "k", "TF_CLI_CONFIG_FILE": "/gone"}
    assert dropped_names(base, exists=lambda path: False) == ("DD_API_KEY", "TF_CLI_CONFIG_FILE", "TF_LOG")
    assert dropped_names(base, passed=["DD_*"], exists=lambda path: True) == ("TF_LOG",)


@pytest.mark.parametrize(
    ("passed", "names"),
    [(["DD_API_KEY"], ["DD_API_KEY"]), (["DD_*"], ["DD_API_KEY", "DD_SITE"]), (["TF_LOG"], ["TF_LOG"])],
)
def test_configured_names_are_passed(passed: list[str], names: list[str]) -> None:
    base = {"DD_API_KEY": "k", "DD_SITE": "eu", "TF_LOG": "trace"}
    assert sorted(variables(base, passed=passed)) == names


def test_in_a_job_of_github_an_empty_variable_is_one_that_is_not_set() -> None:
    """There `${{ secrets.NAME }}` of a secret that does not exist is an empty text."""
    base = {"TF_VAR_size": "", "DD_API_KEY": "", "TF_VAR_name": "x"}
    assert {"TF_VAR_size", "DD_API_KEY", "TF_VAR_name"} <= set(child_environment(base, passed=["DD_*"]))
    job = child_environment({**base, "GITHUB_ACTIONS": "true"}, passed=["DD_*"])
    assert {"TF_VAR_size", "DD_API_KEY", "TF_VAR_name"} & set(job) == {"TF_VAR_name"}


def test_the_sandbox_attaches_only_within_itself() -> None:
    base = {
        "TF_REATTACH_PROVIDERS": "{}",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "INFRA_SANDBOX": "d",
    }
    assert variables(base) == {}
    assert variables(base, sandbox=True) == base


@pytest.mark.parametrize(("path", "stays"), [("/there", True), ("/gone", False)])
def test_a_cli_configuration_must_exist(path: str, stays: bool) -> None:
    base = {"TF_CLI_CONFIG_FILE": path}
    assert variables(base) == (base if stays else {})
    assert missing_cli_config(base, lambda p: p == "/there") == (None if stays else path)


def test_automation_is_always_set_and_extra_wins() -> None:
    child = child_environment({"TF_INPUT": "1", "CHECKPOINT_DISABLE": "0"}, extra={"TF_INPUT": "x"})
    assert (child["TF_IN_AUTOMATION"], child["CHECKPOINT_DISABLE"], child["TF_INPUT"]) == ("1", "1", "x")


def test_opentofu_checks_signatures_whatever_the_job_sets() -> None:
    """Otherwise it installs a package whose signing key it does not know."""
    name = "OPENTOFU_ENFORCE_GPG_VALIDATION"
    assert child_environment({name: "false"}, passed=[name])[name] == "true"


def test_a_users_own_tuning_of_go_is_respected() -> None:
    assert child_environment({})["GOGC"] == "400"
    child = child_environment({"GOGC": "50"})
    assert child["GOGC"] == "50"
    assert "GOMEMLIMIT" not in child
