"""The real AWS provider as one process for all tests, and moto as its cloud."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.moto import Aws, serving
from tests.support.real_aws import PROVIDER, SERVER
from tests.support.real_provider import attached


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    if PROVIDER is None:
        pytest.skip("TF_CLI_CONFIG_FILE names no filesystem mirror that holds hashicorp/aws")
    if SERVER is None:
        pytest.skip("moto_server is not installed: `make real-aws` installs it")
    with serving(SERVER) as server:
        yield server


@pytest.fixture(scope="session")
def provider(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The whole provider, as a value of TF_REATTACH_PROVIDERS; a start of it takes seconds."""
    assert PROVIDER
    with attached(PROVIDER, tmp_path_factory.mktemp("provider")) as value:
        yield value
