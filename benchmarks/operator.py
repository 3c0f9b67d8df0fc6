"""The compiled operators against the same formulas in PyTorch, on the feature maps of a resnet18.

``python -m benchmarks.operator`` prints the tables and writes ``benchmarks/results/operator.json``. The weighted
moments are measured on the maps of an EfficientNet-Lite2 as well. ``--only weighted_moments --batches 1 8 32 --output
FILE`` measures a part.

How it measures. The formula is given its best form for each case: the fastest of three or four ways to write it (for
the moments also ways that lose a deviation small beside its mean, which the operator does not). That form and the
operator then take turns in one process, in random order in every round, so that a busy moment
strikes both and neither always finds the caches that the other left; a ratio is the median of the rounds'
ratios. One thread is measured in CPU time, which other programs' work does not add to; several threads in
wall-clock time.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from lookalike.encoder.export_formats import VARIANCE_FLOOR
from lookalike.encoder.network.operators import multiscale_fuse, multiscale_moments, require_operator
from lookalike.encoder.network.place_weights import place_weights

RESULT = Path(__file__).parent / "results" / "operator.json"
DIMENSION = 512
STAGES = {
    "resnet18": {
        224: ((64, 56), (128, 28), (256, 14), (512, 7)),
        144: ((64, 36), (128, 18), (256, 9), (512, 5)),
    },
    "efficientnet_lite2": {224: ((24, 56), (48, 28), (120, 14), (352, 7))},
}
LAYOUTS = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}
BATCHES = (1, 2, 4, 8, 16, 32, 64)

Maps = Sequence[torch.Tensor]
Formula = Callable[[Maps], torch.Tensor]
Pool = Callable[[torch.Tensor], torch.Tensor]
Row = dict[str, Any]


def _mean(stage: torch.Tensor) -> torch.Tensor:
    return stage.mean(dim=(2, 3))


def _adaptive(stage: torch.Tensor) -> torch.Tensor:
    return functional.adaptive_avg_pool2d(stage, 1).flatten(1)


def _stacked(pool: Pool) -> Formula:
    def fuse(maps: Maps) -> torch.Tensor:
        expanded = [pool(stage).repeat_interleave(DIMENSION // stage.shape[1], dim=1) for stage in maps]
        return functional.normalize(torch.stack(expanded).mean(dim=0))

    return fuse


def _added(pool: Pool) -> Formula:
    def fuse(maps: Maps) -> torch.Tensor:
        total = pool(maps[0]).repeat_interleave(DIMENSION // maps[0].shape[1], dim=1)
        for stage in maps[1:]:
            total += pool(stage).repeat_interleave(DIMENSION // stage.shape[1], dim=1)
        return functional.normalize(total)

    return fuse


def _of_each(moments: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]) -> Formula:
    def all_moments(maps: Maps) -> torch.Tensor:
        blocks = []
        for stage in maps:
            mean, variance = moments(stage)
            blocks += [mean, (variance + VARIANCE_FLOOR).sqrt()]
        return torch.cat(blocks, dim=1)

    return all_moments


def _var_mean(stage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    variance, mean = torch.var_mean(stage, dim=(2, 3), correction=0)
    return mean, variance


def _mean_and_var(stage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return _mean(stage), stage.var(dim=(2, 3), correction=0)


def _mean_of_squares(stage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = _mean(stage)
    return mean, _mean(stage * stage) - mean * mean


def _length(stage: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = _mean(stage)
    length = torch.linalg.vector_norm(stage, dim=(2, 3))
    return mean, length * length / (stage.shape[2] * stage.shape[3]) - mean * mean


WeightedMoments = Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


def _weighted(moments: WeightedMoments) -> Formula:
    def all_moments(maps: Maps) -> torch.Tensor:
        blocks = []
        for stage, weights in zip(maps, place_weights(maps), strict=True):
            mean, variance = moments(stage, weights)
            blocks += [mean, (variance + VARIANCE_FLOOR).sqrt()]
        return torch.cat(blocks, dim=1)

    return all_moments


def _products(stage: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    shares = weights[:, None]
    mean = (stage * shares).sum(dim=(2, 3), keepdim=True)
    return mean[:, :, 0, 0], ((stage - mean).square() * shares).sum(dim=(2, 3))


def _einsum(stage: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = torch.einsum("nchw,nhw->nc", stage, weights)
    return mean, torch.einsum("nchw,nhw->nc", (stage - mean[:, :, None, None]).square(), weights)


def _einsum_of_squares(stage: torch.Tensor, weights: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    mean = torch.einsum("nchw,nhw->nc", stage, weights)
    return mean, torch.einsum("nchw,nhw->nc", stage.square(), weights) - mean * mean


@dataclass(frozen=True)
class Subject:
    """An operator, called as the encoder calls it, and ways to write its formula; the first says what is right."""

    name: str
    operator: Formula
    formulas: dict[str, Formula]
    networks: tuple[str, ...] = ("resnet18",)


FUSE = Subject(
    "multiscale_fuse",
    lambda maps: multiscale_fuse(maps, DIMENSION),
    {
        "mean, stack": _stacked(_mean),
        "mean, add": _added(_mean),
        "adaptive_avg_pool2d, stack": _stacked(_adaptive),
        "adaptive_avg_pool2d, add": _added(_adaptive),
    },
)
MOMENTS = Subject(
    "multiscale_moments",
    multiscale_moments,
    {
        "var_mean": _of_each(_var_mean),
        "mean, var": _of_each(_mean_and_var),
        "mean of squares": _of_each(_mean_of_squares),
        "vector_norm": _of_each(_length),
    },
)
WEIGHTED = Subject(
    "weighted_moments",
    lambda maps: multiscale_moments(maps, weighted=True),
    {
        "products": _weighted(_products),
        "einsum": _weighted(_einsum),
        "einsum of squares": _weighted(_einsum_of_squares),
    },
    ("resnet18", "efficientnet_lite2"),
)
SECTIONS = {MOMENTS.name: "moments", WEIGHTED.name: "weighted_moments"}
"""Where the results of an operator are in the file; those of the first are at its top."""
SUBJECTS = {subject.name: subject for subject in (FUSE, MOMENTS, WEIGHTED)}


@dataclass(frozen=True)
class Case:
    """Maps of a network for pictures of ``size`` pixels a side, and how many threads work on them."""

    network: str
    size: int
    layout: str
    batch: int
    threads: int

    def maps(self) -> list[torch.Tensor]:
        """New maps of random numbers."""
        shapes = STAGES[self.network][self.size]
        return [
            torch.rand(self.batch, channels, side, side).to(memory_format=LAYOUTS[self.layout])
            for channels, side in shapes
        ]


def rounds(
    candidates: Sequence[Callable[[], object]], clock: Callable[[], float], seconds: float, least: int = 15
) -> list[list[float]]:
    """Milliseconds of each candidate in each round, for about so many seconds but at least ``least`` rounds."""
    order = list(range(len(candidates)))
    shuffle = random.Random(0).shuffle
    for candidate in candidates:
        candidate()
    times: list[list[float]] = [[] for _ in candidates]
    end = time.perf_counter() + seconds
    while len(times[0]) < least or (time.perf_counter() < end and len(times[0]) < 1000):
        shuffle(order)
        for index in order:
            start = clock()
            candidates[index]()
            times[index].append(1000 * (clock() - start))
    return times


def paired_ratio(above: list[float], below: list[float]) -> dict[str, float]:
    """Median and quartiles of the ratios of each round."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(above, below, strict=True)], n=4)
    return {"median": round(middle, 3), "low": round(low, 3), "high": round(high, 3)}


