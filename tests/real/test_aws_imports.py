"""The real AWS provider takes every import id that the table makes.

Terraform is asked to import objects that do not exist: an importer that does not understand an id says so,
and one that does looks for the object on moto.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from orchestrator.engine.import_ids import ImportIds, import_ids
from tests.support.moto import Aws
from tests.support.real_aws import CLI_CONFIG, provider_code
from tests.support.schema_proxy import served

pytestmark = pytest.mark.real

SERVICES = (
    *("apigateway", "apigatewayv2", "appautoscaling", "autoscaling", "backup", "codebuild", "cognitoidp"),
    *("dynamodb", "ec2", "ecs", "elasticsearch", "elbv2", "events", "iam", "kinesis", "lambda", "logs"),
    *("opensearch", "organizations", "rds", "s3", "servicediscovery", "ssm", "sts", "wafv2"),
)
# Attributes whose values an importer looks at; any other has a word as its value.
VALUES = {
    "arn": "arn:aws:ecs:eu-west-1:012345678910:task-definition/mytaskfamily:123",
    "cidr_blocks[0]": "10.0.3.0/24",
    "destination_cidr_block": "10.42.0.0/16",
    "device_name": "/dev/sdh",
    "egress": "false",
    "encoding": "SSH",
    "from_port": "80",
    "groups[0]": "group",
    "http_method": "GET",
    "protocol": "tcp",
    "rule_number": "100",
    "scope": "REGIONAL",
    "security_group_id": "sg-6e616f6d69",
    "status_code": "200",
    "to_port": "80",
    "type": "ingress",
}
NO_IMPORT = re.compile(r"resource (\w+) doesn't support import")
NOT_UNDERSTOOD = re.compile(
    r"unexpected format|wrong format|invalid (?:import|resource) id|expected|must be", re.I
)


def sample(ids: ImportIds, type_: str) -> str:
    """An import id of a type, made of sample values."""
    names = ids.attributes(type_)
    values = {name: VALUES.get(name, f"v{len(name)}") for name in names} | VALUES
    return ids.of(type_, "a1b2c3", values)


def test_every_import_id_of_the_table_is_understood(aws: Aws, provider: str, tmp_path: Path) -> None:
    ids = import_ids()
    types = [rule.pattern for rule in ids.rules if rule.pattern.startswith("aws_")]
    samples = {type_: sample(ids, type_) for type_ in types if ids.accepted(type_)}
    assert [type_ for type_, text in samples.items() if not text] == []
    without_import = {type_ for type_ in types if not ids.is_importable(type_) or ids.is_recreated(type_)}
    blocks = [import_block(f"{type_}.x", text) for type_, text in samples.items()]
    blocks += [import_block(f"{type_}.x", "x") for type_ in without_import]
    blocks.append(import_block("aws_iam_role_policy_attachment.wrong", "an id, as its creation gives it"))
    (tmp_path / "main.tf").write_text(provider_code(aws.url, SERVICES) + "".join(blocks))

    plan = ["plan", "-json", "-lock=false", f"-generate-config-out={tmp_path}/generated.tf"]
    with served(provider, {*types, *without_import}) as reattach:
        env = {**os.environ, "TF_CLI_CONFIG_FILE": CLI_CONFIG, "TF_REATTACH_PROVIDERS": reattach}
        terraform(["init"], tmp_path, env)
        events = [json.loads(line) for line in terraform(plan, tmp_path, env).splitlines()]
    errors = [event["diagnostic"] for event in events if event["type"] == "diagnostic"]
    answers = [" ".join(f"{error['summary']} {error.get('detail', '')}".split()) for error in errors]
    assert len(answers) == len(blocks), "\n".join(answers)
    unsupported = {match[1] for text in answers if (match := NO_IMPORT.search(text))}
    assert unsupported == without_import
    refused = [text for text in answers if NOT_UNDERSTOOD.search(text)]
    assert len(refused) == 1, refused
    assert "an id, as its creation gives it" in refused[0]


def import_block(address: str, import_id: str) -> str:
    return f'import {{\n  to = {address}\n  id = "{import_id}"\n}}\n'


def terraform(arguments: list[str], folder: Path, env: dict[str, str]) -> bytes:
    """Run Terraform; gives its stdout, also of a plan that has errors."""
    done = subprocess.run(["terraform", *arguments], cwd=folder, env=env, check=False, capture_output=True)
    return done.stdout
