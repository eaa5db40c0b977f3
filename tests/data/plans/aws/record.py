"""Make the recorded plans of AWS again: python tests/data/plans/aws/record.py

Wants terraform and `moto_server` on PATH, boto3 (it comes with moto), and the provider, version 5.100.0:
AWS_PROVIDER names its binary. It is started once and attached to each Terraform; AWS is a server on loopback.

After an apply and a refresh the changes of `CASES` are made by AWS's API, in three rounds: those of `SECOND`
and `THIRD` change again what an earlier one changed. After each round `main.tf` is planned; the state
stays as it was. `00-just-applied` is planned right after the apply, `01-after-refresh` after the refresh.
What is kept: NAME.json.gz (`show -json`, its drift and its changes), and `computed.json`, what only the
provider sets. `expected.json` holds the class of each attribute that differs; compare its changes by eye.
"""

from __future__ import annotations

import gzip
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.engine.provider_schemas import computed_only

HERE = Path(__file__).parent
PORT = 38080
KEPT = ("format_version", "terraform_version", "resource_drift", "resource_changes", "errored", "complete")
ADDRESS = "registry.terraform.io/hashicorp/aws"
POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Principal": "*", "Resource": "*"}],
    }
)
OPEN = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
)
RULE = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
BUCKET, PLAIN = {"Bucket": "recorded-data"}, {"Bucket": "recorded-plain"}
JOBS, QUEUE = {"QueueUrl": "{aws_sqs_queue.jobs.id}"}, {"QueueUrl": "{aws_sqs_queue.plain.id}"}
EVENTS, TOPIC = {"TopicArn": "{aws_sns_topic.events.id}"}, {"TopicArn": "{aws_sns_topic.plain.id}"}
ZONE = {"HostedZoneId": "{aws_route53_zone.main.id}"}
ALARM = {
    "AlarmName": "errors",
    "ComparisonOperator": "GreaterThanThreshold",
    "EvaluationPeriods": 2,
    "MetricName": "Errors",
    "Namespace": "App",
    "Period": 60,
    "Statistic": "Sum",
    "Threshold": 5.0,
}
RECORD = {"Name": "www.example.test", "Type": "A", "TTL": 300, "ResourceRecords": [{"Value": "10.0.0.1"}]}
INLINE, APART = "{aws_security_group.inline.id}", "{aws_security_group.apart.id}"


