"""The table of import ids: every entry is sound, and those that differ from the id are told."""

from __future__ import annotations

import gzip
import re
from importlib.resources import files

import pytest

from orchestrator.engine.import_ids import import_ids

RULE = {"network_acl_id": "acl-1", "rule_number": "100", "protocol": "tcp", "egress": "false"}
# Attributes of types whose pages name others, or whose attributes are paths.
ATTRIBUTES = {
    "google_compute_network_peering": {"network": "projects/p/global/networks/n", "name": "to-hub"},
    "google_folder_organization_policy": {"folder": "folders/7", "constraint": "serviceuser.services"},
    "google_organization_iam_custom_role": {"id": "organizations/123456789/roles/myCustomRole"},
    "google_service_networking_connection": {"network": "projects/p/global/networks/n", "service": "s"},
    "google_sql_user": {"project": "p", "instance": "i", "name": "n"},
    "google_storage_bucket": {"name": "b"},
}


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
        # Its id is of no use, and its attributes are not known yet.
        ("google_sql_user", "u//i", {}, ""),
        ("acme_thing", "17", {"name": "x"}, "17"),
        ("acme_thing", "", {"name": "x"}, ""),
    ],
)
def test_ids(type_: str, identity: str, values: dict[str, str], expected: str) -> None:
    assert import_ids().of(type_, identity, values) == expected


@pytest.mark.parametrize(
    ("type_", "identity", "values", "expected"),
    [
        (
            "aws_iam_role_policy_attachment",
            "web-20260101000000000000000001",
            {"role": "web", "policy_arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
            "web/arn:aws:iam::aws:policy/ReadOnlyAccess",
        ),
        ("aws_iam_policy", "arn:aws:iam::1:policy/p", {}, "arn:aws:iam::1:policy/p"),
        ("aws_s3_object", "a/b.txt", {"bucket": "docs", "key": "a/b.txt"}, "docs/a/b.txt"),
        ("aws_cloudwatch_event_target", "r-t", {"rule": "r", "target_id": "t"}, "r/t"),
        ("aws_ecs_service", "arn", {"cluster": "arn:aws:ecs:r:1:cluster/main", "name": "web"}, "main/web"),
        ("aws_network_acl_rule", "nacl-1", RULE, "acl-1:100:tcp:false"),
        ("aws_wafv2_web_acl", "a1b2", {"name": "n", "scope": "REGIONAL"}, "a1b2/n/REGIONAL"),
    ],
)
def test_ids_of_another_provider(type_: str, identity: str, values: dict[str, str], expected: str) -> None:
    assert import_ids().of(type_, identity, values) == expected
    assert not import_ids().is_recreated(type_)


def test_each_rule_names_its_provider() -> None:
    assert [
        rule.pattern for rule in import_ids().rules if not re.match(r"[a-z]+[a-z0-9]*_", rule.pattern)
    ] == []


def _sample(form: str, **known: str) -> str:
    return re.sub(r"\{([\w.-]+)\}", lambda match: known.get(match[1], f"v-{match[1]}"), form)


def test_every_google_type_is_imported_by_a_form_that_its_documentation_accepts() -> None:
    ids = import_ids()
    differing = {type_: forms for type_, forms in ids.documented.items() if forms.id not in forms.accepted}
    assert len(ids.documented) > 900
    assert len([type_ for type_, forms in differing.items() if forms.accepted]) > 60
    wrong = {}
    for type_, forms in differing.items():
        if not forms.accepted or ids.is_recreated(type_):
            continue
        if type_ == "google_compute_region_instance_group_manager":
            continue  # the page names {name} alone, which lacks the region; its importer takes the id too
        names = {name for form in (forms.id, *forms.accepted) for name in re.findall(r"\{([\w.-]+)\}", form)}
        values = {name.partition(".")[0]: f"v-{name}" for name in names} | ATTRIBUTES.get(type_, {})
        made = ids.of(type_, values.get("id") or _sample(forms.id, **values), values)
        patterns = [re.sub(r"\\\{[\w.\\-]+\\\}", "[^/]+", re.escape(form)) for form in forms.accepted]
        if not any(re.fullmatch(pattern, made) for pattern in patterns):
            wrong[type_] = (made, forms.accepted)
    assert wrong == {}


def test_every_type_of_the_google_provider_is_in_the_data_or_has_a_rule() -> None:
    ids = import_ids()
    recorded = files("orchestrator.sandbox.schemas").joinpath("google-7.45.0.schema.json.gz").read_bytes()
    resources = gzip.decompress(recorded).partition(b'"resource_schemas":')[2]
    pattern = rb'(?:^\{|"version":\d+\},)"(google_\w+)":\{"block"'
    types = {name.decode() for name in re.findall(pattern, resources)}
    assert len(types) > 1300
    assert [name for name in sorted(types) if not (name in ids.documented or ids.is_recreated(name))] == []


@pytest.mark.parametrize(
    "type_", ["google_service_account_key", "google_sql_ssl_cert", "google_dataproc_job"]
)
def test_a_type_without_import_has_no_import_id(type_: str) -> None:
    assert not import_ids().is_importable(type_)
    assert import_ids().of(type_, "projects/p/x/y", {"name": "y"}) == ""


def test_secrets_that_are_given_once_are_known() -> None:
    secrets = import_ids().secrets
    assert secrets("google_storage_hmac_key") == ("secret",)
    assert secrets("google_service_account_key") == ("private_key",)
    assert secrets("aws_iam_access_key")[0] == "secret"
    assert secrets("google_compute_network") == ()


@pytest.mark.parametrize(
    "type_",
    [
        "google_project_iam_member",
        "google_storage_bucket_iam_binding",
        "google_x_iam_policy",
        "terraform_data",
    ],
)
def test_what_is_recreated(type_: str) -> None:
    assert import_ids().is_recreated(type_)


def test_a_planned_template_never_asks_for_the_id() -> None:
    bad = [rule.pattern for rule in import_ids().rules if "{id}" in rule.planned]
    assert bad == []
