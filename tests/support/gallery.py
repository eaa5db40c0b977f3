"""Make the pictures of docs/gallery.md again: python -m tests.support.gallery [NAME]... (wants Chromium).

Each is the page of a pull request in the sandbox's GitHub, with the comment and the checks that the product
makes of one of the plans that the golden texts are made of. On Debian: apt-get install chromium.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.forge.github import open_github
from orchestrator.report.review import PlanReview
from orchestrator.report.rollout import EnvironmentResult
from orchestrator.report.rollout_comment import render_rollout_comment
from orchestrator.review.pull_request.messages import render_messages
from tests.support import guards
from tests.support.browser import Browser, browser, find_browser
from tests.support.environment_results import RESULTS
from tests.support.github import ServedGitHub
from tests.support.png import packed
from tests.support.reviews import EXAMPLES

FOLDER = Path(__file__).parents[2] / "docs" / "gallery"
# Of one picture, in bytes: the repository carries them all.
LARGEST = 120_000


@dataclass(frozen=True)
class Picture:
    """A page: the plan of a pull request, and for a merged one what the merge became. Sizes in pixels."""

    name: str
    title: str
    plan: str
    rollout: str = ""
    width: int = 820
    height: int = 1_400
    phone: bool = False


PICTURES = (
    Picture("plan", "Give the service a bigger database", "simple"),
    Picture("deletion", "Retire the legacy stack, enlarge dev's database", "deletion"),
    Picture("provisional", "Move the network to another range", "provisional"),
    Picture("failed", "Add a subnetwork for the service", "failed"),
    Picture("policy", "Rebuild the web tier", "policy"),
    Picture("guard", "Look up an address at plan time", "guard"),
    Picture("mismatch", "Give the service a bigger database", "simple", rollout="mismatch"),
    Picture(
        "phone",
        "Retire the legacy stack, enlarge dev's database",
        "deletion",
        width=390,
        height=1_250,
        phone=True,
    ),
)


def main(names: list[str]) -> int:
    """Make the pictures named, or all; the exit code."""
    path = find_browser()
    if path is None:
        sys.stderr.write("There is no Chromium here. On Debian: apt-get install chromium.\n")
        return 1
    FOLDER.mkdir(exist_ok=True)
    pictures = [picture for picture in PICTURES if not names or picture.name in names]
    with tempfile.TemporaryDirectory() as folder:
        # The same people and times as in tests, whoever runs this.
        os.environ.update(guards.test_environment(Path(folder)))
        return make(pictures, Path(folder), path)


def make(pictures: Sequence[Picture], folder: Path, path: str) -> int:
    """Make pictures, with a GitHub in `folder` and the browser at `path`."""
    with ServedGitHub(folder) as github, browser(path) as chromium:
        for picture in pictures:
            data = take(github, chromium, picture)
            (FOLDER / f"{picture.name}.png").write_bytes(data)
            sys.stderr.write(f"{picture.name}.png: {len(data):,} bytes\n")
            if len(data) > LARGEST:
                sys.stderr.write(f"{picture.name}.png is larger than {LARGEST:,} bytes.\n")
                return 1
    return 0


def take(github: ServedGitHub, chromium: Browser, picture: Picture) -> bytes:
    """Open a pull request, let the product write on it, and take the picture."""
    github.commit(f"change-{picture.name}", {f"infra/envs/{picture.name}.tf": "# a change\n"}, picture.title)
    number = github.open(f"change-{picture.name}", picture.title, "ada")
    review = of_this_world(github, number, picture, EXAMPLES[picture.plan]())
    token = github.token(pull_requests="write", issues="write", checks="write", statuses="write")
    host = open_github(github.environ(token, "pull_request", number))
    try:
        messages = render_messages(review)
        host.create_comment(number, messages.comment or messages.nothing)
        for check in messages.checks:
            host.create_check(check)
        if picture.rollout:
            github.review(number, "bert")
            commit = github.merge(number, "squash")
            host.create_comment(
                number, render_rollout_comment(of_this_merge(number, commit, picture, review))
            )
    finally:
        host.close()
    url = f"{github.url}/{github.repository}/pull/{number}"
    return packed(
        chromium.picture(
            url,
            width=picture.width,
            height=picture.height,
            scale=2.0 if picture.phone else 1.0,
            mobile=picture.phone,
            end=bool(picture.rollout),
        )
    )


def of_this_world(github: ServedGitHub, number: int, picture: Picture, review: PlanReview) -> PlanReview:
    """An example with the commits, the author and the number of a pull request that is there."""
    pull = github.pull(number).pull
    assert pull
    return replace(
        review,
        pull_request=number,
        title=picture.title,
        author="ada",
        head=pull.head,
        commit=pull.merge_commit,
        base=github.trunk,
        url="",
    )


def of_this_merge(number: int, commit: str, picture: Picture, review: PlanReview) -> EnvironmentResult:
    """A rollout with the commit of a pull request that is there, and only stacks that its plan changes."""
    result = RESULTS[picture.rollout]()
    ids = {stack.id for stack in review.stacks if stack.report.result != "unchanged"}
    stacks = tuple(stack for stack in result.stacks if stack.id in ids)
    # No environment of the plan follows prod.
    return replace(result, commit=commit, pull_requests=(number,), url="", next=(), stacks=stacks)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