def tags(**values: str) -> list[dict[str, str]]:
    """Tags as most of AWS's services take them."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def record_change(action: str, **more: Any) -> dict[str, Any]:
    """A change of the DNS record."""
    change = {"Action": action, "ResourceRecordSet": {**RECORD, **more}}
    return {**ZONE, "ChangeBatch": {"Changes": [change]}}


# Case → service, method, arguments; `{ADDRESS.id}` is the id of a resource of the state.
CASES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "s3-tag-added": (
        "s3",
        "put_bucket_tagging",
        {**BUCKET, "Tagging": {"TagSet": tags(env="dev", owner="platform", byhand="x")}},
    ),
    "s3-tag-changed": (
        "s3",
        "put_bucket_tagging",
        {**BUCKET, "Tagging": {"TagSet": tags(env="hack", owner="platform")}},
    ),
    "s3-default-tag-removed": (
        "s3",
        "put_bucket_tagging",
        {**BUCKET, "Tagging": {"TagSet": tags(env="dev")}},
    ),
    "s3-plain-tag-added": (
        "s3",
        "put_bucket_tagging",
        {**PLAIN, "Tagging": {"TagSet": tags(owner="platform", byhand="x")}},
    ),
    "s3-versioning-suspended": (
        "s3",
        "put_bucket_versioning",
        {**BUCKET, "VersioningConfiguration": {"Status": "Suspended"}},
    ),
    "s3-plain-versioning": (
        "s3",
        "put_bucket_versioning",
        {**PLAIN, "VersioningConfiguration": {"Status": "Enabled"}},
    ),
    "s3-policy-changed": ("s3", "put_bucket_policy", {**BUCKET, "Policy": POLICY}),
    "s3-policy-deleted": ("s3", "delete_bucket_policy", BUCKET),
    "s3-plain-policy": ("s3", "put_bucket_policy", {**PLAIN, "Policy": POLICY}),
    "s3-cors-changed": (
        "s3",
        "put_bucket_cors",
        {
            **BUCKET,
            "CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET", "PUT"], "AllowedOrigins": ["*"]}]},
        },
    ),
    "s3-cors-deleted": ("s3", "delete_bucket_cors", BUCKET),
    "s3-plain-cors": (
        "s3",
        "put_bucket_cors",
        {**PLAIN, "CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}},
    ),
    "s3-plain-website": (
        "s3",
        "put_bucket_website",
        {**PLAIN, "WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}},
    ),
    "s3-plain-lifecycle": (
        "s3",
        "put_bucket_lifecycle_configuration",
        {
            **PLAIN,
            "LifecycleConfiguration": {
                "Rules": [{"ID": "old", "Status": "Enabled", "Prefix": "", "Expiration": {"Days": 30}}]
            },
        },
    ),
    "s3-encryption-deleted": ("s3", "delete_bucket_encryption", BUCKET),
    "s3-object-content": ("s3", "put_object", {**PLAIN, "Key": "hello.txt", "Body": "changed"}),
    "s3-object-metadata": (
        "s3",
        "put_object",
        {
            **PLAIN,
            "Key": "hello.txt",
            "Body": "hello world",
            "CacheControl": "no-store",
            "ContentType": "application/octet-stream",
        },
    ),
    "s3-object-deleted": ("s3", "delete_object", {**PLAIN, "Key": "hello.txt"}),
    "sqs-timeout-changed": (
        "sqs",
        "set_queue_attributes",
        {**JOBS, "Attributes": {"VisibilityTimeout": "90"}},
    ),
    "sqs-delay-set": ("sqs", "set_queue_attributes", {**JOBS, "Attributes": {"DelaySeconds": "5"}}),
    "sqs-policy-changed": ("sqs", "set_queue_attributes", {**JOBS, "Attributes": {"Policy": POLICY}}),
    "sqs-plain-policy": ("sqs", "set_queue_attributes", {**QUEUE, "Attributes": {"Policy": POLICY}}),
    "sqs-tag-changed": ("sqs", "tag_queue", {**JOBS, "Tags": {"env": "hack"}}),
    "sqs-tag-added": ("sqs", "tag_queue", {**JOBS, "Tags": {"byhand": "x"}}),
    "sqs-plain-deleted": ("sqs", "delete_queue", QUEUE),
    "sns-name-changed": (
        "sns",
        "set_topic_attributes",
        {**EVENTS, "AttributeName": "DisplayName", "AttributeValue": "Hack"},
    ),
    "sns-plain-name": (
        "sns",
        "set_topic_attributes",
        {**TOPIC, "AttributeName": "DisplayName", "AttributeValue": "Hack"},
    ),
    "sns-plain-policy": (
        "sns",
        "set_topic_attributes",
        {**TOPIC, "AttributeName": "Policy", "AttributeValue": POLICY},
    ),
    "sns-subscription-raw": (
        "sns",
        "set_subscription_attributes",
        {
            "SubscriptionArn": "{aws_sns_topic_subscription.jobs.id}",
            "AttributeName": "RawMessageDelivery",
            "AttributeValue": "true",
        },
    ),
    "sns-subscription-deleted": (
        "sns",
        "unsubscribe",
        {"SubscriptionArn": "{aws_sns_topic_subscription.jobs.id}"},
    ),
    "dynamodb-recovery-off": (
        "dynamodb",
        "update_continuous_backups",
        {"TableName": "users", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": False}},
    ),
    "dynamodb-ttl-set": (
        "dynamodb",
        "update_time_to_live",
        {"TableName": "users", "TimeToLiveSpecification": {"Enabled": True, "AttributeName": "until"}},
    ),
    "dynamodb-protected": (
        "dynamodb",
        "update_table",
        {"TableName": "users", "DeletionProtectionEnabled": True},
    ),
    "iam-description": ("iam", "update_role", {"RoleName": "app", "Description": "Hack"}),
    "iam-session": (
        "iam",
        "update_role",
        {"RoleName": "app", "Description": "What the application may do.", "MaxSessionDuration": 7200},
    ),
    "iam-inline-changed": (
        "iam",
        "put_role_policy",
        {"RoleName": "app", "PolicyName": "read", "PolicyDocument": OPEN},
    ),
    "iam-inline-added": (
        "iam",
        "put_role_policy",
        {"RoleName": "app", "PolicyName": "byhand", "PolicyDocument": OPEN},
    ),
    "iam-inline-deleted": ("iam", "delete_role_policy", {"RoleName": "app", "PolicyName": "read"}),
    "iam-detached": (
        "iam",
        "detach_role_policy",
        {"RoleName": "app", "PolicyArn": "{aws_iam_policy.app.id}"},
    ),
    "iam-policy-version": (
        "iam",
        "create_policy_version",
        {"PolicyArn": "{aws_iam_policy.app.id}", "PolicyDocument": OPEN, "SetAsDefault": True},
    ),
    "iam-tag-added": ("iam", "tag_role", {"RoleName": "app", "Tags": tags(byhand="x")}),
    "iam-user-deleted": ("iam", "delete_user", {"UserName": "robot"}),
    "vpc-dns-names": (
        "ec2",
        "modify_vpc_attribute",
        {"VpcId": "{aws_vpc.main.id}", "EnableDnsHostnames": {"Value": True}},
    ),
    "subnet-public": (
        "ec2",
        "modify_subnet_attribute",
        {"SubnetId": "{aws_subnet.main.id}", "MapPublicIpOnLaunch": {"Value": True}},
    ),
    "sg-inline-added": (
        "ec2",
        "authorize_security_group_ingress",
        {"GroupId": INLINE, "IpPermissions": [RULE]},
    ),
    "sg-apart-added": (
        "ec2",
        "authorize_security_group_ingress",
        {"GroupId": APART, "IpPermissions": [RULE]},
    ),
    "sg-apart-revoked": (
        "ec2",
        "revoke_security_group_ingress",
        {
            "GroupId": APART,
            "IpPermissions": [{**RULE, "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
        },
    ),
    "ec2-tag-removed": (
        "ec2",
        "delete_tags",
        {"Resources": ["{aws_vpc.main.id}"], "Tags": [{"Key": "owner"}]},
    ),
    "ssm-value": ("ssm", "put_parameter", {"Name": "/app/level", "Value": "debug", "Overwrite": True}),
    "ssm-deleted": ("ssm", "delete_parameter", {"Name": "/app/level"}),
    "secret-description": ("secretsmanager", "update_secret", {"SecretId": "db", "Description": "Hack"}),
    "kms-description": (
        "kms",
        "update_key_description",
        {"KeyId": "{aws_kms_key.main.id}", "Description": "Hack"},
    ),
    "kms-rotation": ("kms", "enable_key_rotation", {"KeyId": "{aws_kms_key.main.id}"}),
    "kms-disabled": ("kms", "disable_key", {"KeyId": "{aws_kms_key.main.id}"}),
    "logs-retention": ("logs", "put_retention_policy", {"logGroupName": "/app", "retentionInDays": 30}),
    "logs-plain-retention": (
        "logs",
        "put_retention_policy",
        {"logGroupName": "/plain", "retentionInDays": 30},
    ),
    "alarm-threshold": ("cloudwatch", "put_metric_alarm", {**ALARM, "Threshold": 50.0}),
    "alarm-description": ("cloudwatch", "put_metric_alarm", {**ALARM, "AlarmDescription": "Hack"}),
    "ecr-mutable": (
        "ecr",
        "put_image_tag_mutability",
        {"repositoryName": "app", "imageTagMutability": "MUTABLE"},
    ),
    "ecr-scanning": (
        "ecr",
        "put_image_scanning_configuration",
        {"repositoryName": "app", "imageScanningConfiguration": {"scanOnPush": True}},
    ),
    "events-disabled": ("events", "disable_rule", {"Name": "nightly"}),
    "dns-comment": ("route53", "update_hosted_zone_comment", {"Id": ZONE["HostedZoneId"], "Comment": "Hack"}),
    "dns-record-changed": ("route53", "change_resource_record_sets", record_change("UPSERT", TTL=60)),
    "dns-record-deleted": ("route53", "change_resource_record_sets", record_change("DELETE")),
    "kinesis-retention": (
        "kinesis",
        "increase_stream_retention_period",
        {"StreamName": "clicks", "RetentionPeriodHours": 48},
    ),
}


def environment() -> dict[str, str]:
    """The environment of Terraform and of the provider: nothing of this machine's AWS settings."""
    names = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return names | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}"}


