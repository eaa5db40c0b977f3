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


# From the import sections of the AWS provider's documentation, as pulumi-aws 6.83.0 carries them: the id of
# the example, and the attributes that it is made of.
AWS_EXAMPLES: dict[str, tuple[str, dict[str, str]]] = {
    "aws_api_gateway_authorizer": ("12345abcde/example", {"rest_api_id": "12345abcde", "id": "example"}),
    "aws_api_gateway_deployment": ("aabbccddee/1122334", {"rest_api_id": "aabbccddee", "id": "1122334"}),
    "aws_api_gateway_gateway_response": (
        "12345abcde/UNAUTHORIZED",
        {"rest_api_id": "12345abcde", "response_type": "UNAUTHORIZED"},
    ),
    "aws_api_gateway_integration_response": (
        "12345abcde/67890fghij/GET/200",
        {
            "rest_api_id": "12345abcde",
            "resource_id": "67890fghij",
            "http_method": "GET",
            "status_code": "200",
        },
    ),
    "aws_api_gateway_method": (
        "12345abcde/67890fghij/GET",
        {"rest_api_id": "12345abcde", "resource_id": "67890fghij", "http_method": "GET"},
    ),
    "aws_api_gateway_model": ("12345abcde/example", {"rest_api_id": "12345abcde", "name": "example"}),
    "aws_api_gateway_stage": ("12345abcde/example", {"rest_api_id": "12345abcde", "stage_name": "example"}),
    "aws_api_gateway_usage_plan_key": ("12345abcde/zzz", {"usage_plan_id": "12345abcde", "key_id": "zzz"}),
    "aws_apigatewayv2_api_mapping": (
        "1122334/ws-api.example.com",
        {"id": "1122334", "domain_name": "ws-api.example.com", "api_id": "aabbccddee"},
    ),
    "aws_apigatewayv2_integration_response": (
        "aabbccddee/1122334/998877",
        {"api_id": "aabbccddee", "integration_id": "1122334", "id": "998877"},
    ),
    "aws_apigatewayv2_route": ("aabbccddee/1122334", {"api_id": "aabbccddee", "id": "1122334"}),
    "aws_apigatewayv2_route_response": (
        "aabbccddee/1122334/998877",
        {"api_id": "aabbccddee", "route_id": "1122334", "id": "998877"},
    ),
    "aws_apigatewayv2_stage": (
        "aabbccddee/example-stage",
        {"api_id": "aabbccddee", "name": "example-stage", "id": "example-stage"},
    ),
    "aws_appautoscaling_policy": (
        "service-namespace/resource-id/scalable-dimension/policy-name",
        {
            "service_namespace": "service-namespace",
            "resource_id": "resource-id",
            "scalable_dimension": "scalable-dimension",
            "name": "policy-name",
        },
    ),
    "aws_autoscaling_policy": (
        "asg-name/policy-name",
        {"autoscaling_group_name": "asg-name", "name": "policy-name", "id": "policy-name"},
    ),
    "aws_backup_selection": ("plan-id|selection-id", {"plan_id": "plan-id", "id": "selection-id"}),
    "aws_cloudwatch_log_metric_filter": (
        "/aws/lambda/function:test",
        {"log_group_name": "/aws/lambda/function", "name": "test", "id": "test"},
    ),
    "aws_cloudwatch_log_stream": (
        "Yada:SampleLogStream1234",
        {"log_group_name": "Yada", "name": "SampleLogStream1234"},
    ),
    "aws_cloudwatch_log_subscription_filter": (
        "/aws/lambda/example_lambda_name|test_lambdafunction_logfilter",
        {"log_group_name": "/aws/lambda/example_lambda_name", "name": "test_lambdafunction_logfilter"},
    ),
    "aws_cognito_user_pool_client": (
        "us-west-2_abc123/3ho4ek12345678909nh3fmhpko",
        {"user_pool_id": "us-west-2_abc123", "id": "3ho4ek12345678909nh3fmhpko"},
    ),
    "aws_db_instance": ("mydb-rds-instance", {"identifier": "mydb-rds-instance", "id": "db-ABC"}),
    "aws_ecs_cluster": ("stateless-app", {"name": "stateless-app", "id": "arn:aws:ecs:r:1:cluster/x"}),
    "aws_ecs_task_definition": ("", {"id": "mytaskfamily", "family": "mytaskfamily"}),
    "aws_iam_user_group_membership": (
        "user1/group1/group2",
        {"user": "user1", "groups[0]": "group1", "groups[1]": "group2", "id": "terraform-2026"},
    ),
    "aws_iam_user_ssh_key": (
        "user:APKAJNCNNJICVN7CFKCA:SSH",
        {"username": "user", "id": "APKAJNCNNJICVN7CFKCA", "encoding": "SSH"},
    ),
    "aws_kinesis_stream": ("terraform-kinesis-test", {"name": "terraform-kinesis-test", "id": "arn"}),
    "aws_lambda_alias": (
        "my_test_lambda_function/my_alias",
        {"function_name": "my_test_lambda_function", "name": "my_alias", "id": "arn"},
    ),
    "aws_lambda_permission": (
        "my_test_lambda_function:qualifier_name/AllowExecutionFromCloudWatch",
        {
            "function_name": "my_test_lambda_function",
            "qualifier": "qualifier_name",
            "statement_id": "AllowExecutionFromCloudWatch",
        },
    ),
    "aws_opensearch_domain": ("domain_name", {"domain_name": "domain_name", "id": "arn"}),
    "aws_organizations_policy_attachment": (
        "123456789012:p-12345678",
        {"target_id": "123456789012", "policy_id": "p-12345678"},
    ),
    "aws_route": (
        "rtb-656C65616E6F72_2620:0:2d0:200::8/125",
        {"route_table_id": "rtb-656C65616E6F72", "destination_ipv6_cidr_block": "2620:0:2d0:200::8/125"},
    ),
    "aws_route_table_association": (
        "igw-01b3a60780f8d034a/rtb-656c65616e6f72",
        {"gateway_id": "igw-01b3a60780f8d034a", "route_table_id": "rtb-656c65616e6f72", "id": "rtbassoc-1"},
    ),
    "aws_security_group_rule": (
        "sg-6777656e646f6c796e_ingress_92_0_65536_10.0.3.0/24_10.0.4.0/24",
        {
            "security_group_id": "sg-6777656e646f6c796e",
            "type": "ingress",
            "protocol": "92",
            "from_port": "0",
            "to_port": "65536",
            "cidr_blocks[0]": "10.0.3.0/24",
            "cidr_blocks[1]": "10.0.4.0/24",
            "id": "sgrule-1",
        },
    ),
    "aws_service_discovery_instance": (
        "0123456789/i-0123",
        {"service_id": "0123456789", "instance_id": "i-0123"},
    ),
    "aws_service_discovery_private_dns_namespace": (
        "0123456789:vpc-123345",
        {"id": "0123456789", "vpc": "vpc-123345"},
    ),
    "aws_ssm_maintenance_window_target": (
        "mw-0c50858d01EXAMPLE/23639a0b-ddbc-4bca-9e72-78d96EXAMPLE",
        {"window_id": "mw-0c50858d01EXAMPLE", "id": "23639a0b-ddbc-4bca-9e72-78d96EXAMPLE"},
    ),
    "aws_vpc_dhcp_options_association": (
        "vpc-0f001273ec18911b1",
        {"vpc_id": "vpc-0f001273ec18911b1", "id": "dopt-1-vpc-0f001273ec18911b1"},
    ),
    "aws_vpc_endpoint_route_table_association": (
        "vpce-aaaaaaaa/rtb-bbbbbbbb",
        {"vpc_endpoint_id": "vpce-aaaaaaaa", "route_table_id": "rtb-bbbbbbbb", "id": "a-vpce-1"},
    ),
    "aws_volume_attachment": (
        "/dev/sdh:vol-049df61146c4d7901:i-12345678",
        {"device_name": "/dev/sdh", "volume_id": "vol-049df61146c4d7901", "instance_id": "i-12345678"},
    ),
}


@pytest.mark.parametrize("type_", AWS_EXAMPLES)
def test_aws_ids_are_those_of_the_documentation(type_: str) -> None:
    expected, attributes = AWS_EXAMPLES[type_]
    values = {name: value for name, value in attributes.items() if name != "id"}
    assert import_ids().of(type_, attributes.get("id", "given"), values) == expected


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
        import_id = ids.of(type_, values.get("id") or _sample(forms.id, **values), values)
        patterns = [re.sub(r"\\\{[\w.\\-]+\\\}", "[^/]+", re.escape(form)) for form in forms.accepted]
        if not any(re.fullmatch(pattern, import_id) for pattern in patterns):
            wrong[type_] = (import_id, forms.accepted)
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
    "type_",
    [
        "google_service_account_key",
        "google_sql_ssl_cert",
        "google_dataproc_job",
        "aws_iam_policy_attachment",
        "aws_lb_target_group_attachment",
    ],
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
