"""The structure of JUnit XML that Jenkins publishes (junit-10.xsd of its xUnit plugin), as a check."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, fromstring

_COUNTS = ("tests", "failures", "errors", "disabled", "skipped", "assertions")
_TIME = re.compile(r"([0-9,]+(\.[0-9]*)?|[0-9]*\.[0-9]+)")
# An element: its attributes (those that it must have in capitals of `!`), and the elements in it.
_PROBLEM = ("message", "type")
ATTRIBUTES = {
    "testsuites": ("name", "time", "tests", "failures", "disabled", "errors"),
    "testsuite": (
        *("name!", "tests!", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id"),
        *("package", "file", "log", "url", "version"),
    ),
    "testcase": (
        "name!",
        "assertions",
        "time",
        "classname",
        "status",
        "class",
        "file",
        "line",
        "log",
        "group",
    ),
    "failure": _PROBLEM,
    "error": _PROBLEM,
    "skipped": _PROBLEM,
    "system-out": (),
    "system-err": (),
    "properties": (),
    "property": ("name!", "value!"),
}
CHILDREN = {
    "testsuites": ("testsuite",),
    "testsuite": ("testsuite", "properties", "testcase", "system-out", "system-err"),
    "testcase": ("skipped", "error", "failure", "system-out", "system-err"),
    "properties": ("property",),
}


def check_junit(text: str) -> None:
    """Raise when a document is not what Jenkins takes."""
    root = fromstring(text)  # noqa: S314 - our own text
    assert root.tag in ("testsuites", "testsuite"), root.tag
    _check(root)


def _check(element: Element) -> None:
    allowed = ATTRIBUTES[element.tag]
    required = {name[:-1] for name in allowed if name.endswith("!")}
    assert set(element.attrib) <= {name.rstrip("!") for name in allowed}, (element.tag, element.attrib)
    assert required <= set(element.attrib), (element.tag, element.attrib)
    for name, value in element.attrib.items():
        assert name not in _COUNTS or value.isdigit(), (element.tag, name, value)
        assert name != "time" or _TIME.fullmatch(value), (element.tag, name, value)
    assert element.tag != "testcase" or len([child for child in element if child.tag == "skipped"]) <= 1
    for child in element:
        assert child.tag in CHILDREN.get(element.tag, ()), f"{child.tag} in {element.tag}"
        _check(child)
