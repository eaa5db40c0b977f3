"""The one comment on a pull request: its plans in every environment, never longer than the host allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from orchestrator.report import markers
from orchestrator.report.diff import actions_of
from orchestrator.report.escape import code, link, text
from orchestrator.report.fitting import Block, Cut, bounded, fit, size
from orchestrator.report.markdown import alert, table
from orchestrator.report.pull_request_head import FAILURES, SHARE, destructive, troubles, verdict, waiting
from orchestrator.report.pull_request_merge import SHORT_COMMIT, on_merge
from orchestrator.report.pull_request_stack import OPEN_LINES, block, has_details
from orchestrator.report.pull_request_table import HEADER, ordered, rows, unchanged
from orchestrator.report.review import Review, StackReview
from orchestrator.report.words import plural

LIMIT = 65_536
# Kept free for the words about what was cut, and for those that mark a plan as outdated later.
RESERVE = 1_000
# Diffs that stand open have at most so many lines together.
ALL_OPEN_LINES = 3 * OPEN_LINES

LEGEND = "in a diff `!` is Terraform's `~`"

_OUTDATED = "<!-- infra:outdated -->"
_END_OUTDATED = "<!-- infra:end -->"


def comment(review: Review, *, limit: int = LIMIT) -> str:
    """The comment: at most `limit` bytes of Markdown, its first line the marker that it is found by."""
    return "\n".join([markers.PLAN, markers.head(review.head), "", body(review, limit - 120)])


def body(review: Review, limit: int) -> str:
    """The plans as Markdown of at most `limit` bytes. What does not fit is cut whole, counted and told."""
    top = [f"**{verdict(review)}**", *destructive(review, limit), *troubles(review, limit)]
    bottom = [*waiting(review, limit), unchanged(review, limit // SHARE), *on_merge(review, limit // SHARE)]
    bottom += [*notes(review, limit), _footer(review)]
    fixed = [part for part in (*top, *bottom) if part]
    header = table(HEADER, ())
    room = limit - RESERVE - sum(map(size, fixed)) - size(header)
    fitted = fit(tuple(rows(review)), tuple(_blocks(review, limit)), room)
    shown = "\n".join([header, *fitted.rows]) if fitted.rows else ""
    parts = [*top, shown, cut_words(fitted.cut, review.url), *fitted.blocks, *bottom]
    return "\n\n".join(part for part in parts if part) + "\n"


def outdated(existing: str, head: str) -> str:
    """The comment of an earlier head, marked as that while the plan of `head` is being made.

    Doing it again changes nothing but the head that is named. A comment that is not a plan stays as it is.
    """
    if not markers.is_marked(existing, markers.PLAN):
        return existing
    existing = existing.replace("\r\n", "\n")
    before, found, rest = existing.partition(_OUTDATED + "\n")
    if found:
        rest = rest.partition(_END_OUTDATED + "\n\n")[2]
    else:
        first, second, *others = existing.split("\n", 2)
        before, rest = f"{first}\n{second}\n\n", "".join(others).lstrip("\n")
    old = markers.head_of(existing)
    words = alert(
        "IMPORTANT",
        [
            f"**Outdated:** this is the plan of {code(old[:SHORT_COMMIT]) if old else 'an earlier head'}. "
            f"The plan of {code(head[:SHORT_COMMIT])} is on its way."
        ],
    )
    return f"{before}{_OUTDATED}\n{words}\n{_END_OUTDATED}\n\n{rest}"


def nothing(review: Review) -> str:
    """What a comment says once the pull request affects no stack any more."""
    told = [
        "**No stack is affected: nothing is planned, and the merge applies nothing.**",
        *notes(review, LIMIT),
        _footer(review),
    ]
    return "\n".join([markers.PLAN, markers.head(review.head), "", "\n\n".join(told)]) + "\n"


def notes(review: Review, limit: int) -> Iterator[str]:
    """What else there is to know: the heartbeat of the check for drift, and notes."""
    if review.heartbeat:
        yield alert("WARNING", [text(review.heartbeat)])
    if review.notes:
        yield "\n".join(bounded([f"- {text(one)}" for one in review.notes], limit // SHARE))


def _blocks(review: Review, limit: int) -> Iterator[Block]:
    """Each stack's details, failures first; short ones stand open while there are few."""
    left = ALL_OPEN_LINES
    seen: dict[str, str] = {}
    shown = [one for one in ordered(review) if has_details(one)]
    small = _that_may_fit(shown, limit)
    for stack in sorted(shown, key=lambda one: one.report.result not in FAILURES):
        same_as = seen.setdefault(stack.report.diff, stack.id) if stack.report.diff else stack.id
        same_as = "" if same_as == stack.id else same_as
        made = block(stack, limit, open_lines=left, same_as=same_as, may_fit=stack.id in small)
        left -= made.lines if made.lines <= OPEN_LINES else 0
        yield made


def _that_may_fit(stacks: Iterable[StackReview], limit: int) -> set[str]:
    """The stacks whose diffs have a chance: the biggest ones are cut first, and colouring them takes time."""
    found: set[str] = set()
    lengths = sorted((len(actions_of(stack.report.diff)), stack.id) for stack in stacks)
    for length, id_ in lengths:
        limit -= length
        if limit < 0:
            break
        found.add(id_)
    return found


def cut_words(cut: Cut, url: str) -> str:
    """What was cut to stay below the limit, in numbers, and where it can be read."""
    if not cut:
        return ""
    parts: Sequence[str] = [
        f"{plural(cut.texts, 'diff')} ({plural(cut.lines, 'line')})" if cut.texts else "",
        f"the details of {plural(cut.blocks, 'stack')}" if cut.blocks else "",
        f"{plural(cut.rows, 'row')} of the table" if cut.rows else "",
    ]
    where = f" {link('The whole text is in the run', url)}." if url else ""
    return f"✂ **Cut to fit the limit:** {', '.join(part for part in parts if part)}.{where}"


def _footer(review: Review) -> str:
    """What was planned, and in which run."""
    planned = f"Planned {code(review.head[:SHORT_COMMIT])}"
    if review.commit != review.head:
        planned += f" merged with {code(review.trunk)} at {code(review.base[:SHORT_COMMIT])}"
    run = link("run", review.url) if review.url else ""
    legend = LEGEND if any(one.report.diff for one in review.stacks) else ""
    return f"<sub>{' · '.join(part for part in (planned, legend, run) if part)}</sub>"
