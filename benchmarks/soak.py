"""Live changes under load: random changes, searches, folds, index runs and restarts, compared with a plain model.

    python -m benchmarks.soak OUT [--minutes 30] [--database URL] [--clients 4] [--seed 0]

Two services of one data folder are asked by several clients at once. Each client changes items of its own, so that it
knows what must be there: what it has put must be the answer of the next search of the same service, and of the other
one after three seconds. Meanwhile the collection's source changes, the indexer runs, changes are folded in, the
collection is pinned to a snapshot for a while, and now and then a service is killed and started again. At the end the
collection must hold exactly what the clients and the source have left in it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np

from lookalike.images import encode_png

NAME = "soak"
SEEN_BY_OTHERS_S = 3.0
"""Seconds after which another process should see a change: it looks once a second."""
PATIENCE_S = 20.0
"""Seconds after which it must: a busy machine is slow. Changes that are seen only then are counted."""


def picture(number: int) -> bytes:
    """A small picture that no other number has."""
    random_numbers = np.random.default_rng(number)
    tiles = random_numbers.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return encode_png(np.ascontiguousarray(tiles.repeat(16, axis=0).repeat(16, axis=1)))


@dataclass
class Node:
    """One service process, which can be killed and started again."""

    data: Path
    environment: dict[str, str]
    port: int = 0
    fold_after: int = 200
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it is ready."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        command = [sys.executable, "-m", "service", "--data", str(self.data), "--port", str(self.port)]
        flags = ["--fold-after", str(self.fold_after), "--fold-seconds", "60", "--log-level", "error"]
        self.process = subprocess.Popen([*command, *flags], env=self.environment)
        for _ in range(600):
            try:
                if httpx.get(f"{self.address}/ready", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
        raise SystemExit("the service does not become ready")

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Soak:
    """What the clients share."""

    nodes: list[Node]
    end: float
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    restarting: threading.Event = field(default_factory=threading.Event)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] += 1

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)
            sys.stderr.write(f"FAULT {time.strftime('%H:%M:%S')} {threading.current_thread().name}: {text}\n")


class Client(threading.Thread):
    """Changes items whose keys begin with its name, and looks whether all answers are right."""

    def __init__(self, soak: Soak, name: str, seed: int) -> None:
        super().__init__(name=name)
        self.soak, self.random = soak, random.Random(seed)
        self.model: dict[str, tuple[int, dict[str, Any]]] = {}
        self.next_number = seed * 1_000_000
        self.working = threading.Lock()
        """Held for a step: who holds those of all clients has a collection that nobody changes."""

    def run(self) -> None:
        with httpx.Client(timeout=60) as http:
            while time.monotonic() < self.soak.end:
                with self.working:
                    try:
                        self.step(http)
                    except httpx.TransportError:
                        # A killed service: whether its last change was made is asked for when it is back.
                        self.soak.count("requests cut off by a kill")
                        time.sleep(0.5)
                        self.reconcile(http)
                time.sleep(0.001)  # a lock that is taken again at once is never free for others

    def step(self, http: httpx.Client) -> None:
        """One random action, and its check."""
        node = self.random.choice(self.soak.nodes)
        key = f"{self.name}/{self.random.randrange(30)}"
        action = self.random.choices(["put", "patch", "delete", "search", "filter", "other"], [5, 3, 2, 4, 3, 2])[0]
        self.soak.count(action)
        getattr(self, f"do_{action}")(http, node, key)

    def do_put(self, http: httpx.Client, node: Node, key: str) -> None:
        self.next_number += 1
        # The number itself tells a picture that was replaced by a request that was cut off.
        number = self.next_number
        metadata = {"owner": self.name, "n": number % 7, "number": number}
        answer = http.put(
            self.path(node, key), files={"image": ("p.png", picture(number))}, data={"metadata": json.dumps(metadata)}
        )
        if self.is_made(answer, "put"):
            self.model[key] = (number, metadata)
            self.check_search(http, node, key)

    def do_patch(self, http: httpx.Client, node: Node, key: str) -> None:
        self.next_number += 1
        answer = http.patch(self.path(node, key), data={"metadata": json.dumps({"n": self.next_number % 7})})
        if key not in self.model:
            if answer.status_code != 404:
                self.soak.fault(f"patch of {key}, which is not there: {answer.status_code}")
        elif self.is_made(answer, "patch"):
            number, metadata = self.model[key]
            self.model[key] = (number, metadata | {"n": self.next_number % 7})
            self.check_item(http, node, key)

    def do_delete(self, http: httpx.Client, node: Node, key: str) -> None:
        answer = http.delete(self.path(node, key))
        if key not in self.model:
            if answer.status_code != 404:
                self.soak.fault(f"delete of {key}, which is not there: {answer.status_code}")
        elif self.is_made(answer, "delete"):
            number, _ = self.model.pop(key)
            self.check_item(http, node, key)
            hits = self.search(http, node, picture(number), k=3)
            if key in [hit["key"] for hit in hits]:
                self.soak.fault(f"{key} is found after it was deleted")

    def do_search(self, http: httpx.Client, node: Node, key: str) -> None:
        if key in self.model:
            self.wait_until_seen(http, node)
            self.check_search(http, node, key)

    def do_filter(self, http: httpx.Client, node: Node, _key: str) -> None:
        """All items of this client with one number, and no others, a while after its last change."""
        self.wait_until_seen(http, node)
        wanted = self.random.randrange(7)
        condition = json.dumps({"and": [{"owner": self.name}, {"n": wanted}]})
        answer = http.post(
            f"{node.address}/search",
            files={"image": ("p.png", picture(1))},
            data={"k": "100", "collection": NAME, "filter": condition},
        )
        if answer.status_code == 422 and "owner" in answer.text:
            return  # nothing with this column is there yet
        if answer.status_code != 200:
            self.soak.fault(f"filter: {answer.status_code} {answer.text[:200]}")
            return
        found = sorted(hit["key"] for hit in answer.json()["results"])
        right = sorted(key for key, (_, metadata) in self.model.items() if metadata["n"] == wanted)
        if found != right:
            self.soak.fault(f"filter of {self.name}, n = {wanted}: {found} instead of {right}")

    def do_other(self, http: httpx.Client, node: Node, key: str) -> None:
        self.wait_until_seen(http, node)
        self.check_item(http, node, key)

    def wait_until_seen(self, http: httpx.Client, node: Node) -> None:
        """Until a service has seen all that another one has changed so far."""
        time.sleep(SEEN_BY_OTHERS_S)
        changes = [self.change_number(http, other) for other in self.soak.nodes]
        end = time.monotonic() + PATIENCE_S
        while self.change_number(http, node) < max(changes):
            if time.monotonic() > end:
                self.soak.fault(f"{node.address} does not see what another service has changed")
                return
            self.soak.count("looks at which another process did not see a change yet")
            time.sleep(0.5)

    @staticmethod
    def change_number(http: httpx.Client, node: Node) -> int:
        return int(http.get(f"{node.address}/collections/{NAME}").json().get("change", 0))  # none while it starts

    def check_item(self, http: httpx.Client, node: Node, key: str) -> None:
        answer = http.get(self.path(node, key))
        if key not in self.model:
            if answer.status_code != 404:
                self.soak.fault(f"{key} is there, and should not be: {answer.status_code}")
        elif answer.status_code != 200:
            self.soak.fault(f"{key} is lost: {answer.status_code} {answer.text[:200]}")
        elif answer.json()["metadata"] != self.model[key][1]:
            self.soak.fault(f"{key} has {answer.json()['metadata']} instead of {self.model[key][1]}")

    def check_search(self, http: httpx.Client, node: Node, key: str) -> None:
        if not self.is_answer(http, node, key):
            self.soak.fault(f"{key} is not the answer of {node.address} to its own picture")

    def is_answer(self, http: httpx.Client, node: Node, key: str) -> bool:
        hits = self.search(http, node, picture(self.model[key][0]), k=1)
        return bool(hits) and hits[0]["key"] == key and hits[0]["score"] >= 0.999

    def search(self, http: httpx.Client, node: Node, data: bytes, k: int) -> list[dict[str, Any]]:
        answer = http.post(
            f"{node.address}/search", files={"image": ("p.png", data)}, data={"k": str(k), "collection": NAME}
        )
        if answer.status_code != 200:
            self.soak.fault(f"search: {answer.status_code} {answer.text[:200]}")
            return []
        results: list[dict[str, Any]] = answer.json()["results"]
        return results

    def is_made(self, answer: httpx.Response, what: str) -> bool:
        if answer.status_code in (200, 201):
            return True
        self.soak.fault(f"{what}: {answer.status_code} {answer.text[:200]}")
        return False

    def reconcile(self, http: httpx.Client) -> None:
        """What is there of this client's items after a request was cut off: it may have been carried out or not."""
        time.sleep(SEEN_BY_OTHERS_S)  # the other service may have made the change, and this one not seen it yet
        for _ in range(240):
            try:
                items = list_items(http, self.random.choice(self.soak.nodes))
                break
            except (httpx.TransportError, KeyError):
                time.sleep(0.5)
        else:
            self.soak.fault("no service answers after a restart")
            return
        there = {item["key"]: item for item in items if item["key"].startswith(f"{self.name}/")}
        changed = set(there) ^ set(self.model)
        changed |= {key for key in set(there) & set(self.model) if there[key]["metadata"] != self.model[key][1]}
        if len(changed) > 1:
            self.soak.fault(f"more than the one change that was cut off is missing: {sorted(changed)}")
        for key in changed:
            if key not in there:
                self.model.pop(key)
            elif key not in self.model:
                self.model[key] = (self.next_number, there[key]["metadata"])
            else:
                number = self.next_number if "n" in there[key]["metadata"] else self.model[key][0]
                self.model[key] = (number, there[key]["metadata"])
                http.delete(self.path(self.soak.nodes[0], key))
                self.model.pop(key)

    @staticmethod
    def path(node: Node, key: str) -> str:
        return f"{node.address}/collections/{NAME}/items/{quote(key, safe='')}"


