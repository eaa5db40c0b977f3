"""The one way to hide a secret: in values, in text, in a command line.

Use: `masker.secrets_of(plan_json)` gives what a plan must not show, `mask_text(text, secrets)` takes it out
of the diff, of diagnostics and of logs, and `mask_value` out of values by their sensitive marks.
"""

from orchestrator.masking.masker import Masker
from orchestrator.masking.secrets import NO_SECRETS, SecretSet
from orchestrator.masking.words import HIDDEN

__all__ = ["HIDDEN", "NO_SECRETS", "Masker", "SecretSet"]
