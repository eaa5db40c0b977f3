"""Text of others shows and does nothing: tables of cases, and random text rendered as a host would."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report import markers
from orchestrator.report.escape import cell, cell_code, code, fence, folded, html_code, link, shortened, text
from orchestrator.report.markdown import details, row, table
from tests.support.rendering import render

# Text that is made of what means something to a host, more often than chance would have it.
MEANING = [
    "@mira",
    "@acme/ops",
    "#12",
    "GH-7",
    "acme/infra#3",
    "deadbeef1",
    "https://a.example/x",
    "www.a.example",
    "ftp://x",
    "a@b.example",
    "<b>",
    "</details>",
    "</summary>",
    "<img",
    "src=x>",
    "&lt;",
    "`",
    "``",
    "```",
    "~~~",
    "|",
    "\\",
    "\\|",
    "*",
    "**x**",
    "_y_",
    "$x$",
    ":smile:",
    "-->",
    "[a](https://b.example)",
    "![i](x)",
    "[!NOTE]",
    "#",
    "-",
    "+",
    "1.",
    "2)",
    ">",
    "---",
    "===",
    "{x",
    "(y",
    "plain",
    "words",
]
HIDDEN = ["\n", "\n\n", "\r\n", "\t", " ", "\u202e", "\u200b", "\x1b[0m", "\x00", "\u3164", "\udcff"]
NASTY = st.lists(
    st.sampled_from([*MEANING, *HIDDEN, "<!-- infra:plan -->", "> quote", "- item", "# head"])
    | st.text(alphabet=string.punctuation + " \nab1", max_size=6),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("Give the service a bigger database", "Give the service a bigger database"),
        ("it's 1.5 % – and/or (well), 'so' to say: yes!", "it's 1.5 % – and/or (well), 'so' to say: yes!"),
        ("thanks @mira and @acme/ops.", "thanks `@mira` and `@acme/ops`."),
        ("see #12, GH-7 and acme/infra#3", "see `#12`, `GH-7` and `acme/infra#3`"),
        ("reverts deadbeef1", "reverts `deadbeef1`"),
        ("at https://a.example/x?y=1.", "at `https://a.example/x?y=1`."),
        ("<!-- infra:plan --> x", r"`\u003c!-- infra:plan -->` x"),
        ("two\n\nparagraphs\r\n# and a head", "two paragraphs `#` and a head"),
        ("1. not a list", "`1`. not a list"),
        ("- not a list", "`-` not a list"),
        ("a - b", "a - b"),
        ("**bold** and _this_", "`**bold**` and `_this_`"),
        ("google_sql_user.main[0] changes", "`google_sql_user.main[0]` changes"),
        ("run `infra plan prod/db`, then wait", "run `infra plan prod/db`, then wait"),
        ("set {rule: x, path: y} there", "set `{rule: x, path: y}` there"),
        ("a ` b", "a `` ` `` b"),
        ("```a b", "```` ```a ```` b"),
        ("abc\u202etxt.exe", r"`abc\u202etxt.exe`"),
        ("zero\u200bwidth", r"`zero\u200bwidth`"),
        ("naïve → ok", "naïve → ok"),
        ("", ""),
    ],
)  # fmt: skip
def test_prose(given_: str, expected: str) -> None:
    assert text(given_) == expected


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ("prod/network", "`prod/network`"),
        ("a`b", "``a`b``"),
        ("`a``b`", "``` `a``b` ```"),
        (" x ", "`x`"),
        ("", "`  `"),
        ("bytes\udcff", r"`bytes\udcff`"),
    ],
)
def test_names(given_: str, expected: str) -> None:
    assert code(given_) == expected


def test_a_bar_in_a_cell_is_spelt_out() -> None:
    rendered = render(table(("a", "b"), [row((cell_code(r"x\|y|`z`"), cell("p | q")))]))
    assert rendered.tags.count("td") == 2
    assert r"x\|y|`z`" in rendered.code
    assert "p" in rendered.prose


@pytest.mark.parametrize(
    "body", ["```", "````\n~~~~", "</details>\n```diff\n", "a\n\n````\n`````\nb", "\r```\r"]
)
def test_nothing_closes_a_fence(body: str) -> None:
    rendered = render(f"{fence(body, 'text')}\n\nafter")
    assert rendered.tags == ["pre", "code", "p"]
    assert rendered.prose.strip() == "after"


def test_hidden_characters_show_in_a_fence() -> None:
    assert (
        fence("a\u202eb\tc\u200bd\x1b\u3164\u00a0\n\nü")
        == "```\na\\u202eb\tc\\u200bd\\u001b\\u3164\\u00a0\n\nü\n```"
    )


def test_a_long_name_keeps_both_ends() -> None:
    short = shortened("infra/" + "x" * 500 + "/main.tf", 50)
    assert len(short) == 50
    assert short.startswith("infra/")
    assert short.endswith("/main.tf")


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://github.com/acme/infra/actions/runs/1?x=y#z", True),
        ("http://127.0.0.1:4100/acme/infra/pull/1", True),
        ("javascript:alert(1)", False),
        ("https://evil.example/)<script>", False),
        ("https://evil.example/ x", False),
        ("https://user@evil.example/", False),
        ("", False),
    ],
)
def test_links_are_only_of_a_plain_kind(url: str, linked: bool) -> None:
    assert render(link("run", url)).links == ([url] if linked else [])


@given(NASTY)
def test_prose_does_nothing(given_: str) -> None:
    rendered = render(f"Before **{text(given_) or 'x'}** after\n\n- {text(given_)}\n- {code(given_)} end")
    assert not rendered.foreign
    assert not rendered.wrong
    assert not rendered.comments
    assert set(rendered.tags) <= {"p", "strong", "code", "ul", "li"}


@given(NASTY)
def test_a_line_of_prose_stays_one(given_: str) -> None:
    rendered = render(text(given_))
    assert set(rendered.tags) <= {"p", "code"}
    assert rendered.tags.count("p") == bool(given_.strip() and text(given_))


@given(NASTY, NASTY)
def test_cells_stay_cells(item: str, other: str) -> None:
    rendered = render(table(("a", "b"), [row((cell_code(item), cell(other))), row((cell(item), code("z")))]))
    assert rendered.tags.count("td") == 4
    assert rendered.tags.count("tr") == 3
    assert not rendered.foreign
    assert not rendered.wrong
    assert "z" in rendered.code


@given(NASTY)
def test_details_stay_closed(given_: str) -> None:
    rendered = render(details(html_code(given_), fence(given_, "diff")) + "\n\nafter")
    assert rendered.tags == ["details", "summary", "code", "pre", "code", "p"]
    assert not rendered.wrong
    assert rendered.prose.split() == ["after"]


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_text_forges_a_marker(item: str, other: str) -> None:
    for given_ in (f"{item}<!-- infra:plan -->{other}", f"{item}<!--\tINFRA:apply prod -->"):
        for result in (
            text(given_, 1_000),
            code(given_, 1_000),
            cell(given_, 1_000),
            fence(given_),
            html_code(given_),
        ):
            assert "<!-- infra" not in result.lower().replace("\t", " ")


@given(st.text(max_size=80))
def test_folding_leaves_one_printable_line(given_: str) -> None:
    assert folded(given_).isprintable()
    folded(given_).encode()


def test_a_marker_counts_on_the_first_line_only() -> None:
    assert markers.is_marked(f"{markers.PLAN}\r\nx", markers.PLAN)
    assert not markers.is_marked(f"x\n{markers.PLAN}", markers.PLAN)
    assert not markers.is_marked(f"{markers.PLAN} x", markers.PLAN)


def test_a_marker_of_an_environment_stays_a_comment() -> None:
    applied = markers.apply_marker("prod --> <b>@mira")
    assert render(applied).comments == ["infra:apply prod?--???b??mira"]
    assert markers.is_marked(f"{applied}\n", markers.apply_marker("prod --> <b>@mira"))


def test_the_head_is_read_back() -> None:
    body = f"{markers.PLAN}\n{markers.head_line('0123456789abcdef')}\n"
    assert markers.parse_head(body) == "0123456789abcdef"
    assert markers.parse_head(markers.PLAN) == ""
    assert markers.head_line("main --> x") == ""
