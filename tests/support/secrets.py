"""A stack with a secret in every place that a value can have, and a search for them in what is told."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.masking.printed_forms import forms_of
from tests.support.scheduled_checks import HEAD

# What they are: the number of a version goes into each. Long enough to be hidden wherever they stand.
KINDS: Mapping[str, str] = {
    "password": "Passw0rd-{n}-xyzzy",
    "token": "tok-{n}-plugh-77",
    "env": "from-the-env-{n}-hush",
    "motd": "motd-of-env-{n}-hush",
    "tfvars": "hello-of-tfvars-{n}-hush",
    "lines": "first-line-{n}-hush\nsecond-line-{n}-hush",
    "pem": "-----BEGIN PRIVATE KEY-----\nMIIEv{n}IBADANBgkqhkiG9w0BAQEFAASC\n"
    "BKcwggSjAgEAAoIBAQD{n}xyzxyzxyzxyz\n-----END PRIVATE KEY-----\n",
    "jwt": "eyJhbGciOi{n}JIUzI1NiJ9.eyJzdWIiOiIx{n}MjM0NTY3.SflKxwRJ{n}SMeKKF2QT4fwpMeJf36",
    "google": "AIzaSy{n}-abcdefghijklmnopqrstuvwxyz0123",
    "github": "ghp_{n}abcdefghijklmnopqrstuvwxyz0123456",
    "key": "ghp_{n}keyabcdefghijklmnopqrstuvwxyz0123",
    "each": "ghp_{n}eachabcdefghijklmnopqrstuvwxyz012",
    "label": "ghp_{n}labelabcdefghijklmnopqrstuvwxyz01",
    "url": "UrlPw-{n}-qwerty",
    "json": "JsonPw-{n}-asdfgh",
    "base64": "B64Pw-{n}-zxcvbn",
    "run": "RunPw-{n}-ghjkl",
    "version": "payload-of-version-{n}-hush",
    "output": "output-{n}-hush-hush",
    "named": "named-output-{n}-hush",
    "check": "check-says-{n}-hush",
    "broken": "precondition-says-{n}-hush",
    "provider": "provider-says-{n}-hush",
}


def secret(kind: str, version: int) -> str:
    """One secret."""
    return KINDS[kind].format(n=f"{version}{version}")


STACK = """
variable "db_password" {
  type      = string
  sensitive = true
}
variable "motd" {
  type      = string
  sensitive = true
}
variable "greeting" {
  type      = string
  sensitive = true
}
variable "api_token" {
  type    = string
  default = "@token@"
}
locals {
  pem   = <<-EOT
@pem@
  EOT
  lines = <<-EOT
@lines@
  EOT
}
resource "terraform_data" "marked" {
  input = {
    plain = "@n@"
    env   = var.db_password
    motd  = var.motd
    file  = var.greeting
    block = sensitive(local.lines)
  }
}
resource "terraform_data" "named" {
  input = {
    password    = "@password@"
    token       = var.api_token
    private_key = local.pem
    list        = [{ name = "DB_PASSWORD", value = "@password@" }]
    encoded     = jsonencode({ database = { password = "@json@" }, n = "@n@" })
  }
}
resource "terraform_data" "shaped" {
  input = {
    a = local.pem
    b = "token is @jwt@ today"
    c = "@google@"
    d = "postgres://svc:@url@@db.example:5432/x"
    e = base64encode("export PASSWORD=@base64@ and more of it")
    f = "@github@"
    (nonsensitive("@key@")) = "@n@"
  }
}
resource "terraform_data" "each" {
  for_each = toset(["@each@"])
  input    = "@n@"
}
resource "google_pubsub_topic" "labelled" {
  name                       = "labelled"
  message_retention_duration = "@n@s"
  labels                     = { note = "@label@" }
}
resource "google_secret_manager_secret_version" "version" {
  secret      = "projects/example-dev/secrets/x"
  secret_data = "@version@"
}
resource "google_cloud_run_v2_service" "service" {
  name                = "service"
  location            = "europe-west1"
  deletion_protection = false
  template {
    containers {
      image = "example/service:@n@"
      env {
        name  = "DB_PASSWORD"
        value = "@run@"
      }
    }
  }
}
output "x" {
  value     = "@output@"
  sensitive = true
}
output "admin_password" {
  value = "@named@"
}
check "well" {
  assert {
    condition     = google_pubsub_topic.labelled.name == ""
    error_message = "It says ${nonsensitive(var.greeting)} and password=@check@ is wrong."
  }
}
"""

BROKEN = """
variable "motd" {
  type      = string
  sensitive = true
}
variable "greeting" {
  type      = string
  sensitive = true
}
resource "terraform_data" "broken" {
  input = "@n@"
  lifecycle {
    precondition {
      condition     = length(var.motd) < 3
      error_message = "${nonsensitive(var.motd)}, ${nonsensitive(var.greeting)}, password=@broken@, @github@."
    }
  }
}
"""

REGO = """
package main

warn contains msg if {
  some change in input.resource_changes
  change.address == "terraform_data.named"
  msg := sprintf("Look at %v and %v", [change.change.after.input.password, change.change.after.input.encoded])
}

warn contains msg if {
  msg := sprintf("The variables are %v", [input.variables])
}
"""


def code(version: int, text: str = STACK, head: str = HEAD) -> str:
    """The stack with one version of the secrets."""
    replace = head + text
    for kind in KINDS:
        value = secret(kind, version).rstrip("\n")
        if f"\n@{kind}@\n" in replace:
            value = "\n".join(f"    {line}" for line in value.splitlines())
        replace = replace.replace(f"@{kind}@", value)
    return replace.replace("@n@", f"{version}00")


def variables(version: int) -> str:
    """The file of variables."""
    return f'greeting = "{secret("tfvars", version)}"\n'


def environ(version: int) -> dict[str, str]:
    """The variables in the environment."""
    return {"TF_VAR_db_password": secret("env", version), "TF_VAR_motd": secret("motd", version)}


@dataclass(frozen=True)
class Leak:
    """A secret that was found: which one, and where, with what stands around it."""

    kind: str
    sink: str
    around: str


def leaks(sinks: Mapping[str, str], versions: tuple[int, ...]) -> Iterator[Leak]:
    """Every secret in every sink, in any form in which it can be printed."""
    forms = {form: kind for kind, form in _forms(versions)}
    for sink, text in sinks.items():
        for form, kind in forms.items():
            at = text.find(form)
            if at >= 0:
                yield Leak(kind, sink, text[max(0, at - 60) : at + len(form) + 20])


def _forms(versions: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    for kind in KINDS:
        for version in versions:
            value = secret(kind, version)
            parts = [value, *(line for line in value.splitlines() if not line.startswith("---"))]
            for part in parts:
                for form in forms_of(part):
                    if len(form) >= 8 and not form.startswith("-----"):
                        yield kind, form
            yield kind, base64.b64encode(value.encode()).decode()[4:-4]


def text_of(value: Any, depth: int = 0) -> str:
    """Everything that an object holds, as text: dataclasses, collections and plain objects."""
    if depth > 12 or value is None:
        return ""
    if isinstance(value, str):
        return value + "\n"
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") + "\n"
    if isinstance(value, Mapping):
        return "".join(text_of(item, depth + 1) for pair in value.items() for item in pair)
    if isinstance(value, list | tuple | set | frozenset):
        return "".join(text_of(item, depth + 1) for item in value)
    attributes = getattr(value, "__dict__", None)
    if attributes is None:
        return ""
    return "".join(text_of(item, depth + 1) for item in attributes.values())
