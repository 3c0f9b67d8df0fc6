"""Tables of docs/performance.md, made from committed result files like those of `figures`."""

from __future__ import annotations

import json
from typing import Any

from tools.docs.figures import RESULTS

_PARTS = {
    "the network (the runtime's own threads)": ["the network"],
    "JPEG decoding": ["decoding"],
    "resizing": ["resizing"],
    "hashing (SHA-256)": ["hashing"],
    "reading": ["reading"],
    "the catalogue: rows looked up and written": ["rows: looking up", "rows: writing", "a new database"],
    "publishing: vectors' file, index and its recall, checksums, rows": [
        f"publishing: {part}" for part in ("vectors", "index, recall", "checksums", "rows")
    ],
    "handing on: queues, locks, progress": ["handing on", "the rest"],
    "listing, and every file's verdict": ["listing", "verdicts"],
}
"""What `benchmarks.indexing_parts` tells apart, as it is shown."""


def results_of(name: str) -> dict[str, Any]:
    results: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return results


def table(rows: list[list[str]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *body))


def encoding_table() -> str:
    """What runs the network, and what a picture costs; a row a candidate."""
    results = results_of("encoding")
    cases = results["cases"]
    batches = sorted({case["batch"] for case in cases})
    rows = [["runs the network", *(f"{batch} at once" for batch in batches)]]
    for name in dict.fromkeys(case["candidate"] for case in cases):
        found = {case["batch"]: case for case in cases if case["candidate"] == name}
        rows.append(
            [
                name,
                *(
                    f"{found[batch]['ms']:.1f} ms, {found[batch]['times_eager']:.1f} ×, {found[batch]['of_int8']:.2f}"
                    for batch in batches
                ),
            ]
        )
    limits = cases[-1]["limits"]
    words = ", ".join(f"{name} {value:.0f}" for name, value in limits.items())
    return (
        f"{table(rows)}\n\nMilliseconds of one core a picture, times the speed of eager PyTorch, and the share of the "
        f"int8 limit, of {results['backbone']} at {results['input_size']} pixels "
        f"({results['operations'] / 1e9:.2f} thousand million operations). Limits of one core in the same run, "
        f"thousand million operations a second: {words}. Load of the machine before: {results['load_before']}."
    )


def decoding_table() -> str:
    """From a file's bytes to the square; a row a size of picture."""
    results = results_of("decoding")
    ways = ("Pillow, all pixels", "Pillow, draft", "simplejpeg, scaled, OpenCV area", "lookalike")
    rows = [["pictures", "KB", *(f"{way}, ms" for way in ways), "levels from Pillow, mean (most)"]]
    for name, size in results["sizes"].items():
        found = size["ways"]
        ours = found["lookalike"]
        cells = [f"{found[way]['ms']:.2f}" for way in ways]
        levels = f"{ours['levels_mean']:.2f} ({ours['levels_most']:.2f})"
        rows.append([name, f"{size['mean_bytes'] / 1000:.0f}", *cells, levels])
    return table(rows)


def indexing_table() -> str:
    """`index` end to end beside decoding alone and encoding alone."""
    results = results_of("indexing")
    rows = [["round", "decode alone, s", "encode alone, s", "index, s", "index, CPU s"]]
    for number, one in enumerate(results["rounds"], start=1):
        walls = [f"{one[stage]['wall_s']:.1f}" for stage in ("decode", "encode", "index")]
        rows.append([str(number), *walls, f"{one['index']['cpu_s']:.1f}"])
    larger, whole = results["to_larger"], results["to_sum"]
    held = {
        kind: ", ".join(f"{held} MiB at {count} pictures" for count, held in results[f"{kind}_mib"].items())
        for kind in ("own", "mapped")
    }
    return (
        f"{table(rows)}\n\n{results['pictures']} JPEGs of {results['mean_bytes'] / 1000:.1f} KB, "
        f"`{results['encoder']}`: {results['pictures_per_s']:.0f} pictures a second on {results['cores']} cores, "
        f"{larger['wall_s']:.2f} times the larger of decoding and encoding ({larger['cpu_s']:.2f} in CPU time), "
        f"{whole['wall_s']:.2f} times their sum. Memory of its own at most: {held['own']}. Mapped files at most, "
        f"vectors and libraries: {held['mapped']}."
    )