def list_items(http: httpx.Client, node: Node) -> list[dict[str, Any]]:
    """All items of the collection, page by page; once more if a new snapshot comes between."""
    for _ in range(20):
        items, cursor = [], None
        while True:
            query = {"limit": "500"} | ({} if cursor is None else {"cursor": cursor})
            page = http.get(f"{node.address}/collections/{NAME}/items", params=query)
            if page.status_code == 422:
                break
            items += page.json()["items"]
            cursor = page.json()["next_cursor"]
            if cursor is None:
                return items
    raise KeyError("pages")


class Disturbance(threading.Thread):
    """Changes the source and indexes it, folds, pins, and kills services."""

    def __init__(self, soak: Soak, clients: list[Client], source: Path, run: list[str], seed: int) -> None:
        super().__init__(name="disturbance")
        self.clients = clients
        self.soak, self.source, self.command, self.random = soak, source, run, random.Random(seed)
        self.numbers: dict[str, int] = {}

    def run(self) -> None:
        while time.monotonic() < self.soak.end - 30:
            time.sleep(self.random.uniform(2, 10))
            action = self.random.choices(["index", "fold", "kill", "pin"], [4, 3, 1, 1])[0]
            self.soak.count(action)
            getattr(self, action)()

    def index(self) -> None:
        for _ in range(self.random.randrange(1, 4)):
            name = f"source-{self.random.randrange(12)}.png"
            if name in self.numbers and self.random.random() < 0.3 and len(self.numbers) > 8:
                (self.source / name).unlink()
                del self.numbers[name]
            else:
                self.numbers[name] = self.random.randrange(10**9, 2 * 10**9)
                (self.source / name).write_bytes(picture(self.numbers[name]))
        environment = self.soak.nodes[0].environment
        ended = subprocess.run(self.command, env=environment, capture_output=True, text=True, check=False)
        if ended.returncode and "another indexer" not in ended.stderr:
            self.soak.fault(f"index: {ended.returncode} {ended.stderr[-300:]}")

    def fold(self) -> None:
        try:
            answer = httpx.post(f"{self.random.choice(self.soak.nodes).address}/collections/{NAME}/fold", timeout=60)
        except httpx.TransportError:
            return
        if answer.status_code not in (200, 202, 409):
            self.soak.fault(f"fold: {answer.status_code} {answer.text[:200]}")

    def pin(self) -> None:
        """Go back to a snapshot, look whether it is left alone, come back, and look whether all is as before."""
        with ExitStack() as pauses, httpx.Client(timeout=60) as http:
            for client in self.clients:
                pauses.enter_context(client.working)
            time.sleep(SEEN_BY_OTHERS_S)
            before = self.contents(http)
            first, second = self.random.sample(self.soak.nodes, 2)
            path = f"/collections/{NAME}"
            snapshots = http.get(f"{first.address}{path}/snapshots").json()["snapshots"]
            chosen = self.random.choice(snapshots)["snapshot"]
            answer = http.put(f"{first.address}{path}/pin", data={"snapshot": str(chosen)})
            if answer.status_code == 409:
                return  # it is being published
            if answer.status_code != 200:
                self.soak.fault(f"pin: {answer.status_code} {answer.text[:200]}")
            time.sleep(SEEN_BY_OTHERS_S)
            for node in (first, second):
                change = http.put(Client.path(node, "pinned"), files={"image": ("p.png", picture(3))})
                if change.status_code != 409:
                    self.soak.fault(f"a change of a pinned collection: {change.status_code}")
                if http.get(f"{node.address}{path}").json()["snapshot"] != chosen:
                    self.soak.fault(f"the snapshot is another one than {chosen}, to which it is pinned")
            answer = http.delete(f"{second.address}{path}/pin")
            if answer.status_code != 200:
                self.soak.fault(f"unpin: {answer.status_code} {answer.text[:200]}")
            time.sleep(SEEN_BY_OTHERS_S)
            if self.contents(http) != before:
                self.soak.fault("after a pin was taken away the collection is not as it was")

    def contents(self, http: httpx.Client) -> list[dict[str, Any]]:
        """By service the metadata of all items by key."""
        return [{item["key"]: item["metadata"] for item in list_items(http, node)} for node in self.soak.nodes]

    def kill(self) -> None:
        node = self.random.choice(self.soak.nodes)
        node.stop(signal.SIGKILL)
        node.start()


