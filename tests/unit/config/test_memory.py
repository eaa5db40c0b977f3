"""`memory` in infra.yaml: where ledgers are, for all environments and for one."""

from __future__ import annotations

import pytest

from orchestrator.config import MemorySettings, load_text
from orchestrator.errors import ConfigError


def test_an_environment_replaces_what_it_gives_and_keeps_the_rest() -> None:
    config = load_text(
        "memory: {bucket: 'm-{environment}', prefix: teams/shop}\n"
        "environments: {dev: {memory: {prefix: d}}, prod: {memory: {bucket: p}}}\n"
    )

    assert config.memory_of("dev") == MemorySettings("m-dev", "d")
    assert config.memory_of("prod") == MemorySettings("p", "teams/shop")
    assert config.memory_of("qa") == MemorySettings("m-qa", "teams/shop")
    assert load_text("version: 1\n").memory_of("dev") == MemorySettings()


@pytest.mark.parametrize(
    "prefix",
    [
        "/shop",
        "shop/",
        "a//b",
        "..",
        "a/../b",
        "./a",
        "a b",
        "a\\tb",
        "{environment}",
        "ä",
        "a#b",
        "a*",
        '""',
        "a'b",
    ],
)
def test_a_prefix_is_a_plain_folder(prefix: str) -> None:
    text = f'memory: {{prefix: "{prefix.strip(chr(34))}"}}\n'

    with pytest.raises(ConfigError, match="must be a folder such as teams/shop") as caught:
        load_text(text)

    assert caught.value.key == "memory.prefix"


@pytest.mark.parametrize("bucket", ["a/b", "gs://a", "{stack}", "A"])
def test_a_bucket_is_a_name(bucket: str) -> None:
    with pytest.raises(ConfigError, match="must be the name of a bucket"):
        load_text(f'environments: {{dev: {{memory: {{bucket: "{bucket}"}}}}}}\n')
