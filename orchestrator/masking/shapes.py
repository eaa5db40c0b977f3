"""Masks secrets by their format, such as private keys and tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from orchestrator.config.expressions import parse_expression
from orchestrator.masking.secret_names import HIDDEN

_BEGIN = r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
_END = r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----"
# Between a key's lines stand line ends (escaped ones too), a diff's signs and a diagnostic's bar.
_BETWEEN = r"(?:\s|\\+[nrt]|[-+~|│])*"

# Each shape with texts one of which is in everything that it matches: looking for those is far quicker.
_SHAPES = (
    # A whole private key, or what is left of one that was cut.
    (rf"{_BEGIN}(?:(?!-----)[\s\S]){{0,20000}}?{_END}", ("PRIVATE KEY",)),
    (rf"{_BEGIN}(?:{_BETWEEN}[A-Za-z0-9+/=]{{8,}})*", ("PRIVATE KEY",)),
    # JSON Web Tokens and what is built like them.
    (r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]+){0,3}", ("eyJ",)),
    # Google: API key, OAuth access and refresh tokens, client secret, storage HMAC key.
    (r"\bAIza[\w-]{35}", ("AIza",)),
    (r"\bya29\.[\w.-]{20,}[\w-]", ("ya29.",)),
    (r"\b1//0[\w-]{20,}", ("1//0",)),
    (r"\bGOCSPX-[\w-]{20,}", ("GOCSPX-",)),
    (r"\bGOOG1[A-Z0-9]{15,}", ("GOOG1",)),
    # AWS access keys; GitHub, GitLab, Slack, Stripe and Vault tokens.
    (r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b", ("AKIA", "ASIA", "ABIA", "ACCA")),
    (r"\bgh[pousr]_[A-Za-z0-9_]{20,}", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    (r"\bgithub_pat_[A-Za-z0-9_]{20,}", ("github_pat_",)),
    (r"\bglpat-[\w-]{20,}", ("glpat-",)),
    (r"\bxox[abeoprs]-[\w-]{10,}", ("xox",)),
    (r"\b[rs]k_live_\w{16,}", ("k_live_",)),
    (r"\bhv[sb]\.[\w-]{20,}", ("hvs.", "hvb.")),
    # What an HTTP Authorization header carries.
    (r"(?<=Bearer )[\w.~+/=-]{8,}", ("Bearer ",)),
    (r"(?<=Basic )[A-Za-z0-9+/]{8,}={0,2}(?![\w-])", ("Basic ",)),
    # A token in a URL where the user's name stands; users have shorter names.
    (r"(?<=https://)[^\s:/@\"'\\]{16,500}(?=@)", ("https://",)),
    # The password of a URL; the rest of it says where, and stays.
    (r"(?<=://)(?P<user>[^\s:/@\"'\\]{0,100}:)[^\s/\"'\\]{1,500}(?=@)", ("://",)),
)


class SecretShapes:
    """The built-in shapes and those of infra.yaml."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self.known = tuple((re.compile(expression), hints) for expression, hints in _SHAPES)
        self.extra = tuple(parse_expression(pattern) for pattern in extra)

    def mask(self, text: str, on_secret: Callable[[str], None] | None = None) -> str:
        """The text with every match hidden; `on_secret` is called with each."""

        def hide(match: re.Match[str]) -> str:
            user = match.groupdict().get("user") or ""
            secret = match.group()[len(user) :]
            if on_secret is not None and secret != HIDDEN:
                on_secret(secret)
            return user + HIDDEN

        for pattern, hints in self.known:
            if any(hint in text for hint in hints):
                text = pattern.sub(hide, text)
        for expression in self.extra:
            parts: list[str] = []
            done = 0
            for start, end in expression.spans(text):
                if on_secret is not None and text[start:end] != HIDDEN:
                    on_secret(text[start:end])
                parts += (text[done:start], HIDDEN)
                done = end
            text = "".join([*parts, text[done:]])
        return text
