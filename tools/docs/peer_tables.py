"""Tables of docs/performance.md that set this program beside others, made from committed result files."""

from __future__ import annotations

from typing import Any

from tools.docs.performance_tables import results_of, table

TARGETS = ("0.95", "0.99")
INDEXES = ("index-10k", "index", "index-1m")
"""Result files of ``benchmarks.index``, one a number of vectors, rising."""
OURS = "lookalike faiss-hnsw"


def index_table() -> str:
    """Indexes of the same vectors at equal recall; a row an index and number of vectors."""
    rows = [
        [
            "vectors", "index", *(f"recall ≥ {target}: µs alone, µs in a batch" for target in TARGETS),
            "bytes a vector", "building, CPU s",
        ]
    ]  # fmt: skip
    words = []
    for results in map(results_of, INDEXES):
        count = _thousands(results["count"])
        for one in results["contenders"]:
            reached = [_reached(one["at"][target]) for target in TARGETS]
            facts = [f"{one['memory_bytes'] / results['count']:.0f}", f"{one['build_cpu_s']:.0f}"]
            rows.append([count, one["name"], *reached, *facts])
        if results["compared"]:
            words.append(_against_others(results, count))
    results = results_of("index")
    return (
        f"{table(rows)}\n\n{' '.join(words)} {_growth()} {results['queries']} pictures that are not indexed ask, "
        f"k {results['k']}, one thread, CPU time; all graphs have {2 * results['links']} links a node and "
        f"{results['construction']} candidates in building. Memory is what the process holds of its own once an index "
        "is loaded and has answered, and all of the mapped file of this one; it scores from the snapshot's vectors, "
        f"{4 * results['dimension']} bytes each, mapped as well and not counted, which stand in memory as far as there "
        "is room."
    )


def _against_others(results: dict[str, Any], count: str) -> str:
    compared = results["compared"]
    best = compared["0.99"]
    return (
        f"Over {count} vectors, at 0.99, {best['times_as_fast']:.1f} times as fast as the best other "
        f"({best['best']}) and {best['times_as_fast_in_batches']:.1f} times in batches, in "
        f"{compared['memory_share']:.2f} of the memory of the smallest other."
    )


def _growth() -> str:
    """How a query's time grows from the smallest measured number of vectors to the largest."""
    smallest, largest = (results_of(INDEXES[place]) for place in (0, -1))
    times = [
        next(one["at"]["0.99"]["single_us"] for one in results["contenders"] if one["name"] == OURS)
        for results in (smallest, largest)
    ]
    return (
        f"From {_thousands(smallest['count'])} to {_thousands(largest['count'])} vectors a query by the graph takes "
        f"{times[1] / times[0]:.1f} times as long."
    )


def large_table() -> str:
    """A collection larger than memory, as it is published and as it is served."""
    results = results_of("large")
    made, served = results["made"], results["served"]
    files = {name.partition(".")[0]: f"{size / 1e9:.2f} GB" for name, size in made["files"].items()}
    rows = [
        [f"{_thousands(results['count'])} vectors", made["engine"]],
        ["publishing", f"{made['publish_s'] / 60:.0f} min, {made['publish_cpu_s'] / 60:.0f} of CPU time"],
        ["memory of its own meanwhile, at most", f"{made['peak_bytes'] / 1e9:.2f} GB"],
        ["index, vectors, catalogue", f"{files['index']}, {files['vectors']}, {made['catalogue_bytes'] / 1e9:.2f} GB"],
        ["recall@10 at publishing", f"{made['recall'][0]:.4f}, at least {made['recall'][1]:.4f}"],
        ["recall@10 of the service's answers", f"{served['recall']:.4f}"],
        ["service, from start to ready", f"{served['start_s']:.1f} s"],
        ["its own memory, at first and at last", _megabytes(served["memory_at_start_bytes"], served["memory_bytes"])],
        ["`/similar`, one client", _waits(served["similar"])],
        ["`/similar`, eight clients", _waits(served["similar_from_8"])],
        ["`/search`, one client", _waits(served["search"])],
        ["`/search`, eight clients", _waits(served["search_from_8"])],
    ]
    return f"{table(rows)}\n\nEvery question is asked once: rows and vectors come from the disk where it does not fit."


def _waits(row: dict[str, float]) -> str:
    return f"p50 {row['p50_ms']:.0f} ms, p99 {row['p99_ms']:.0f} ms, {row['answers_per_second']:.0f} a second"


def _megabytes(*sizes: float) -> str:
    return ", ".join(f"{size / 1e6:.0f} MB" for size in sizes)


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
    rows = [["finds copies by", "precision", "recall", "F1", "seconds", "memory at most, MB"]]
    for row in compared["rows"]:
        label = f"{row['label']} ({row['note']})" if row.get("note") else row["label"]
        shares = [f"{row[name]:.3f}" for name in ("precision", "recall", "f1")]
        rows.append([label, *shares, f"{row['seconds']:.0f}", f"{row['peak_rss_mb']:.0f}"])
    pictures = compared["pictures"]
    return (
        f"{table(rows)}\n\n{pictures['count']} pictures with {pictures['pairs']} pairs of copies.{_missing(compared)}"
    )


def _thousands(number: int) -> str:
    return f"{number:,}".replace(",", " ")


def _reached(row: dict[str, float] | None) -> str:
    return "not reached" if row is None else f"{row['single_us']:.0f}, {row['batch_us']:.0f} ({row['recall']:.3f})"


def _rate(row: dict[str, Any] | None) -> str:
    return "not reached" if row is None else f"{row['queries_per_cpu_second']:.0f} ({row['recall']:.3f})"


def _maybe(number: float | None) -> str:
    return "not measured" if number is None else f"{number:.1f}"


def _missing(compared: dict[str, Any]) -> str:
    return "".join(f" Not run: {one['label']}, {one['reason']}." for one in compared["not_run"])
