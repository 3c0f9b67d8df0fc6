"""Tables of docs/performance.md that set this program beside others, made from committed result files."""

from __future__ import annotations

from typing import Any

from indexer.speed import results_of, table

TARGETS = ("0.95", "0.99")
INDEXES = ("index",)
"""Result files of ``benchmarks.index``, one a number of vectors."""


def index_table() -> str:
    """Indexes of the same vectors at equal recall; a row an index and number of vectors."""
    rows = [
        [
            "vectors", "index", *(f"recall ≥ {target}: µs alone, µs in a batch" for target in TARGETS),
            "bytes a vector", "building, CPU s",
        ]
    ]  # fmt: skip
    words = []
    for name in INDEXES:
        results = results_of(name)
        count = f"{results['count']:,}".replace(",", " ")
        for one in results["contenders"]:
            reached = [_reached(one["at"][target]) for target in TARGETS]
            facts = [f"{one['memory_bytes'] / results['count']:.0f}", f"{one['build_cpu_s']:.0f}"]
            rows.append([count, one["name"], *reached, *facts])
        compared = results["compared"]
        best = compared["0.99"]
        words.append(
            f"Over {count} vectors, at 0.99, {best['times_as_fast']:.1f} times as fast as the best other "
            f"({best['best']}) and {best['times_as_fast_in_batches']:.1f} times in batches, in "
            f"{compared['memory_share']:.2f} of its memory."
        )
    results = results_of("index")
    return (
        f"{table(rows)}\n\n{' '.join(words)} {results['queries']} pictures that are not indexed ask, k {results['k']}, "
        f"one thread, CPU time; all graphs have {2 * results['links']} links a node and {results['construction']} "
        "candidates in building. Memory is what the process holds of its own; this index scores from a mapped file of "
        f"{4 * results['dimension']} bytes a vector, which stands in memory as far as there is room."
    )


def systems_table() -> str:
    """Whole systems: from a folder of pictures to an index, and one search."""
    compared = results_of("peers")["systems"]
    ours = next(row for row in compared["rows"] if row["name"] == "ours")
    rows = [["system", "network", "pictures a second", "ours is", "a search, ms", "memory at most, MB"]]
    for row in compared["rows"]:
        times = "" if row is ours else f"{ours['pictures_per_second'] / row['pictures_per_second']:.1f} ×"
        rows.append(
            [
                row["label"], row["note"], f"{row['pictures_per_second']:.1f}", times, _maybe(row.get("search_ms")),
                f"{row['peak_rss_mb']:.0f}",
            ]
        )  # fmt: skip
    pictures = compared["pictures"]
    return (
        f"{table(rows)}\n\n{pictures['count']} pictures of {pictures['kilobytes_each']} KB on "
        f"{compared['machine']['cores']} cores, medians of {compared['rounds']} rounds.{_missing(compared)}"
    )


def indexes_table() -> str:
    """Indexes alone, each opened from its files: searches a second of one core at equal recall."""
    compared = results_of("peers")["indexes"]
    rows = [["index", *(f"recall ≥ {target}: queries a CPU second" for target in TARGETS), "memory, MB", "building, s"]]
    for row in compared["rows"]:
        reached = [row.get(f"at_{target}") for target in TARGETS]
        cells = [_rate(one) for one in reached]
        rows.append([row["label"], *cells, f"{row['memory_mb']:.0f}", f"{row['build_seconds']:.0f}"])
    vectors = compared["vectors"]
    return (
        f"{table(rows)}\n\n{vectors['count']} vectors of {vectors['dimension']} numbers, {vectors['queries']} queries "
        "one by one; the memory of ours counts what it touched of its mapped files, vectors included. The settings of "
        f"ours are also those that publishing finds by itself.{_missing(compared)}"
    )


def copies_found_table() -> str:
    """Copies among pictures: how many are found, and how many of those are copies."""
    compared = results_of("peers")["copies"]
    rows = [["finds copies by", "precision", "recall", "F1", "seconds"]]
    for row in compared["rows"]:
        label = f"{row['label']} ({row['note']})" if row.get("note") else row["label"]
        rows.append([label, *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1")), f"{row['seconds']:.0f}"])
    pictures = compared["pictures"]
    return (
        f"{table(rows)}\n\n{pictures['count']} pictures with {pictures['pairs']} pairs of copies.{_missing(compared)}"
    )


def _reached(row: dict[str, float] | None) -> str:
    return "not reached" if row is None else f"{row['single_us']:.0f}, {row['batch_us']:.0f} ({row['recall']:.3f})"


def _rate(row: dict[str, Any] | None) -> str:
    return "not reached" if row is None else f"{row['queries_per_cpu_second']:.0f} ({row['recall']:.3f})"


def _maybe(number: float | None) -> str:
    return "not measured" if number is None else f"{number:.1f}"


def _missing(compared: dict[str, Any]) -> str:
    return "".join(f" Not run: {one['label']}, {one['reason']}." for one in compared["not_run"])
