"""Decides which names are secret, and which words are too common to be masked everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

HIDDEN = "(sensitive value)"

# A name is secret when it holds one of these as whole words. `key` alone is not: it is mostly a map's key.
_SECRET = (
    ("password",),
    ("passwd",),
    ("passphrase",),
    ("pwd",),
    ("secret",),
    ("token",),
    ("credential",),
    ("private", "key"),
    ("api", "key"),
    ("access", "key"),
    ("auth", "key"),
)
# A name that ends so says which secret is meant: `secret_id`, `db_password_secret_name`, `secret_key_ref`.
_WHICH_SECRET = ("id", "name", "version", "ref", "arn", "label", "annotation")
_REFERENCES = ("ref", "reference")
# The number beside a write-only attribute: `password_wo_version`.
_VERSION = ("wo", "version")
# Blocks of providers that list secrets by their names, with what is inside of them.
_REFERENCE_BLOCKS = frozenset(
    {
        ("secret", "environment", "variable"),
        ("secret", "volume"),
        ("secret", "env"),
        ("image", "pull", "secret"),
    }
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST_NAME = 200

# Hidden only where they stand as a secret's value: taking them out everywhere would leave no text to read.
_COMMON_WORDS = """
    true false null none yes no on off enabled disabled default auto unknown known after apply sensitive value
    values name names type types string number bool list map object resource data module output input variable
    create update delete replace read added changed destroy error warning main prod production staging stage
    test tests testing admin root user users public private internal latest http https tcp udp localhost
    before this that with from will been plan must have refresh forces replacement
"""
COMMON = frozenset(_COMMON_WORDS.split())


def words_of(name: str) -> tuple[str, ...]:
    """The words of a name in lower case: `dbPassword`, `DB_PASSWORD` and `db-password` are db, password."""
    return tuple(word.lower() for word in _WORD.findall(name))


class SecretNames:
    """Tells secret names from others; `extra` are words or names of several words, such as `license_key`."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self.phrases = frozenset({*_SECRET, *filter(None, (words_of(name) for name in extra))})
        self.longest = max(len(phrase) for phrase in self.phrases)
        self.single = tuple(phrase[0] for phrase in self.phrases if len(phrase) == 1)
        self.joined = frozenset("".join(phrase) for phrase in self.phrases)
        self.is_secret = lru_cache(maxsize=20_000)(self._is_secret)

    def _is_secret(self, name: str) -> bool:
        words = tuple(map(_singular, words_of(name[-_LONGEST_NAME:])))
        if words[-1:] and (
            words[-1] in _REFERENCES
            or words[-2:] == _VERSION
            or (words[-2:-1] == ("secret",) and words[-1] in _WHICH_SECRET)
        ):
            return words in self.phrases
        for start, word in enumerate(words):
            # `dbpassword` is what many people write for db_password.
            if word in self.joined or word.endswith(("password", "passwd")):
                return True
            if any(words[start : start + n] in self.phrases for n in range(1, self.longest + 1)):
                return True
        return False

    def is_secret_option(self, word: str) -> bool:
        """Whether a word of a command line says that the next one is secret: `--password`."""
        return word.startswith("-") and "=" not in word and self.is_secret(word.lstrip("-"))

    def hint(self) -> re.Pattern[str]:
        """Matches in any text that could hold a secret name; a cheap test before the exact one."""
        firsts = sorted({phrase[0] for phrase in self.phrases})
        return re.compile("|".join(map(re.escape, firsts)), re.IGNORECASE)


def is_reference_block(name: str) -> bool:
    """Whether blocks of this name say which secrets are used: their `secret` is a name, not a value."""
    words = tuple(map(_singular, words_of(name[-_LONGEST_NAME:])))
    return words in _REFERENCE_BLOCKS or words[-1:] in (("ref",), ("reference",))


def _singular(word: str) -> str:
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
