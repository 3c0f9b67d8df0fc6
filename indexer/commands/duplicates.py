"""The command that finds copies: ``duplicates``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import combinations
from pathlib import Path, PurePath
from typing import Annotated

import typer

from indexer.commands.options import DEFAULT_WORKERS, CollectionOption, WorkersOption
from indexer.commands.session import Session, with_collections
from indexer.console.staged_progress import StagedProgress
from indexer.console.units import size
from indexer.duplicates.move_script import move_script
from indexer.duplicates.reference import Reference, reference_collection, reference_source
from indexer.duplicates.table import group_fields, table
from indexer.ingest.fold import fold_pending
from lookalike.api import Collection
from lookalike.catalogue.database import Database
from lookalike.catalogue.duplicate_store import DuplicateStore, digest_pair
from lookalike.catalogue.records import SourceRecord
from lookalike.collection.origin import find_path
from lookalike.duplicates.collection_vectors import CollectionVectors
from lookalike.duplicates.keep_rules import KeepRule, KeepRules
from lookalike.duplicates.report import DuplicateReport, GroupKind
from lookalike.duplicates.search import SearchOptions, find_duplicates
from lookalike.duplicates.stored_report import store_report
from lookalike.duplicates.subjects import Subject, subjects_of
from lookalike.sources.open_source import open_source
from lookalike.storage import disk_errors, write_atomically
from lookalike.tiers import Tier


class WidestTier(StrEnum):
    """Tiers of copies, from the closest."""

    SAME_BYTES = Tier.SAME_BYTES.value
    SAME_PIXELS = Tier.SAME_PIXELS.value
    NEAR_DUPLICATE = Tier.NEAR_DUPLICATE.value


KeysArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY]...", help="With --not-duplicates or --duplicates-after-all: keys of pictures."),
]
NeighboursOption = Annotated[
    int,
    typer.Option(
        "--neighbours",
        min=0,
        max=100,
        envvar="LOOKALIKE_NEIGHBOURS",
        help="Nearest neighbours of each by the encoder to compare on pixels, besides those with a near hash.",
    ),
]
TableOption = Annotated[Path | None, typer.Option("--out", "-o", help="Write the table to this CSV file as well.")]
TierOption = Annotated[
    WidestTier, typer.Option("--tier", envvar="LOOKALIKE_TIER", help="The widest kind of copies to look for.")
]
KeepOption = Annotated[
    list[KeepRule] | None,
    typer.Option(
        "--keep",
        help="Which of equally complete copies to keep: the one of the highest resolution (pixels), the largest file "
        "(bytes), the sharpest, the oldest file, or the one in a preferred folder; may be repeated, the first counts "
        "most. Without it: folder, pixels, sharpness, then bytes.",
    ),
]
FolderOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--prefer-folder",
        envvar="LOOKALIKE_PREFER_FOLDER",
        help="Keep copies in this folder, as it is called here or in the source, rather than others; may be repeated, "
        "the first counts most.",
    ),
]
AgainstOption = Annotated[
    str | None,
    typer.Option(
        "--against",
        help="A collection, or a folder, .zip or manifest: find which pictures are there already, and propose nothing "
        "of it for dropping.",
    ),
]
ScriptOption = Annotated[
    Path | None, typer.Option("--script", help="Write a shell script that moves the pictures to drop; see --move-to.")
]
MoveToOption = Annotated[Path | None, typer.Option("--move-to", help="Folder that the script moves pictures into.")]
NotDuplicatesOption = Annotated[
    bool,
    typer.Option("--not-duplicates", help="Remember that these pictures are no duplicates of each other, and end."),
]
AfterAllOption = Annotated[
    bool, typer.Option("--duplicates-after-all", help="Forget what --not-duplicates remembered of them, and end.")
]


@dataclass(frozen=True, slots=True)
class _Request:
    """What a search was asked for."""

    neighbours: int
    against: str | None
    options: SearchOptions
    preferred_folders: tuple[Path, ...]


@with_collections
def duplicates(
    session: Session,
    collection: CollectionOption,
    keys: KeysArgument = None,
    neighbours: NeighboursOption = 10,
    tier: TierOption = WidestTier.NEAR_DUPLICATE,
    keep: KeepOption = None,
    prefer_folder: FolderOption = None,
    against: AgainstOption = None,
    out: TableOption = None,
    script: ScriptOption = None,
    move_to: MoveToOption = None,
    not_duplicates: NotDuplicatesOption = False,
    duplicates_after_all: AfterAllOption = False,
    workers: WorkersOption = DEFAULT_WORKERS,
) -> None:
    """Find copies of one picture in a collection, and say which one of them to keep; nothing is removed.

    The table is CSV: group, kind, action, key, tier, reason, width, height, bytes, path (absolute), from. Only in
    groups of the kind copies is a picture proposed for dropping, and each of these is a confirmed copy of the one to
    keep. Edited copies, pictures that only look alike and shots of one burst are groups of their own. The service shows
    the result of the last search for review, except of one with --against.
    """
    if not_duplicates or duplicates_after_all:
        if not_duplicates and duplicates_after_all:
            raise typer.BadParameter("--not-duplicates and --duplicates-after-all exclude each other: give one of them")
        _decide(session, collection, keys or [], are_apart=not_duplicates)
        return
    if keys:
        raise typer.BadParameter("keys need --not-duplicates or --duplicates-after-all", param_hint="KEY")
    if (script is None) != (move_to is None):
        raise typer.BadParameter("--script and --move-to need each other: give both")
    if KeepRule.FOLDER in (keep or ()) and not prefer_folder:
        raise typer.BadParameter("folder needs --prefer-folder: give the folder", param_hint="--keep")
    fold_pending(session.places, collection, session.reporter)
    options = SearchOptions(Tier(tier), KeepRules(tuple(keep or ())), threads=workers)
    report = _search(session, collection, _Request(neighbours, against, options, tuple(prefer_folder or ())))
    if script is not None and move_to is not None:
        with disk_errors(script):
            write_atomically(script, move_script(report.groups, move_to, script.name).encode())
    _answer(session, collection, report, out)


def _search(session: Session, name: str, request: _Request) -> DuplicateReport:
    with (
        session.collection(name) as collection,
        session.source(name) as source,
        _store(session) as store,
        _reference(session, request.against, collection) as reference,
    ):
        items = [item.draft for item in collection.items()]
        subjects = subjects_of(
            items, partial(find_path, source=collection.origin, layout=collection.layout), source.read, owner=name
        )
        references = [] if reference is None else reference.subjects
        folders = _resolve_folders(request.preferred_folders, collection.origin, [*subjects, *references])
        threshold = collection.threshold()
        vectors = CollectionVectors(
            collection.searcher,
            request.neighbours if reference is None or reference.vectors is not None else 0,
            threshold.similar,
            None if reference is None else reference.vectors,
        )
        options = replace(
            request.options,
            rules=replace(request.options.rules, folders=folders),
            limits=collection.limits,
            not_duplicates=store.not_duplicates(_collection_id(session, name)),
        )
        with StagedProgress(session.reporter, name) as progress:
            report = find_duplicates(
                [*subjects, *references],
                vectors,
                store,
                options,
                report=session.reporter.say,
                progress=progress.report,
            )
        store.drop_unused_marks()
        if reference is None:
            store_report(session.layout(name).root, report, collection.manifest.generation)
    return report


def _resolve_folders(folders: Sequence[Path], source: SourceRecord, subjects: Sequence[Subject]) -> tuple[str, ...]:
    """The absolute paths: relative ones are below the current folder, or else below the source, as keys are.

    A preferred folder without a picture would silently prefer nothing: it is refused.
    """
    return tuple(_resolve_folder(folder, source, subjects) for folder in folders)


def _resolve_folder(folder: Path, source: SourceRecord, subjects: Sequence[Subject]) -> str:
    # An absolute path stays itself below the source.
    for path in (str(folder.absolute()), source.path_of(str(folder))):
        if any(PurePath(subject.path).is_relative_to(path) for subject in subjects):
            return path
    raise typer.BadParameter(f"no picture that is compared is in {folder.absolute()}", param_hint="--prefer-folder")


@contextmanager
def _store(session: Session) -> Iterator[DuplicateStore]:
    store = DuplicateStore(Database.open(session.places.catalogue))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def _reference(session: Session, name: str | None, collection: Collection) -> Iterator[Reference | None]:
    """What the collection is compared with: the collection of that name, or else the source at that path."""
    if name is None:
        yield None
        return
    with session.catalogue() as catalogue:
        is_collection = catalogue.find_collection(name) is not None
    if is_collection:
        with session.collection(name) as other, session.source(name) as source:
            yield reference_collection(name, other, source, collection)
        return
    source = open_source(Path(name))
    try:
        with session.reporter.stage(f"pictures of {name} encoded", 0) as stage:
            reference = reference_source(source, collection, session.reporter.say, stage.advance)
        yield reference
    finally:
        source.close()


def _collection_id(session: Session, name: str) -> int:
    with session.catalogue(name) as catalogue:
        return catalogue.collection(name).id


def _decide(session: Session, name: str, keys: Sequence[str], *, are_apart: bool) -> None:
    """Remember, or forget, that pictures are no duplicates of each other."""
    if len(keys) < 2:
        raise typer.BadParameter("give the keys of at least two pictures", param_hint="KEY")
    with session.collection(name) as collection, _store(session) as store:
        digests = [collection.item(key).draft.content_digest for key in dict.fromkeys(keys)]
        pairs = {digest_pair(*pair) for pair in combinations(digests, 2)}
        change = store.add_not_duplicates if are_apart else store.remove_not_duplicates
        count = change(_collection_id(session, name), pairs)
    done = "remembered as no duplicates" if are_apart else "no longer remembered as no duplicates"
    session.reporter.answer(f"{name}: {count} pairs {done}", collection=name, pairs=count)


def _answer(session: Session, collection: str, report: DuplicateReport, out: Path | None) -> None:
    text = table(report.groups)
    if out is not None:
        with disk_errors(out):
            write_atomically(out, text.encode())
    groups = [group for group in report.groups if group.kind is GroupKind.COPIES]
    related = len(report.groups) - len(groups)
    session.reporter.say(
        f"{collection}: {report.dropped_count} of {report.pictures} pictures are copies that may go, "
        f"{size(report.freed_bytes)}, in {len(groups)} groups"
        + (f"; {related} groups of edited or related pictures, of which none may" if related else "")
        + (f"; {len(report.unreadable)} could not be read" if report.unreadable else "")
    )
    # For who needs no more than this: the answer may be as large as the collection.
    session.reporter.event(
        "summary",
        collection=collection,
        pictures=report.pictures,
        copies=report.dropped_count,
        bytes=report.freed_bytes,
        unreadable=len(report.unreadable),
        groups=len(report.groups),
    )
    session.reporter.answer(
        text.rstrip("\n"),
        collection=collection,
        pictures=report.pictures,
        copies=report.dropped_count,
        bytes=report.freed_bytes,
        unreadable=list(report.unreadable),
        groups=[group_fields(group) for group in report.groups],
    )
