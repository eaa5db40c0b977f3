"""Markdown as GitHub shows it: what is kept, what is dropped, what becomes a link."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sandbox.github.markdown import render

HOME = "/acme/infra"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a @ada b", '<a class="mention" href="/ada">@ada</a>'),
        ("@acme/owners", '<a class="mention" href="/acme/owners">@acme/owners</a>'),
        ("fixes #12.", '<a class="issue-link" href="/acme/infra/issues/12">#12</a>.'),
        ("https://x.org/a?b=1&c.", '<a href="https://x.org/a?b=1&amp;c">https://x.org/a?b=1&amp;c</a>.'),
        ("| a |\n|--:|\n| b |", '<td align="right">b</td>'),
        ("~~old~~", "<s>old</s>"),
        ("- [x] done", '<input type="checkbox" disabled checked> done'),
        ("- [ ] open", '<input type="checkbox" disabled> open'),
        ("> [!CAUTION]\n> Gone", '<blockquote class="alert alert-caution">'),
        ("> [!OTHER]\n> Gone", "<blockquote>\n<p>[!OTHER]"),
        ("<details><summary>s</summary>\n\nin\n\n</details>", "<details><summary>s</summary>"),
        ("a<sub>1</sub><br>", "a<sub>1</sub><br>"),
        ("```diff\n+a\n-b\n c\n```", '<span class="added">+a\n</span><span class="removed">-b\n</span> c'),
        ("```hcl\na<b\n```", '<code class="language-hcl">a&lt;b'),
        ("one\ntwo", "one<br>\ntwo"),
        ("![graph](http://x.org/a.png)", '<a class="image" href="http://x.org/a.png">[image: graph]</a>'),
    ],
)
def test_it_is_shown(text: str, html: str) -> None:
    assert html in render(text, HOME)


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("<!-- infra:marker -->", "marker"),
        ("<script>alert(1)</script>", "alert"),
        ("<style>p{}</style>", "p{}"),
        ("<b onclick=alert(1)>x</b>", "onclick"),
        ('<a href="javascript:alert(1)">x</a>', "javascript"),
        ('<a href="data:text/html,x">x</a>', "data:"),
        ("[x](java&#115;cript:alert(1))", "href"),
        ("<iframe src=http://x.org></iframe>", "iframe"),
        ("<img src=x onerror=alert(1)>", "<img"),
        ('<p style="position:fixed">x</p>', "style"),
        ('<p class="badge merged">x</p>', "badge"),
        ("<form><button>x</button></form>", "button"),
        ("`@ada` and `#12`", "<a"),
        ("mail a@ada.org", "mention"),
        ("```\n@ada #1\n```", "<a"),
    ],
)
def test_it_is_dropped(text: str, hidden: str) -> None:
    assert hidden not in render(text, HOME)


def test_what_was_opened_is_closed() -> None:
    html = render("<details><summary>s</summary>\n\n<table><tr><td>x", HOME)

    assert html.count("<details>") == html.count("</details>") == 1
    assert html.endswith("</table></details>")
    assert render("</div></main></article>x", HOME) == "x"


@given(st.text(alphabet="<>/ab&;\"'=![]()`#@\n -|:dt", max_size=60))
def test_nothing_unbalanced_comes_out(text: str) -> None:
    html = render(text, HOME)
    opened: list[str] = []
    for part in html.split("<")[1:]:
        name = part.split(">")[0].split(" ")[0].strip("/")
        if part.startswith("/"):
            assert opened.pop() == name
        elif name not in ("br", "hr", "input", "wbr"):
            opened.append(name)
    assert opened == []