def compare(subject: Subject, case: Case, seconds: float) -> Row:
    """One row of the table: formula and operator on the same maps."""
    torch.set_num_threads(case.threads)
    maps = case.maps()
    formulas, operator = subject.formulas, subject.operator
    expected = next(iter(formulas.values()))(maps)
    if (operator(maps) - expected).abs().max() > 1e-6:
        raise SystemExit(f"{subject.name} is not the formula for {case}")
    clock = time.thread_time if case.threads == 1 else time.perf_counter
    trial = rounds([partial(formula, maps) for formula in formulas.values()], clock, seconds / 3, least=5)
    best = min(zip(formulas, trial, strict=True), key=lambda pair: statistics.median(pair[1]))[0]
    formula, ours = rounds([partial(formulas[best], maps), partial(operator, maps)], clock, seconds)
    return {
        **asdict(case),
        "clock": "CPU" if case.threads == 1 else "wall",
        "rounds": len(ours),
        "formula": best,
        "formula_ms": round(statistics.median(formula), 4),
        "operator_ms": round(statistics.median(ours), 4),
        "formula_least_ms": round(min(formula), 4),
        "operator_least_ms": round(min(ours), 4),
        "ratio": paired_ratio(formula, ours),
    }


def scale(subject: Subject, layout: str, batch: int, threads: int, seconds: float) -> Row:
    """The operator on one thread against itself on all, in wall-clock time.

    Calls come in bursts, because a thread that has just idled must be woken first, which the calls of an indexer
    at work do not wait for.
    """
    maps = Case(subject.networks[0], 224, layout, batch, threads).maps()
    burst = max(2, 64 // batch)

    def on(count: int) -> Callable[[], None]:
        def run() -> None:
            torch.set_num_threads(count)
            for _ in range(burst):
                subject.operator(maps)

        return run

    bursts = rounds([on(1), on(threads)], time.perf_counter, seconds)
    one, every = ([milliseconds / burst for milliseconds in spent] for spent in bursts)
    return {
        "layout": layout,
        "batch": batch,
        "threads": threads,
        "one_ms": round(statistics.median(one), 4),
        "all_ms": round(statistics.median(every), 4),
        "ratio": paired_ratio(one, every),
        "ratio_of_least": round(min(one) / min(every), 3),
    }


def cases_of(subject: Subject, threads: int, batches: Sequence[int]) -> Iterator[Case]:
    """Every case of an operator's table."""
    for network in subject.networks:
        for size in STAGES[network]:
            for count in dict.fromkeys((1, threads)):
                for layout in LAYOUTS:
                    for batch in batches:
                        yield Case(network, size, layout, batch, count)


def measure(subject: Subject, threads: int, batches: Sequence[int], seconds: float) -> Iterator[Row]:
    """Every case of the table, printed as it comes."""
    print(f"\n{subject.name}")
    print(
        "network             px  layout         batch  threads  clock  formula ms  operator ms  ratio (quartiles)",
        end="",
    )
    print("   of the least")
    for case in cases_of(subject, threads, batches):
        row = compare(subject, case, seconds)
        ratio = row["ratio"]
        least = row["formula_least_ms"] / row["operator_least_ms"]
        print(
            f"{case.network:18}  {case.size:3}  {case.layout:13}  {case.batch:5}  {case.threads:7}  {row['clock']:5}"
            f"  {row['formula_ms']:10.3f}  {row['operator_ms']:11.3f}  {ratio['median']:5.2f} ({ratio['low']:.2f} to"
            f" {ratio['high']:.2f})  {least:6.2f}",
            flush=True,
        )
        yield row


def measure_scaling(subject: Subject, threads: int, batches: Sequence[int], seconds: float) -> Iterator[Row]:
    """One thread against all, printed as it comes."""
    print(f"\n{subject.name} at 224 px, wall-clock: one thread against {threads}")
    for layout in LAYOUTS:
        for batch in sorted({1, 8, 32, 64} & set(batches)):
            row = scale(subject, layout, batch, threads, seconds)
            print(
                f"  {layout:13}  batch {batch:3}  {row['one_ms']:8.3f} ms  {row['all_ms']:8.3f} ms"
                f"  ratio {row['ratio']['median']:.2f}, of the least {row['ratio_of_least']:.2f}",
                flush=True,
            )
            yield row


def report_on(subject: Subject, threads: int, batches: Sequence[int], seconds: float) -> dict[str, list[Row]]:
    """All measurements of one operator, printed as they come, and where it gains least."""
    cases = list(measure(subject, threads, batches, seconds))
    scaling = list(measure_scaling(subject, threads, batches, seconds))
    worst = min(cases, key=lambda row: row["ratio"]["median"])
    print(f"\nsmallest ratio: {worst['ratio']['median']:.2f} at {worst['network']}, {worst['size']} px, ", end="")
    print(f"{worst['layout']}, batch {worst['batch']}, {worst['threads']} thread(s)")
    return {"cases": cases, "one_thread_against_all": scaling}


def machine() -> dict[str, str | int]:
    """What the numbers depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": names[0] if names else platform.processor(),
        "cores": os.cpu_count() or 0,
        "vector_code": torch.backends.cpu.get_cpu_capability(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.5, help="how long to measure each case")
    parser.add_argument("--output", type=Path, default=RESULT, help="the file to write")
    parser.add_argument("--only", choices=SUBJECTS, action="append", help="an operator to measure; all by default")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES, help="how many images at a time")
    arguments = parser.parse_args()
    require_operator()
    threads = torch.get_num_threads()
    load = os.getloadavg()[0]
    names = arguments.only or SUBJECTS
    with torch.inference_mode():
        rows = {name: report_on(SUBJECTS[name], threads, arguments.batches, arguments.seconds) for name in names}
    report = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "load_before": round(load, 2),
        **rows.pop(FUSE.name, {}),
        **{SECTIONS[name]: section for name, section in rows.items()},
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
