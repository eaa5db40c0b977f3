"""Which mirror of a CLI configuration `infra lock` takes each provider from."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.quality.lock_files import ProviderMirror, configured_methods, group_by_mirror

FOLDER = 'filesystem_mirror {\n  path = "/m"\n}\n'
NETWORK = 'network_mirror {\n  url = "https://m.example/p/"\n}\n'
SOURCES = ("registry.terraform.io/hashicorp/aws", "registry.terraform.io/acme/x", "acme.example/acme/x")
AWS, ACME, PRIVATE = SOURCES
IN_FOLDER = ProviderMirror(folder=Path("/m"))
IN_NETWORK = ProviderMirror(url="https://m.example/p/")
REGISTRIES = ProviderMirror()


def only(method: str, condition: str) -> str:
    """The method, for some providers."""
    return method.replace("{\n", f"{{\n  {condition}\n", 1)


@pytest.mark.parametrize(
    ("methods", "expected"),
    [
        (FOLDER, {IN_FOLDER: {*SOURCES}}),
        (NETWORK, {IN_NETWORK: {*SOURCES}}),
        ("direct {}\n", {REGISTRIES: {*SOURCES}}),
        ("", {REGISTRIES: {*SOURCES}}),
        # Two methods serve all: the registries have what every mirror has.
        (FOLDER + "direct {}\n", {REGISTRIES: {*SOURCES}}),
        (FOLDER + NETWORK, {REGISTRIES: {*SOURCES}}),
        (
            only(FOLDER, 'include = ["registry.terraform.io/hashicorp/aws"]')
            + only("direct {\n}\n", 'exclude = ["registry.terraform.io/hashicorp/aws"]'),
            {IN_FOLDER: {AWS}, REGISTRIES: {ACME, PRIVATE}},
        ),
        (
            only(FOLDER, 'include = ["hashicorp/*"]')
            + only(NETWORK, 'include = ["acme.example/*/*"]')
            + only("direct {\n}\n", 'exclude = ["*/*", "acme.example/*/*"]'),
            {IN_FOLDER: {AWS}, IN_NETWORK: {PRIVATE}, REGISTRIES: {ACME}},
        ),
        (only(FOLDER, 'exclude = ["acme/*"]'), {IN_FOLDER: {AWS, PRIVATE}, REGISTRIES: {ACME}}),
        (only(FOLDER, "include = var.x"), {REGISTRIES: {*SOURCES}}),
    ],
)
def test_each_provider_comes_from_the_one_method_that_serves_it(
    methods: str, expected: dict[ProviderMirror, set[str]]
) -> None:
    groups = group_by_mirror(configured_methods(f"provider_installation {{\n{methods}}}\n"), SOURCES)

    assert {mirror: set(sources) for mirror, sources in groups.items()} == expected