SECOND = (
    "s3-tag-changed",
    "s3-policy-deleted",
    "s3-cors-deleted",
    "s3-object-metadata",
    "sqs-plain-deleted",
    "sns-subscription-deleted",
    "iam-inline-deleted",
    "iam-detached",
    "sg-apart-revoked",
    "ssm-deleted",
    "dns-record-deleted",
    "kms-disabled",
)
THIRD = ("s3-default-tag-removed", "s3-object-deleted")


class RecordedRoot:
    """`main.tf` in a folder of its own, and a Terraform that uses the attached provider."""

    def __init__(self, folder: Path, reattach: str) -> None:
        self.folder = folder
        self.env = environment() | {
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            "TF_INPUT": "0",
            "TF_REATTACH_PROVIDERS": reattach,
        }

    def run(self, *arguments: str) -> str:
        """One Terraform command; its standard output."""
        done = subprocess.run(
            ["terraform", *arguments],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode not in (0, 2):
            raise SystemExit(done.stdout[-3000:] + done.stderr[-3000:])
        return done.stdout

    def apply(self, *options: str) -> None:
        """Apply without a question."""
        self.run("apply", "-auto-approve", "-no-color", *options)

    def plan(self) -> dict[str, Any]:
        """What `show -json` says of a new plan."""
        self.run("plan", "-no-color", "-out=plan.tfplan")
        document: dict[str, Any] = json.loads(self.run("show", "-json", "plan.tfplan"))
        return document

    def ids(self) -> dict[str, str]:
        """The id of each resource of the state, as `ADDRESS.id`."""
        state = json.loads((self.folder / "terraform.tfstate").read_text())
        return {
            f"{resource['type']}.{resource['name']}.id": resource["instances"][0]["attributes"]["id"]
            for resource in state["resources"]
        }


def filled(value: Any, ids: dict[str, str]) -> Any:
    """Arguments with the ids in them."""
    if isinstance(value, dict):
        return {name: filled(part, ids) for name, part in value.items()}
    if isinstance(value, list):
        return [filled(part, ids) for part in value]
    if isinstance(value, str) and value.startswith("{aws_"):
        return ids[value.strip("{}")]
    return value


def change(case: str, ids: dict[str, str]) -> None:
    """Change one thing by AWS's API."""
    service, method, arguments = CASES[case]
    client = importlib.import_module("boto3").client(
        service,
        endpoint_url=f"http://127.0.0.1:{PORT}",
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    getattr(client, method)(**filled(arguments, ids))


def keep(case: str, document: dict[str, Any]) -> None:
    """Write what is read of a plan: the resources that drifted or change, and those beside them."""
    content = {name: document[name] for name in KEPT if name in document}
    data = json.dumps(content, separators=(",", ":"), sort_keys=True).encode()
    (HERE / f"{case}.json.gz").write_bytes(gzip.compress(data, 9, mtime=0))
    sys.stderr.write(f"{case}: {[resource['address'] for resource in document.get('resource_drift', [])]}\n")


def keep_computed(stack: RecordedRoot) -> None:
    """Write what only the provider sets, of the types in use."""
    schemas = json.loads(stack.run("providers", "schema", "-json"))["provider_schemas"][ADDRESS]
    used = {address.partition(".")[0] for address in stack.ids()}
    computed = {kind: sorted(computed_only(schemas["resource_schemas"][kind]["block"])) for kind in used}
    (HERE / "computed.json").write_text(json.dumps(computed, indent=1, sort_keys=True) + "\n")


@contextmanager
def attached_provider(folder: Path) -> Iterator[str]:
    """The provider as a process of its own; gives the value of TF_REATTACH_PROVIDERS."""
    with subprocess.Popen(
        [os.environ["AWS_PROVIDER"], "-debug"],
        env=environment(),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            for line in process.stdout or ():
                if match := re.search(r"TF_REATTACH_PROVIDERS='(.*)'", line):
                    yield match[1]
                    break
        finally:
            process.terminate()


def main() -> None:
    """Start the servers and record."""
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(["moto_server", "-p", str(PORT)], stderr=subprocess.PIPE, text=True) as server,
    ):
        try:
            for line in server.stderr or ():
                if "Running on" in line:
                    break
            # Its log must not fill the pipe.
            threading.Thread(target=(server.stderr or sys.stdin).read, daemon=True).start()
            folder = Path(name)
            shutil.copy(HERE / "main.tf", folder)
            with attached_provider(folder) as reattach:
                record_all(RecordedRoot(folder, reattach))
        finally:
            server.terminate()


def record_all(stack: RecordedRoot) -> None:
    """Record with servers that run."""
    stack.run("init", "-no-color")
    stack.apply()
    keep("00-just-applied", stack.plan())
    keep_computed(stack)
    stack.apply("-refresh-only")
    keep("01-after-refresh", stack.plan())
    ids = stack.ids()
    first = [case for case in CASES if case not in (*SECOND, *THIRD)]
    for at, cases in enumerate((first, SECOND, THIRD), 2):
        for case in cases:
            change(case, ids)
        keep(f"{at:02}-round-{at - 1}", stack.plan())


if __name__ == "__main__":
    main()
