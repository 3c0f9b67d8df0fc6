"""Which files of a source are left out: those that systems leave behind, and those that patterns name.

Patterns have the syntax and the order of precedence of .gitignore files: a later one overrides an earlier one, and one
that begins with ``!`` takes files back in. Four lists stand one behind the other: `DEFAULT_PATTERNS`, the source's own
file `IGNORE_FILE`, what ``--exclude`` says, and what ``--include`` takes back.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

import pathspec

from lookalike.errors import PatternInvalidError
from lookalike.options import SourceOptions

IGNORE_FILE = ".lookalikeignore"
"""A file of patterns at the top of a folder or of a zip."""

MAX_IGNORE_FILE_BYTES = 1 << 20

DEFAULT_PATTERNS = (
    ".*",  # hidden; those below that have names of their own are counted by these
    # Apple
    "._*", ".DS_Store", ".AppleDouble/", ".AppleDB/", ".AppleDesktop/", ".Spotlight-V100/", ".fseventsd/",
    ".DocumentRevisions-V100/", ".TemporaryItems/", "Temporary Items/", "Network Trash Folder/", "__MACOSX/",
    "Icon[\r]",
    # Windows
    "Thumbs.db", "Thumbs.db:encryptable", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$RECYCLE.BIN/",
    "RECYCLER/", "System Volume Information/",
    # Linux and its desktops
    "lost+found/", ".thumbnails/", ".Trash*", ".directory", ".nfs*", ".fuse_hidden*", ".xvpics/",
    # Storage boxes: Synology, QNAP, snapshots of file systems
    "@eaDir/", "@tmp/", "@sharebin/", "*@SynoEAStream", "*@SynoResource", "#recycle/", "#snapshot/", "@Recycle/",
    "@Recently-Snapshot/", ".@__thumb/", ".snapshot/", ".snapshots/", ".zfs/",
    # Programs that synchronise and keep versions
    ".stversions/", ".stfolder/", ".sync/", ".dropbox.cache/", ".picasaoriginals/", ".git/", ".hg/", ".svn/",
)  # fmt: skip
"""Names of what systems leave behind, in any case of letters; a trailing ``/`` means a folder, with all in it."""

_HAS_CLUTTER = re.compile(
    r"(?:^|/)(?:[.@#$]|(?:icon\r|thumbs\.db|ehthumbs|desktop\.ini|recycler|system volume information|lost\+found"
    r"|temporary items|network trash folder|__macosx))|@syno",
    re.IGNORECASE,
)
"""Matches every path that `DEFAULT_PATTERNS` may match, and few others: it costs a twentieth of asking all of them."""


class Exclusions:
    """Decides for each path of a source whether it is left out, and by which pattern.

    ``has_defaults`` is false for a manifest, where somebody named every file.
    """

    def __init__(self, options: SourceOptions, ignore_lines: Iterable[str] = (), *, has_defaults: bool = True) -> None:
        file_lines = [line for line in map(_normalise, ignore_lines) if not line.startswith("#")]
        excluded = [_escape_hash(_normalise(pattern)) for pattern in options.exclude]
        included = [_negate(_normalise(pattern)) for pattern in options.include]
        own_lines = [line for line in (*file_lines, *excluded, *included) if line.strip()]
        defaults = DEFAULT_PATTERNS if has_defaults else ()
        self._patterns: tuple[str, ...] = (*defaults, *own_lines)
        self._has_defaults, self._has_own = has_defaults, bool(own_lines)
        self._own_spec = _compile(own_lines)
        self._spec = _compile([*map(_as_git_pattern, defaults), *own_lines])

    def pattern_of(self, path: str) -> str | None:
        """The pattern by which the file ``path``, relative and with ``/``, is left out; None for one that is not."""
        has_clutter = self._has_defaults and _HAS_CLUTTER.search(path) is not None
        if not has_clutter and not self._has_own:
            return None
        # No default matches without it, and to ask all of them as well takes ten times as long.
        spec = self._spec if has_clutter else self._own_spec
        result = spec.check_file(path if path.isascii() else _normalise(path))
        if not result.include or result.index is None:
            return None
        place = result.index - len(spec.patterns)  # both end with one's own
        return self._patterns[place].rstrip("/").removesuffix("[\r]")


def _compile(lines: list[str]) -> pathspec.GitIgnoreSpec:
    for line in lines:
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except (ValueError, re.error) as error:
            message = f"{line!r} is no pattern as in a .gitignore file ({error}); correct it"
            raise PatternInvalidError(message, subject=line) from error
    return pathspec.GitIgnoreSpec.from_lines(lines)


def _negate(pattern: str) -> str:
    """The line that takes back what ``pattern`` names; ``!`` before it means the same."""
    return f"!{pattern.removeprefix('!')}" if pattern.strip() else ""


def _normalise(text: str) -> str:
    """Composed letters: the same name may have an accent as a character of its own on another system."""
    return unicodedata.normalize("NFC", text)


def _as_git_pattern(name: str) -> str:
    """A default pattern as a line of a .gitignore file that matches in any case of letters."""
    any_case = "".join(f"[{letter.upper()}{letter.lower()}]" if letter.isalpha() else letter for letter in name)
    return _escape_hash(any_case)


def _escape_hash(pattern: str) -> str:
    """``#recycle`` as a pattern: in a file its ``#`` would begin a comment."""
    return f"\\{pattern}" if pattern.startswith("#") else pattern


def read_ignore_lines(data: bytes, name: str) -> list[str]:
    """The lines of an ignore file; ``name`` is the file's in the message. Raises `PatternInvalidError`."""
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise PatternInvalidError(f"{name} is not UTF-8 ({error}); save it as UTF-8", subject=name) from error


def describe_excluded(counts: Mapping[str, int]) -> str:
    """For a terminal: "4 excluded: @eaDir 3, ._* 1"; the most frequent pattern first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return f"{sum(counts.values())} excluded: " + ", ".join(f"{pattern} {count}" for pattern, count in ordered)