def main() -> None:
    """Run for a while, compare, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--database")
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    data, source = options.out / "data", options.out / "source"
    source.mkdir(parents=True)
    environment = dict(os.environ) | ({} if options.database is None else {"LOOKALIKE_DATABASE_URL": options.database})
    for number in range(10):
        (source / f"source-{number}.png").write_bytes(picture(10**9 - 1 - number))
    index = [sys.executable, "-m", "indexer", "index", str(source), "-c", NAME, "--data", str(data)]
    index.append("--allow-removals")
    subprocess.run(index, env=environment, check=True, capture_output=True)
    nodes = [Node(data, environment), Node(data, environment)]
    for node in nodes:
        node.start()
    soak = Soak(nodes, time.monotonic() + 60 * options.minutes)
    clients = [Client(soak, f"client-{n}", 100 * options.seed + n + 1) for n in range(options.clients)]
    disturbance = Disturbance(soak, clients, source, index, options.seed)
    disturbance.numbers = {f"source-{number}.png": 10**9 - 1 - number for number in range(10)}
    threads: list[threading.Thread] = [*clients, disturbance]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    subprocess.run(index, env=environment, check=True, capture_output=True)
    time.sleep(SEEN_BY_OTHERS_S)
    expected = {key for client in clients for key in client.model} | set(disturbance.numbers)
    with httpx.Client(timeout=60) as http:
        for node in nodes:
            there = {item["key"] for item in list_items(http, node)}
            if there != expected:
                soak.fault(f"in the end {sorted(there ^ expected)} differ")
        for client in clients:
            for key in client.model:
                client.check_item(http, nodes[1], key)
                client.check_search(http, nodes[0], key)
    for node in nodes:
        node.stop()
    database = "SQLite" if options.database is None else options.database.partition(":")[0]
    print(json.dumps({"database": database, "counts": dict(soak.counts), "faults": soak.faults[:20]}, indent=1))
    raise SystemExit(1 if soak.faults else 0)


if __name__ == "__main__":
    main()
