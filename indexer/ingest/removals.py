"""What a run does about items that its source no longer has: it removes few of them, and refuses to remove many.

A share that is not mounted looks like an empty folder. A run that removed its pictures would publish a snapshot without
them, and after a few scheduled runs the last good one would be pruned.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from indexer.console.reporter import Reporter
from indexer.ingest.verdicts import Report, Verdict
from lookalike.catalogue.lost_items import LostItem
from lookalike.catalogue.records import folder_of
from lookalike.collection.builder import Builder
from lookalike.collection.index_command import index_command
from lookalike.errors import SourceShrunkError
from lookalike.sources.base import Source

MIN_LOST = 5
"""Fewer lost pictures are removed, whatever they were a part of: to delete one of eight is nothing unusual."""

MAX_LOST_SHARE = 0.1
"""Largest share of a collection that a run removes unasked."""

_MAX_NAMED = 3
"""Number of folders, or of lines, that a message names."""


def remove_lost(
    builder: Builder, source: Source, report: Report, reporter: Reporter, *, are_removals_allowed: bool
) -> None:
    """Remove the items that the source no longer has, unless a line of it may speak of any of them.

    Raises SourceShrunkError, with nothing removed, if at least `MIN_LOST` are lost and they are all that was in some
    folder, or more than `MAX_LOST_SHARE` of the collection. Not lost are pictures that were renamed or moved, and those
    that are excluded now.
    """
    if report.unidentified_lines:
        _report_unidentified(builder, report, reporter)
        return
    if not are_removals_allowed:
        _check_losses(builder, source, report)
    for key in builder.remove_absent():
        report.record_removal(key)


def _report_unidentified(builder: Builder, report: Report, reporter: Reporter) -> None:
    lines = report.unidentified_lines
    names = ", ".join(lines[:_MAX_NAMED]) + (", ..." if len(lines) > _MAX_NAMED else "")
    reporter.say(
        f"warning: {builder.layout.name}: nothing is removed in this run, because what cannot be read may be about any "
        f"picture: mend {names}"
    )


def _check_losses(builder: Builder, source: Source, report: Report) -> None:
    rows = builder.catalogue.lost_items(builder.record, builder.generation)
    lost = [item for item in rows.items() if source.exclusions.pattern_of(item.location) is None]
    if len(lost) < MIN_LOST:
        return
    losses = describe_losses(lost, rows.published_count(), rows.locations_in_source())
    if losses is None:
        return
    name, settings = builder.layout.name, builder.options.settings
    command = index_command(
        name, builder.source, builder.request, settings, builder.layout.data, agreement="--allow-removals"
    )
    error = SourceShrunkError(
        f"{source.location} has lost {losses} of the collection {name!r}: is a disk or share not mounted? Nothing was "
        f"removed or published. To let them go run `{command}`",
        subject=source.location,
    )
    for item in lost:
        report.record(item.key, Verdict.KEPT, error)
    raise error


def describe_losses(lost: Sequence[LostItem], published_count: int, locations: Iterable[str]) -> str | None:
    """What a source has lost, in words, if that is too much to remove unasked; None if it is not.

    ``published_count`` is how many pictures the collection has, ``locations`` where the source still has some.
    """
    if len(lost) < MIN_LOST:
        return None
    folders = lost_folders(lost, locations)
    if not folders and len(lost) <= MAX_LOST_SHARE * published_count:
        return None
    return f"{len(lost)} of the {published_count} pictures{_describe_folders(folders)}"


def lost_folders(lost: Sequence[LostItem], locations: Iterable[str]) -> list[tuple[str, int]]:
    """The folders that had at least `MIN_LOST` pictures and have lost all, with the number lost; largest first.

    ``locations`` is where the source still has pictures. Of folders within each other only the outermost is named.
    """
    counts = Counter(folder for item in lost for folder in _folders_above(item.location))
    candidates = {folder for folder, count in counts.items() if count >= MIN_LOST}
    for location in locations:
        if not candidates:
            break
        candidates.difference_update(_folders_above(location))
    outermost = [folder for folder in candidates if not candidates.intersection(_folders_above(folder))]
    return sorted(((folder, counts[folder]) for folder in outermost), key=lambda pair: (-pair[1], pair[0]))


def _folders_above(location: str) -> Iterator[str]:
    """``a/b`` and ``a`` for ``a/b/c.jpg``; not the source itself, which has a rule of its own."""
    folder = folder_of(location)
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]


def _describe_folders(folders: Sequence[tuple[str, int]]) -> str:
    if not folders:
        return ""
    named = ", ".join(f"all {count} of {folder}/" for folder, count in folders[:_MAX_NAMED])
    return f" ({named}{f' and {len(folders) - _MAX_NAMED} more folders' if len(folders) > _MAX_NAMED else ''})"
