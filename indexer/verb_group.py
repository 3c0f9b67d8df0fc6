"""A group of verbs that names them where an unknown one is typed, and words usage errors plainly."""

from __future__ import annotations

import difflib
from typing import Any

import typer
from typer.core import TyperGroup

from lookalike.usage import plain_message


class VerbGroup(TyperGroup):
    """Commands by name; an unknown name is answered with the closest one, and with all there are."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click's Command; the messages are worded plainly."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = plain_message(error.message)
            raise

    def invoke(self, ctx: Any) -> Any:
        """See click's Command; the messages of the verb's own flags are worded plainly."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = plain_message(error.message)
            raise

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """See click's Group; raises a usage error that names the verbs."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            commands = {verb: self.get_command(ctx, verb) for verb in self.list_commands(ctx)}
            verbs = [verb for verb, command in commands.items() if command is not None and not command.hidden]
            close = difflib.get_close_matches(name, verbs, n=1)
            question = f"did you mean {close[0]}? " if close else ""
            ctx.fail(f"there is no verb {name!r}: {question}The verbs are {', '.join(verbs)}")
        return super().resolve_command(ctx, args)
