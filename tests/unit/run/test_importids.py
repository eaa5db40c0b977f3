"""The table of import ids: every entry is sound, and those that differ from the id are told."""

from __future__ import annotations

import pytest

from orchestrator.run.importids import import_ids


@pytest.mark.parametrize(
    ("type_", "identity", "values", "expected"),
    [
        ("google_compute_network", "projects/p/global/networks/n", {}, "projects/p/global/networks/n"),
        ("google_compute_network", "", {"project": "p", "name": "n"}, "projects/p/global/networks/n"),
        ("google_compute_network", "", {"name": "n"}, ""),
        (
            "google_container_node_pool",
            "projects/p/locations/l/clusters/c/nodePools/n",
            {"project": "p", "location": "l", "cluster": "c", "name": "n"},
            "p/l/c/n",
        ),
        # Without the attributes its id is the best guess there is.
        ("google_sql_user", "u//i", {}, "u//i"),
        ("acme_thing", "17", {"name": "x"}, "17"),
        ("acme_thing", "", {"name": "x"}, ""),
    ],
)
def test_ids(type_: str, identity: str, values: dict[str, str], expected: str) -> None:
    assert import_ids().of(type_, identity, values) == expected


@pytest.mark.parametrize(
    "type_",
    ["google_project_iam_member", "google_storage_bucket_iam_binding", "terraform_data", "null_resource"],
)
def test_what_is_made_again(type_: str) -> None:
    assert import_ids().is_made_again(type_)


def test_a_planned_template_never_asks_for_the_id() -> None:
    bad = [rule.pattern for rule in import_ids().rules if "{id}" in rule.planned]
    assert bad == []
