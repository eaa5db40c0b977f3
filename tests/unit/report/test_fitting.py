"""What is cut to stay below a limit: the biggest texts first, never the middle of one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.report.fitting import DocumentPart, byte_size, fit_items, fit_parts


def block(number: int, long: int) -> DocumentPart:
    return DocumentPart(f"<{number}>" + "x" * long, f"<{number}>", lines=long)


@given(
    st.lists(st.text(max_size=40), max_size=20),
    st.lists(st.integers(0, 300), max_size=20),
    st.integers(0, 2_000),
)
def test_it_always_fits(rows: list[str], lengths: list[int], room: int) -> None:
    blocks = [block(number, length) for number, length in enumerate(lengths)]
    fitted = fit_parts(rows, blocks, room)
    assert sum(map(byte_size, (*fitted.rows, *fitted.blocks))) <= room
    assert list(fitted.rows) == rows[: len(fitted.rows)]
    assert fitted.cut.rows == len(rows) - len(fitted.rows)
    assert fitted.cut.blocks == len(blocks) - len(fitted.blocks)
    for fitted_text, whole in zip(fitted.blocks, blocks, strict=False):
        assert fitted_text in (whole.whole, whole.short)


def test_all_stays_where_there_is_room() -> None:
    fitted = fit_parts(["row"], [block(1, 10), block(2, 20)], 1_000)
    assert not fitted.cut
    assert fitted.blocks == (block(1, 10).whole, block(2, 20).whole)


def test_the_biggest_goes_first_and_its_lines_are_counted() -> None:
    fitted = fit_parts([], [block(1, 10), block(2, 500), block(3, 20)], 100)
    assert fitted.blocks == (block(1, 10).whole, "<2>", block(3, 20).whole)
    assert (fitted.cut.texts, fitted.cut.lines, fitted.cut.blocks) == (1, 500, 0)


def test_rows_keep_half_of_the_room() -> None:
    fitted = fit_parts(["r" * 8] * 100, [block(1, 400)], 200)
    assert len(fitted.rows) == 10
    assert fitted.cut.rows == 90


def test_a_list_counts_what_it_left_out() -> None:
    assert fit_items(["- aaaa"] * 3, 17) == ["- aaaa", "- aaaa", "- and 1 more"]
    assert fit_items(["- a"], 17) == ["- a"]
