"""Comments on pull requests and issues, and reactions to them."""

from __future__ import annotations

from github.IssueComment import IssueComment

from orchestrator.errors import ForgeError
from orchestrator.forge import model
from orchestrator.forge.github import values
from orchestrator.forge.github.calls import Calls

READ = "pull-requests: read"
WRITE = "pull-requests: write"


class Comments(Calls):
    """What people and we say about a pull request or an issue."""

    def comments(self, number: int) -> list[model.Comment]:
        """Its comments, oldest first."""
        pages = self._repo.get_issue(number).get_comments()
        return self._all(f"list the comments of #{number}", READ, pages, values.comment)

    def create_comment(self, number: int, body: str) -> model.Comment:
        """Write one. After a lost answer: when our newest comment says the same, that is the one."""

        def request() -> model.Comment:
            return values.comment(self._repo.get_issue(number).create_comment(body))

        def find_created() -> model.Comment | None:
            comments = [comment for comment in self.comments(number) if comment.author == self.login]
            return comments[-1] if comments and _same(comments[-1].body, body) else None

        return self._ask(f"comment on #{number}", WRITE, request, find_created)

    def update_comment(self, comment: int, body: str) -> None:
        """Write another text into one of ours."""
        self._ask("update a comment", WRITE, lambda: self._comment(comment).edit(body))

    def delete_comment(self, comment: int) -> None:
        """Take one of ours away; one that is gone is no error."""
        try:
            self._ask("delete a comment", WRITE, lambda: self._comment(comment).delete())
        except ForgeError as error:
            if error.status != 404:
                raise

    def react(self, comment: int, reaction: str) -> None:
        """Set a reaction: `eyes`, `rocket`, `confused`, `+1`, `-1`. Twice is once."""
        self._ask("react to a comment", WRITE, lambda: self._comment(comment).create_reaction(reaction))

    def _comment(self, id_: int) -> IssueComment:
        """A comment by its id, without reading it."""
        return IssueComment(self._requester, url=f"{self._repo.url}/issues/comments/{id_}")


def _same(first: str, second: str) -> bool:
    """Two texts that differ in nothing but how they were sent."""
    return first.replace("\r\n", "\n").strip() == second.replace("\r\n", "\n").strip()
