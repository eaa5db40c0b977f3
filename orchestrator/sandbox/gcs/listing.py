"""One page of a listing: which objects and which common prefixes it shows."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orchestrator.sandbox.gcs.disk import BucketRecord, is_live, is_soft_deleted
from orchestrator.sandbox.gcs.errors import GcsError, invalid
from orchestrator.sandbox.gcs.resources import Resource

_LARGEST_PAGE = 1000
# The elements of a glob pattern in `matchGlob`.
_GLOB_ELEMENTS = re.compile(r"\*\*/|\*\*|\*|\?|\\.|\[!?[^\]]+\]|\{|\}|,|.", re.DOTALL)
_GLOB_EXPRESSIONS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass(frozen=True)
class Query:
    """What a listing asks for, in the words of the JSON API."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    glob: re.Pattern[str] | None = None
    versions: bool = False
    soft_deleted: bool = False
    trailing_delimiter: bool = False
    folders_as_prefixes: bool = False
    size: int = _LARGEST_PAGE
    token: str = ""

    @classmethod
    def read(cls, values: Mapping[str, str]) -> Query:
        """From a request's query parameters."""
        size = values.get("maxResults") or str(_LARGEST_PAGE)
        if not size.isdecimal() or int(size) < 1:
            raise invalid(f"Invalid value '{size}' for maxResults.", location="maxResults")
        query = cls(
            prefix=values.get("prefix", ""),
            delimiter=values.get("delimiter", ""),
            start=values.get("startOffset", ""),
            end=values.get("endOffset", ""),
            glob=_compile_glob(values["matchGlob"]) if values.get("matchGlob") else None,
            versions=is_true(values.get("versions")),
            soft_deleted=is_true(values.get("softDeleted")),
            trailing_delimiter=is_true(values.get("includeTrailingDelimiter")),
            folders_as_prefixes=is_true(values.get("includeFoldersAsPrefixes")),
            size=min(int(size), _LARGEST_PAGE),
            token=values.get("pageToken", ""),
        )
        if query.versions and query.soft_deleted:
            raise invalid("The versions and softDeleted parameters cannot be used together.")
        return query


@dataclass(frozen=True)
class Page:
    """Objects and common prefixes in order of name; `next_token` is empty on the last page."""

    items: list[Resource] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    next_token: str = ""


def is_true(text: str | None) -> bool:
    """A boolean query parameter."""
    return (text or "").lower() == "true"


def make_page(record: BucketRecord, query: Query) -> Page:
    """The page after `query.token`; an entry is an object's generation or a common prefix."""
    items: list[Resource] = []
    prefixes: list[str] = []
    after = _unpack(query.token)
    last: tuple[bytes, int] = (b"", 0)
    for key, entry in _entries(record, query):
        if after is not None and key <= after:
            continue
        if len(items) + len(prefixes) == query.size:
            return Page(items, prefixes, _pack(last))
        if isinstance(entry, str):
            prefixes.append(entry)
        else:
            items.append(entry)
        last = key
    return Page(items, prefixes)


def _entries(record: BucketRecord, query: Query) -> Iterator[tuple[tuple[bytes, int], Resource | str]]:
    """Everything that matches, in the order of the names' bytes and then of the generations."""
    folders: set[str] = set()
    names = set(record.objects)
    if query.folders_as_prefixes and query.delimiter:
        names |= set(record.folders)
    for name in sorted(names, key=lambda object_name: object_name.encode("utf-8", "surrogatepass")):
        if not name.startswith(query.prefix) or name < query.start or (query.end and name >= query.end):
            continue
        versions = [resource for resource in record.objects.get(name, []) if _is_shown(resource, query)]
        is_folder = query.folders_as_prefixes and name in record.folders
        if not versions and not is_folder:
            continue
        common = _common_prefix(name, query)
        if common:
            if common not in folders and _matches(common, query):
                yield (common.encode("utf-8", "surrogatepass"), -1), common
            folders.add(common)
            if not (query.trailing_delimiter and name == common):
                continue
        if not _matches(name, query):
            continue
        for resource in versions:
            yield (name.encode("utf-8", "surrogatepass"), int(resource["generation"])), resource


def _common_prefix(name: str, query: Query) -> str:
    if not query.delimiter:
        return ""
    rest, delimiter, _ = name[len(query.prefix) :].partition(query.delimiter)
    return query.prefix + rest + delimiter if delimiter else ""


def _matches(entry: str, query: Query) -> bool:
    return query.glob is None or query.glob.fullmatch(entry) is not None


def _is_shown(resource: Resource, query: Query) -> bool:
    if query.soft_deleted:
        return is_soft_deleted(resource)
    return is_live(resource) or (query.versions and not is_soft_deleted(resource))


def _pack(key: tuple[bytes, int]) -> str:
    return base64.urlsafe_b64encode(b"%d:%s" % (key[1], key[0])).decode()


def _unpack(token: str) -> tuple[bytes, int] | None:
    if not token:
        return None
    try:
        number, _, name = base64.urlsafe_b64decode(token.encode()).partition(b":")
        return name, int(number)
    except (binascii.Error, ValueError):
        raise invalid(f"Invalid value '{token}' for pageToken.", location="pageToken") from None


def _compile_glob(pattern: str) -> re.Pattern[str]:
    """The expression that matches whole names; 400 for a pattern whose brackets do not close.

    `*` and `?` stay within one part of a name, `**` crosses slashes, `**/` may stand for nothing,
    `[a-z]` and `[!a-z]` match one character, `{a,b}` either text, and a backslash takes away a meaning.
    """
    depth, parts = 0, []
    for element in _GLOB_ELEMENTS.findall(pattern):
        if element in _GLOB_EXPRESSIONS:
            parts.append(_GLOB_EXPRESSIONS[element])
        elif element == "{":
            depth += 1
            parts.append("(?:")
        elif element == "}" and depth:
            depth -= 1
            parts.append(")")
        elif element == "," and depth:
            parts.append("|")
        elif element[0] == "[" and len(element) > 1:
            parts.append(_character_class(element))
        elif element == "[":
            raise _malformed(pattern)
        else:
            parts.append(re.escape(element[-1]))
    if depth:
        raise _malformed(pattern)
    try:
        return re.compile("".join(parts), re.DOTALL)
    except re.error:
        raise _malformed(pattern) from None


def _character_class(element: str) -> str:
    negated = element[1] == "!"
    members = re.sub(r"([\\\[\]^&|~])", r"\\\1", element[2 if negated else 1 : -1])
    return f"[{'^/' if negated else ''}{members}]"


def _malformed(pattern: str) -> GcsError:
    return invalid(f"Invalid value '{pattern}' for matchGlob.", location="matchGlob")