def parts_table() -> str:
    """CPU time of `index` by part; a row a part, of small pictures and of photos."""
    results = results_of("indexing_parts")
    kinds = [results[kind] for kind in ("small", "photos")]
    rows = [["part", "small, ms", "share", "photos, ms", "share"]]
    for name, parts in _PARTS.items():
        row = [name]
        for found in kinds:
            taken = sum(found[part] for part in parts)
            row += [f"{taken:.2f}", f"{taken / sum(found.values()):.0%}".replace("%", " %")]
        rows.append(row)
    return table(rows)


def service_table() -> str:
    """``/search`` under load, a row a number of clients."""
    results = results_of("service")
    encoder = results["encoder"]
    rows = [["clients", "p50, ms", "p99, ms", "answers a second", "share of the encoder", "the same in CPU time"]]
    rows += [
        [
            *(str(row[name]) for name in ("clients", "p50_ms", "p99_ms", "answers_per_second")),
            f"{row['share_of_encoder']:.2f}",
            f"{row['share_of_encoder_cpu']:.2f}",
        ]
        for row in results["search"]
    ]
    half, memory, starts = results["half_load"], results["memory_after_requests"], results["starts"]
    bare = {name: one["answers_per_cpu_second"] for name, one in results["framework"].items() if name != "bytes"}
    rates = {
        name: results[name]["answers_per_cpu_second"] for name in ("similar", "similar_asked_once", "search_by_key")
    }
    explaining = results["explaining"]
    return (
        f"{table(rows)}\n\nThe encoder alone, in the same run ({encoder['runtime'].split(',')[0]}): "
        f"{encoder['pictures_per_second']:.0f} pictures a second in batches of 16, {encoder['single_ms']:.1f} ms for "
        f"one; decoding and resizing takes {encoder['decode_ms']:.1f} ms. At half of the greatest load p50 is "
        f"{half['p50_ms']} ms and p99 {half['p99_ms']} ms. A bare route of the framework that reads such a picture and "
        f"does nothing with it: {bare['upload']} answers a CPU second.\n\n"
        f"By key, answers a CPU second: `/similar` {rates['similar']} where it was asked before, "
        f"{rates['similar_asked_once']} where nobody asked it (a bare route with an answer of the same size: "
        f"{bare['similar']}); `/search` with `key` that was asked before {rates['search_by_key']} (bare: "
        f"{bare['search']}).\n\n"
        f"One client's p50 is {explaining['alone']['p50_ms']} ms, and {explaining['beside_explanations']['p50_ms']} ms "
        "while another asks for one explanation after the other. From start to ready: "
        f"{min(start['seconds'] for start in starts):.1f} to {max(start['seconds'] for start in starts):.1f} s. "
        "Memory: "
        f"{results['memory_at_rest_mb']:.0f} MB at rest, {memory['mb'][0]:.0f} MB before and "
        f"{memory['mb'][-1]:.0f} MB after {memory['requests']} searches from 16 clients, "
        f"{explaining['memory_mb']:.0f} MB once explanations have loaded PyTorch."
    )


def operator_table() -> str:
    """``multiscale_fuse`` against its formula in torch: formula ms / operator ms, and the ratio; a row a batch."""
    return _operator_rows(_operator_results()["cases"])


def moments_table() -> str:
    """``multiscale_moments`` likewise."""
    return _operator_rows(_operator_results()["moments"]["cases"])


def _operator_results() -> dict[str, Any]:
    return results_of("operator")


def _operator_rows(all_cases: list[dict[str, Any]]) -> str:
    cases = [case for case in all_cases if case["size"] == 224]
    columns = sorted({(case["layout"], case["threads"]) for case in cases}, key=str)
    head = [f"{layout}, {threads} thread{'s' if threads > 1 else ''}" for layout, threads in columns]
    rows = [["batch", *head], ["---"] * (1 + len(columns))]
    for batch in sorted({case["batch"] for case in cases}):
        found = {(case["layout"], case["threads"]): case for case in cases if case["batch"] == batch}
        rows.append([str(batch), *(_case(found[column]) for column in columns)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _case(case: dict[str, Any]) -> str:
    return f"{case['formula_ms']:.2f} / {case['operator_ms']:.2f}, **{case['ratio']['median']:.2f}**"
