"""Cuts a provider's schema to the types that a stack names, without decoding it.

A provider of a large cloud describes more than a thousand types in megabytes, which Terraform decodes in
every command. `GetProviderSchema.Response` has the same fields in both versions of the plugin protocol.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.jsontext import MALFORMED, read_object
from orchestrator.protobuf import read_fields, read_fields_with_offsets

# Maps from a type's name: resource_schemas, data_source_schemas, ephemeral_resource_schemas; and the
# identities.
SCHEMA_MAPS = frozenset({2, 3, 8})
IDENTITY_MAPS = frozenset({1})
_KEY = 1
_WORD = re.compile(rb"[A-Za-z_][A-Za-z0-9_-]*")
_CODE = (".tf", ".tofu", ".tf.json", ".tofu.json")


@dataclass(frozen=True)
class CutSchema:
    """An answer that holds only the types in use; `omitted` are the names of the others."""

    response: bytes
    omitted: frozenset[bytes]


def cut_schema(response: bytes, words: frozenset[bytes], maps: frozenset[int] = SCHEMA_MAPS) -> CutSchema:
    """The response without the entries of `maps` whose key is not among `words`.

    Raises ValueError when the response is not a protobuf message.
    """
    parts, omitted, kept_names = [], set(), set()
    for number, value, start, end in read_fields_with_offsets(response):
        name = _entry_name(value) if number in maps and isinstance(value, bytes) else None
        if name is not None and name not in words:
            omitted.add(name)
            continue
        if name is not None:
            kept_names.add(name)
        parts.append(response[start:end])
    return CutSchema(b"".join(parts), frozenset(omitted - kept_names))


def _entry_name(entry: bytes) -> bytes | None:
    return next(
        (value for number, value in read_fields(entry) if number == _KEY and isinstance(value, bytes)), None
    )


def words_in_code(root: Path, data_dir: Path) -> frozenset[bytes]:
    """Every word in the code of a root module and of the modules that `init` installed for it.

    These include each type that the code names, in whichever syntax.
    """
    words: set[bytes] = set()
    for folder in _module_folders(root, data_dir):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.name.endswith(_CODE) and path.is_file():
                words.update(_WORD.findall(path.read_bytes()))
    return frozenset(words)


def _module_folders(root: Path, data_dir: Path) -> Iterator[Path]:
    yield root
    try:
        document = read_object((data_dir / "modules" / "modules.json").read_bytes())
        folders = [str(module["Dir"]) for module in document.get("Modules") or ()]
    except FileNotFoundError:
        return
    except MALFORMED as error:
        raise OSError(f"modules.json is not as documented ({type(error).__name__})") from error
    yield from (root / folder for folder in dict.fromkeys(folders) if folder not in ("", "."))
