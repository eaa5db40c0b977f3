"""Ids in the mocks of the reference's module tests, and in its examples, fit Google's patterns.

The real provider checks what a mock makes up; a simulated one does not, so this holds them without it.
Patterns: hashicorp/terraform-provider-google, `google/verify/validation.go` (service accounts) and
`google/services/iambeta/resource_iam_workload_identity_pool.go`; project ids and bucket names: Google
Cloud's documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

INFRA = Path(__file__).parents[2] / "infra"

# A block that makes up values: what else a test holds may be wrong on purpose.
MOCK = re.compile(r"^( *)(?:mock_provider|override_\w+) .*?^\1}", re.MULTILINE | re.DOTALL)
# What stands for an id in a text, and what each id must be.
PATTERNS = {
    "service account": (
        r"([^\s\"/:@{}]*)@[^\s\"/]*\.iam\.gserviceaccount\.com",
        r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
    ),
    "project of a service account": (
        r"@([^\s\"/{}]*)\.iam\.gserviceaccount\.com",
        r"[a-z][-a-z0-9]{4,28}[a-z0-9]",
    ),
    "workload identity pool": (r"/workloadIdentityPools/([^\s\"/*{}]+)", r"(?!gcp-)[a-z0-9-]{4,32}"),
    "bucket": (r"gs://([^\s\"/*{}]+)", r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"),
}


def unfit(text: str) -> Iterator[str]:
    """The ids in a text that Google would refuse, with what they are."""
    for kind, (search, pattern) in PATTERNS.items():
        for value in re.findall(search, text):
            if not re.fullmatch(pattern, value):
                yield f"{kind} {value!r} is not {pattern}"


def test_ids_in_mocks_fit() -> None:
    mocks = {
        str(path.relative_to(INFRA)): [mock[0] for mock in MOCK.finditer(path.read_text(encoding="utf-8"))]
        for path in INFRA.glob("modules/*/tests/*.tftest.hcl")
    }
    assert "infra-mock@" in "".join(mocks["modules/github-identity/tests/identity.tftest.hcl"])
    assert {
        path: unfit_ids for path, texts in mocks.items() if (unfit_ids := list(unfit("".join(texts))))
    } == {}


def test_ids_in_examples_fit() -> None:
    examples = {
        str(path.relative_to(INFRA)): path.read_text(encoding="utf-8")
        for path in INFRA.glob("modules/*/examples/**/*.tf")
    }
    assert examples
    assert {path: unfit_ids for path, text in examples.items() if (unfit_ids := list(unfit(text)))} == {}


@pytest.mark.parametrize(
    "text",
    [
        "mock@example-infra.iam.gserviceaccount.com",
        "projects/example-infra/serviceAccounts/Mock-run@example-infra.iam.gserviceaccount.com",
        "infra-mock@dev.iam.gserviceaccount.com",
        "projects/1/locations/global/workloadIdentityPools/gcp-pool",
        "gs://Example",
    ],
)
def test_an_id_that_google_refuses_is_seen(text: str) -> None:
    assert list(unfit(text))
