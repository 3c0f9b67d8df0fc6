"""The three comparisons; in each, ours runs between the peers, so that all meet the machine as it is at the time."""

from __future__ import annotations

import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks.peers.environments import Environments, PeerFailedError
from benchmarks.peers.material import Copies, Matrix, Pair, Pictures
from benchmarks.peers.registry import COPIES, INDEXES, OUR_COPIES, OUR_INDEX, OUR_SYSTEM, SYSTEMS, Peer

Figures = dict[str, Any]
RATES = ("pictures_per_second", "pictures_per_cpu_second")
RECALLS = (0.95, 0.99)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def compare_systems(environments: Environments, pictures: Pictures, rounds: int, work: Path) -> Figures:
    """Pictures indexed a second: ours, a peer, ours, the next peer; a ratio is to the two of ours around it."""
    given = ("--pictures", pictures.folder, "--warm", pictures.warm)

    def measured(peer: Peer) -> Figures:
        shutil.rmtree(work, ignore_errors=True)
        _say(f"systems: {peer.label}")
        return environments.run(peer, *given, "--work", work)

    ours = [measured(OUR_SYSTEM)]
    runs: dict[str, list[Figures]] = {peer.name: [] for peer in SYSTEMS}
    failed: dict[str, str] = {}
    for _ in range(rounds):
        for peer in SYSTEMS:
            if peer.name in failed:
                continue
            try:
                figures = measured(peer)
            except PeerFailedError as error:
                failed[peer.name] = str(error)
                continue
            ours.append(measured(OUR_SYSTEM))
            for rate in RATES:
                around = statistics.mean(run[rate] for run in ours[-2:])
                figures[f"ours_times_{rate}"] = round(around / figures[rate], 2)
            runs[peer.name].append(figures)
    rows = [_row(OUR_SYSTEM, _median(ours))]
    rows += [_row(peer, _median(runs[peer.name])) for peer in SYSTEMS if runs[peer.name]]
    return {"pictures": pictures.facts, "rounds": rounds, "rows": rows, "not_run": _not_run(SYSTEMS, failed)}


def compare_indexes(environments: Environments, matrix: Matrix, rounds: int, work: Path) -> Figures:
    """Single queries a second of one thread, by processor time, of each index's cheapest setting of enough recall."""
    given = ("--vectors", matrix.vectors, "--queries", matrix.queries, "--truth", matrix.truth)
    builds: dict[str, Figures] = {}
    asked: dict[str, list[Figures]] = {}
    failed: dict[str, str] = {}
    everyone = (OUR_INDEX, *INDEXES)
    for peer in everyone:
        _say(f"building: {peer.label}")
        try:
            builds[peer.name] = environments.run(peer, "build", *given, "--index", work / peer.name)
        except PeerFailedError as error:
            failed[peer.name] = str(error)
    for number in range(rounds):
        for peer in everyone:
            if peer.name in failed:
                continue
            _say(f"asking, round {number + 1}: {peer.label}")
            try:
                found = environments.run(peer, "query", *given, "--index", work / peer.name, **ONE_THREAD)
            except PeerFailedError as error:
                failed[peer.name] = str(error)
            else:
                asked.setdefault(peer.name, []).append(found)
    rows = [_index_row(peer, builds[peer.name], asked[peer.name]) for peer in everyone if peer.name not in failed]
    _add_index_ratios(rows)
    return {"vectors": matrix.facts, "rounds": rounds, "rows": rows, "not_run": _not_run(everyone, failed)}


def compare_copies(environments: Environments, copies: Copies, work: Path) -> Figures:
    """Pairs of copies found in a folder, and the time from files to pairs."""
    rows: list[Figures] = []
    failed: dict[str, str] = {}
    for peer in (OUR_COPIES, *COPIES):
        _say(f"copies: {peer.label}")
        shutil.rmtree(work, ignore_errors=True)
        extra = ("--warm", copies.warm, "--work", work) if peer is OUR_COPIES else ()
        try:
            figures = environments.run(peer, "--pictures", copies.folder, *extra)
        except PeerFailedError as error:
            failed[peer.name] = str(error)
            continue
        figures.update(agreement(figures.pop("pairs"), copies.pairs))
        others = [
            {"threshold": one["threshold"], **agreement(one["pairs"], copies.pairs)}
            for one in figures.pop("others", [])
        ]
        if others:
            figures["best_threshold"] = max(others, key=lambda one: one["f1"])
        rows.append(_row(peer, figures))
    return {"pictures": copies.facts, "rows": rows, "not_run": _not_run((OUR_COPIES, *COPIES), failed)}


def agreement(found: list[list[str]], true: frozenset[Pair]) -> dict[str, float]:
    """Precision, recall and their harmonic mean, of pairs."""
    pairs = {(first, second) for first, second in found}
    right = len(pairs & true)
    precision, recall = right / max(1, len(pairs)), right / len(true)
    f1 = 0.0 if right == 0 else 2 * precision * recall / (precision + recall)
    return {"found": len(pairs), "precision": round(precision, 4), "recall": round(recall, 4), "f1": round(f1, 4)}


def _index_row(peer: Peer, build: Figures, asked: list[Figures]) -> Figures:
    """Medians over the rounds for each setting; of them the fastest that reaches each recall, and the surest."""
    settings = []
    for tries in zip(*(one["settings"] for one in asked), strict=True):
        rate = statistics.median(one["per_cpu_second"] for one in tries)
        recall = statistics.median(one["recall"] for one in tries)
        settings.append({"setting": tries[0]["setting"], "recall": recall, "queries_per_cpu_second": rate})
    figures = {f"build_{name}": build[name] for name in ("seconds", "cpu_seconds")}
    figures |= {"disk_mb": build["disk_mb"], "versions": build["versions"]}
    figures |= {name: statistics.median(one[name] for one in asked) for name in ("memory_mb", "private_mb")}
    for least in RECALLS:
        enough = [one for one in settings if one["recall"] >= least]
        best = max(enough, key=lambda one: one["queries_per_cpu_second"], default=None)
        figures[f"at_{least}"] = best
    figures["at_most"] = max(settings, key=lambda one: (one["recall"], one["queries_per_cpu_second"]))
    return _row(peer, figures)


def _add_index_ratios(rows: list[Figures]) -> None:
    """How many times the queries of each other index ours answers, where both reach the recall."""
    ours = next((row for row in rows if row["name"] == OUR_INDEX.name), None)
    for row in rows:
        for least in RECALLS:
            own, other = (ours or {}).get(f"at_{least}"), row[f"at_{least}"]
            if row is not ours and own and other:
                ratio = own["queries_per_cpu_second"] / other["queries_per_cpu_second"]
                row[f"ours_times_at_{least}"] = round(ratio, 2)


def _median(runs: list[Figures]) -> Figures:
    """Each figure's median over the runs; what is no number is that of the last."""
    return {
        name: round(statistics.median(run[name] for run in runs), 3) if isinstance(value, int | float) else value
        for name, value in runs[-1].items()
    }


def _row(peer: Peer, figures: Figures) -> Figures:
    note = {"note": peer.note} if peer.note else {}
    return {"name": peer.name, "label": peer.label, **note, **figures}


def _not_run(peers: tuple[Peer, ...], failed: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": peer.name, "label": peer.label, "reason": failed[peer.name]} for peer in peers if peer.name in failed
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
