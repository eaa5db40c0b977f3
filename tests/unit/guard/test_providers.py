"""The table of what providers can do."""

from __future__ import annotations

from orchestrator.config.rules import Guard
from orchestrator.guard.providers import (
    is_known,
    known_providers,
    provider_capabilities,
    refused_block,
    type_capabilities,
)
from orchestrator.quality.doctor import check_listed_providers


def test_every_row_names_its_documentation() -> None:
    rows = known_providers()
    assert all(row.documentation.startswith("https://") and row.sources for row in rows)
    sources = [source for row in rows for source in row.sources]
    assert len(sources) == len(set(sources))
    assert all(source == source.lower() for source in sources)


def test_the_providers_that_are_listed_by_default_are_known() -> None:
    assert all(is_known(source) for source in Guard.providers)
    assert not is_known("acme/x")


def test_a_provider_without_a_row_has_what_every_provider_has() -> None:
    (capabilities,) = provider_capabilities("acme/x")
    assert "exec" in capabilities.programs
    assert len(provider_capabilities("hashicorp/helm")) == 2
    assert len(provider_capabilities(None)) == len(known_providers())


def test_a_resource_is_not_refused_by_the_name_of_a_data_source() -> None:
    assert refused_block((), type_capabilities("data", "http"))
    assert refused_block((), type_capabilities("action", "local_command"))
    assert not refused_block((), type_capabilities("resource", "http"))


def test_doctor_names_listed_providers_that_nobody_looked_at() -> None:
    assert check_listed_providers(Guard()).status == "ok"
    check = check_listed_providers(Guard(providers=("hashicorp/google", "Acme/X", "example.com/acme/*")))
    assert check.status == "warning"
    assert "Acme/X, example.com/acme/*" in check.message
    assert "hashicorp/google" not in check.message
