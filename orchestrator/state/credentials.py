"""Google Cloud credentials, found in the same order as Terraform's gcs backend."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.errors import StateError

SCOPES = ("https://www.googleapis.com/auth/devstorage.read_write",)
LOGIN = "Run `gcloud auth application-default login`, or set GOOGLE_OAUTH_ACCESS_TOKEN."


def credentials(env: Mapping[str, str], scopes: Sequence[str] = SCOPES) -> Any:
    """google-auth credentials from the environment; StateError when there are none.

    Order of Terraform's backend: GOOGLE_OAUTH_ACCESS_TOKEN, GOOGLE_BACKEND_CREDENTIALS, GOOGLE_CREDENTIALS,
    application default; then the impersonation that the environment asks for.
    """
    base = _token(env) or _key(env, scopes) or _default(scopes)
    target = env.get("GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT") or env.get(
        "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"
    )
    if not target:
        return base
    from google.auth import impersonated_credentials

    return impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=base, target_principal=target, target_scopes=list(scopes)
    )


def _token(env: Mapping[str, str]) -> Any:
    token = env.get("GOOGLE_OAUTH_ACCESS_TOKEN")
    if not token:
        return None
    from google.oauth2.credentials import Credentials

    return Credentials(token)  # type: ignore[no-untyped-call]


def _key(env: Mapping[str, str], scopes: Sequence[str]) -> Any:
    """A key given as a path or as its content, as Terraform takes both."""
    setting = env.get("GOOGLE_BACKEND_CREDENTIALS") or env.get("GOOGLE_CREDENTIALS")
    if not setting:
        return None
    from google.auth import load_credentials_from_dict

    try:
        text = (
            setting
            if setting.lstrip().startswith("{")
            else Path(setting).expanduser().read_text(encoding="utf-8")
        )
        key, _ = load_credentials_from_dict(json.loads(text), scopes=list(scopes))  # type: ignore[no-untyped-call]
    except Exception as error:
        raise StateError(
            "The credentials in GOOGLE_BACKEND_CREDENTIALS or GOOGLE_CREDENTIALS cannot be used: "
            f"{type(error).__name__}.",
            advice="Give the path of a key file, or its JSON.",
        ) from error
    return key


def _default(scopes: Sequence[str]) -> Any:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        default, _ = google.auth.default(scopes=list(scopes))
    except DefaultCredentialsError as error:
        raise StateError(
            "There are no Google Cloud credentials to read the states with.", advice=LOGIN
        ) from error
    return default
