"""Which parts a run gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.model import TerraformSettings
from orchestrator.engine.session import provider_host

LAPTOP = TerraformSettings(warm=600.0)


def test_providers_stay_between_runs_only_where_that_is_configured(tmp_path: Path) -> None:
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    host = provider_host(LAPTOP, environ)
    assert host is not None
    assert (host.folder, host.idle_limit) == (tmp_path / "infra", 600.0)
    assert provider_host(TerraformSettings(), environ) is None


@pytest.mark.parametrize("variable", ["CI", "GITHUB_ACTIONS"])
def test_never_in_ci(variable: str) -> None:
    assert provider_host(LAPTOP, {variable: "true"}) is None
