"""Query parameters that each method serves: any other is refused, since ignoring it may change a meaning."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.sandbox.gcs.errors import invalid

# Parameters of every method: what is shown, formatting, quota, billing and credentials.
_EVERYWHERE = frozenset(
    {"alt", "prettyPrint", "fields", "key", "quotaUser", "userIp", "userProject", "projection"}
    | {"access_token", "oauth_token", "$.xgafv", "callback"}
)
_GENERATIONS = frozenset(
    {"ifGenerationMatch", "ifGenerationNotMatch", "ifMetagenerationMatch", "ifMetagenerationNotMatch"}
)
_METAGENERATIONS = frozenset({"ifMetagenerationMatch", "ifMetagenerationNotMatch"})
_SOURCE_GENERATIONS = frozenset(name.replace("if", "ifSource", 1) for name in _GENERATIONS)
_UPLOAD = _GENERATIONS | {"uploadType", "upload_id", "name", "kmsKeyName", "contentEncoding"}
_OBJECT = _GENERATIONS | {"generation"}
_COPY = _GENERATIONS | _SOURCE_GENERATIONS | {"sourceGeneration", "destinationKmsKeyName"}
_PAGES = frozenset({"prefix", "pageToken", "maxResults"})
_VALUES: Mapping[str, frozenset[str]] = {
    "alt": frozenset({"json", "media"}),
    "projection": frozenset({"full", "noAcl"}),
}

# By the name of the route's handler.
_SERVED: Mapping[str, frozenset[str]] = {
    "list_buckets": _PAGES | {"project"},
    "insert_bucket": frozenset({"project", "enableObjectRetention"}),
    "get_bucket": _METAGENERATIONS,
    "patch_bucket": _METAGENERATIONS,
    "update_bucket": _METAGENERATIONS,
    "delete_bucket": _METAGENERATIONS,
    "lock_retention_policy": _METAGENERATIONS,
    "get_policy": frozenset({"optionsRequestedPolicyVersion"}),
    "test_permissions": frozenset({"permissions"}),
    "get_layout": frozenset({"prefix"}),
    "list_objects": _PAGES
    | {"delimiter", "startOffset", "endOffset", "matchGlob", "versions", "softDeleted"}
    | {"includeTrailingDelimiter", "includeFoldersAsPrefixes"},
    "get_object": _OBJECT | {"softDeleted"},
    "read_object": _OBJECT,
    "download_object": _OBJECT,
    "patch_object": _OBJECT | {"overrideUnlockedRetention"},
    "update_object": _OBJECT | {"overrideUnlockedRetention"},
    "delete_object": _OBJECT,
    "rewrite_object": _COPY,
    "move_object": _GENERATIONS | _SOURCE_GENERATIONS,
    "compose_object": _GENERATIONS | {"kmsKeyName"},
    "restore_object": _OBJECT,
    "list_folders": frozenset({"prefix", "pageToken", "pageSize"}),
    "get_folder": _METAGENERATIONS,
    "delete_folder": _METAGENERATIONS | {"allowNonEmpty"},
    "insert": _UPLOAD,
    "resume": _UPLOAD,
    "cancel": _UPLOAD,
}


def check_parameters(handler: str, query: Mapping[str, str]) -> None:
    """Raise 400 for a parameter that the method does not serve, or a value of it that it does not know."""
    served = _EVERYWHERE | _SERVED.get(handler, frozenset())
    for name, value in query.items():
        if name not in served:
            message = f"Unknown parameter, or one that the sandbox does not serve: {name}"
            raise invalid(message, reason="invalidParameter", location=name)
        if name in _VALUES and value not in _VALUES[name]:
            raise invalid(f"Invalid value '{value}' for {name}.", reason="invalidParameter", location=name)
