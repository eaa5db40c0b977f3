"""Masks secrets in values, text and command lines.

Use: `masker.secrets_of(plan_json)` gives what a plan must not show, `mask_text(text, secrets)` takes it out
of the diff, of diagnostics and of logs, and `mask_value` out of values by their sensitive marks.
"""

from orchestrator.masking.masker import Masker
from orchestrator.masking.secret_names import HIDDEN
from orchestrator.masking.secrets import NO_SECRETS, SecretSet

__all__ = ["HIDDEN", "NO_SECRETS", "Masker", "SecretSet"]
