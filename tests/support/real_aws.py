"""The AWS provider that TF_CLI_CONFIG_FILE leads to, and code that uses it on moto."""

from __future__ import annotations

import os
from collections.abc import Sequence

from tests.support.moto import moto_server
from tests.support.real_provider import mirrored

# Read before the tests' own environment hides it.
CLI_CONFIG = os.environ.get("TF_CLI_CONFIG_FILE") or ""
PROVIDER = mirrored(CLI_CONFIG, "aws")
SERVER = moto_server(dict(os.environ))

_CODE = """
terraform {{
  {backend}
  required_providers {{
    aws = {{
      source = "hashicorp/aws"
    }}
  }}
}}
provider "aws" {{
  region                      = "eu-west-1"
  access_key                  = "test"
  secret_key                  = "test"
  max_retries                 = 1
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_region_validation      = true
  endpoints {{
{endpoints}
  }}
}}
"""


def provider_code(url: str, services: Sequence[str], backend: str = "") -> str:
    """The head of a root whose AWS services are all at one address."""
    endpoints = "\n".join(f'    {service} = "{url}"' for service in services)
    return _CODE.format(endpoints=endpoints, backend=f'backend "{backend}" {{}}' if backend else "")
