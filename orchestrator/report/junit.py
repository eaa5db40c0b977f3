"""JUnit XML, which CI systems show: the elements that the reports of `infra test` and `infra drift` share."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

# Characters that XML 1.0 cannot represent.
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


def new_document(**attributes: object) -> Element:
    """The root element, `testsuites`."""
    return Element("testsuites", _attributes(attributes))


def add_element(parent: Element, tag: str, text: str = "", /, **attributes: object) -> Element:
    """Append a child such as `testsuite`, `testcase` or `failure`, and return it."""
    element = SubElement(parent, tag, _attributes(attributes))
    element.text = _clean(text) or None
    return element


def render_document(root: Element) -> str:
    """The document as text."""
    indent(root)
    xml = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{xml}\n'


def _attributes(attributes: dict[str, object]) -> dict[str, str]:
    return {name: _clean(str(value)) for name, value in attributes.items()}


def _clean(text: str) -> str:
    return _UNWRITABLE.sub("?", text)
