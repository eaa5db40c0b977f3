"""A real provider on the sandbox: pointed to this machine, with nothing of the caller's accounts."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from orchestrator.config import load_text
from orchestrator.errors import ConfigError
from orchestrator.sandbox.real import resolve_variables, use_real_providers

ADDRESSES = {"gcs": "http://127.0.0.1:1002", "github": "http://127.0.0.1:1005"}
AWS, GOOGLE = "registry.terraform.io/hashicorp/aws", "registry.terraform.io/hashicorp/google"
CONFIG = """
sandbox:
  real:
    hashicorp/aws: {env: {AWS_ENDPOINT_URL: "http://127.0.0.1:5000", AWS_ACCESS_KEY_ID: none}}
    hashicorp/google:
      env: {GOOGLE_STORAGE_CUSTOM_ENDPOINT: "{gcs}/storage/v1/", GOOGLE_OAUTH_ACCESS_TOKEN: none}
"""
ATTACHED = {
    "PATH": "/bin",
    "AWS_PROFILE": "work",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "GOOGLE_CREDENTIALS": "{}",
    "CLOUDSDK_CONFIG": "/home/ada/gcloud",
    "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1002",
    "TF_REATTACH_PROVIDERS": json.dumps(
        {
            GOOGLE: 1,
            "registry.opentofu.org/hashicorp/google": 1,
            AWS: 2,
            "registry.terraform.io/hashicorp/x": 3,
        }
    ),
}


def test_a_provider_gets_its_variables_with_the_sandbox_s_addresses() -> None:
    real = load_text(CONFIG).sandbox.real

    assert resolve_variables(real, ["google"], ADDRESSES) == {
        GOOGLE: {
            "GOOGLE_STORAGE_CUSTOM_ENDPOINT": "http://127.0.0.1:1002/storage/v1/",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "none",
        }
    }
    assert resolve_variables(real, ["hashicorp/aws", "google"], ADDRESSES).keys() == {AWS, GOOGLE}
    assert resolve_variables(real, [], ADDRESSES) == {}


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"AWS_REGION": "eu-west-1"},
        {"AWS_ENDPOINT_URL": "https://sts.amazonaws.com"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:5000", "AWS_ENDPOINT_URL_S3": "https://s3.example"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1@evil.example:80/"},
        {"AWS_ENDPOINT_URL": "http://127.0.0.1.evil.example/"},
    ],
)
def test_an_address_elsewhere_or_none_is_refused(variables: Mapping[str, str]) -> None:
    with pytest.raises(ConfigError, match="must be on this machine") as caught:
        resolve_variables({"hashicorp/aws": variables}, ["hashicorp/aws"], ADDRESSES)

    assert caught.value.key == "sandbox.real.hashicorp/aws.env"


def test_a_provider_that_infra_yaml_does_not_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="would reach a real cloud"):
        resolve_variables({}, ["hashicorp/aws"], ADDRESSES)


@pytest.mark.parametrize(
    "name", ["TF_LOG", "LD_PRELOAD", "GIT_SSH_COMMAND", "PATH", "INFRA_SANDBOX", "aws_x"]
)
def test_only_variables_of_providers_can_be_given(name: str) -> None:
    with pytest.raises(ConfigError):
        load_text(f"sandbox: {{real: {{hashicorp/aws: {{env: {{{name}: x}}}}}}}}\n")


def test_a_real_provider_is_not_attached_and_finds_no_account_of_the_caller() -> None:
    real = resolve_variables(load_text(CONFIG).sandbox.real, ["hashicorp/google", "aws"], ADDRESSES)

    variables = use_real_providers(ATTACHED, real)

    assert list(json.loads(variables["TF_REATTACH_PROVIDERS"])) == ["registry.terraform.io/hashicorp/x"]
    assert {name for name in variables if name.startswith(("AWS_", "GOOGLE_", "CLOUDSDK_"))} == {
        *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"),
        *("GOOGLE_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_OAUTH_ACCESS_TOKEN"),
    }
    assert variables["AWS_ACCESS_KEY_ID"] == "none"
    assert variables["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:1002"
    assert variables["INFRA_SANDBOX_REAL"] == f"{AWS},{GOOGLE}"


def test_only_the_named_one_stops_being_simulated() -> None:
    real = use_real_providers(ATTACHED, resolve_variables(load_text(CONFIG).sandbox.real, ["aws"], ADDRESSES))

    assert GOOGLE in json.loads(real["TF_REATTACH_PROVIDERS"])
    assert real["GOOGLE_CREDENTIALS"] == "{}"
