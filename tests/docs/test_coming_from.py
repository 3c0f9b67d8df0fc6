"""Every call of docs/coming-from.md is answered by a service of its own process, and with what it is there for."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike import Collection, Encoder
from lookalike.images import encode_jpeg
from lookalike.testing import make_picture
from tests.conftest import REPOSITORY, USERS_RUNTIME, running_on
from tests.helpers.archives import picture_files, zip_of
from tools.docs.api_examples import ADDRESS, environment_of, served

PAGE = (REPOSITORY / "docs" / "coming-from.md").read_text(encoding="utf-8")
SECTIONS = {
    title: re.findall(r"(?m)^\| (?!there |---)(.*) \| (.*) \|$", text)
    for title, text in re.findall(r"(?ms)^## (.*?)\n(.*?)(?=^## |\Z)", PAGE)
}
(SETUP,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
NO_CALL = "no: "
COUNT = 12
CATEGORIES, COLOURS = ("mug", "cup", "bowl"), ("red", "blue", "white")


def row(number: int) -> dict[str, Any]:
    """The columns of sku-NUMBER: four of each category, two of each product; prices 5 to 60; the last has no stock."""
    columns: dict[str, Any] = {
        "key": f"sku-{number}",
        "path": f"{number}.jpg",
        "title": f"Article {number}",
        "product_id": f"p-{(number + 1) // 2}",
        "category": CATEGORIES[(number - 1) // 4],
        "colour": COLOURS[number % 3],
        "price": 5 * number,
        "stars": number % 5,
        "tags": ["gift", "sale"] if number % 4 == 0 else ["gift"],
        "added": f"2024-{number:02}-01",
    }
    return columns if number == COUNT else columns | {"stock": number % 3}


ROWS = {f"sku-{number}": row(number) for number in range(1, COUNT + 1)}


def where(passes: Callable[[dict[str, Any]], bool]) -> list[str]:
    """The keys of the table's rows that pass, in their order."""
    return [key for key, columns in ROWS.items() if passes(columns)]


def keys(answer: Any) -> list[str]:
    """The keys of an answer's items or hits."""
    return [item["key"] for item in answer["items" if "items" in answer else "results"]]


def batch_keys(answer: Any) -> list[list[str]]:
    """The keys of the hits of each query."""
    return [keys(entry["answer"]) for entry in answer["results"]]


def listed(*expected: str) -> Callable[[Any], bool]:
    return lambda answer: keys(answer) == list(expected)


def passing(passes: Callable[[dict[str, Any]], bool]) -> Callable[[Any], bool]:
    """Whether exactly the items that pass are listed; there must be some, and some others."""
    expected = where(passes)
    assert 0 < len(expected) < COUNT
    return lambda answer: sorted(keys(answer)) == sorted(expected) and answer["count"] == len(expected)


def hits(count: int, passes: Callable[[dict[str, Any]], bool] = lambda _: True) -> Callable[[Any], bool]:
    """Whether there are so many hits, all of which pass."""
    return lambda answer: (
        len(answer["results"]) == count
        and all(passes(hit["metadata"] | {"key": hit["key"]}) for hit in answer["results"])
    )


def changed(*expected: int) -> Callable[[Any], bool]:
    """Whether so many items passed, were changed, were already so, and remain."""
    names = ("passing", "changed", "unchanged", "remaining")
    return lambda answer: tuple(answer[name] for name in names) == expected


def statuses(*expected: str) -> Callable[[Any], bool]:
    return lambda answer: [entry["status"] for entry in answer["results"]] == list(expected)


def item(**expected: Any) -> Callable[[Any], bool]:
    """Whether an item was changed, and is so now."""
    return lambda answer: all(answer["item"][name] == value for name, value in expected.items())


def is_first(key: str) -> Callable[[Any], bool]:
    return lambda answer: keys(answer)[0] == key


def is_unit(vector: Sequence[float]) -> bool:
    return len(vector) > 100 and abs(float(np.linalg.norm(vector)) - 1) < 1e-4


def has_vectors(count: int) -> Callable[[Any], bool]:
    return lambda answer: len(answer["items"]) == count and all(is_unit(entry["vector"]) for entry in answer["items"])


def counts(answer: Any, facet: str) -> dict[str, int]:
    return {entry["value"]: entry["count"] for entry in answer["facets"][facet]["values"]}


def products(answer: Any) -> list[str]:
    return [hit["product_id"] for hit in answer["results"]]


def distinct(names: Sequence[Any]) -> bool:
    return len(set(names)) == len(names)


def is_ranked_by_boost(answer: Any) -> bool:
    scores = [hit["boosted_score"] for hit in answer["results"]]
    return scores == sorted(scores, reverse=True) and scores != [hit["score"] for hit in answer["results"]]


def is_ranked_by_feedback(answer: Any) -> bool:
    scores = [hit["feedback_score"] for hit in answer["results"]]
    return scores == sorted(scores, reverse=True) and scores != [hit["score"] for hit in answer["results"]]


def is_mug(columns: dict[str, Any]) -> bool:
    return bool(columns["category"] == "mug")


def is_cup(columns: dict[str, Any]) -> bool:
    return bool(columns["category"] == "cup")


Check = Callable[[Any], bool]
INDEXED: Check = lambda text: "unchanged" in text  # noqa: E731
QDRANT: dict[str, Check] = {
    "create a collection (`size`, `distance`)": lambda answer: answer["name"] == "mugs" and answer["count"] == 0,
    "whether a collection exists": lambda answer: answer["name"] == "mugs",
    "list collections": lambda answer: [entry["name"] for entry in answer["collections"]] == ["mugs", "products"],
    "collection info, number of points": lambda answer: answer["count"] == COUNT and "price" in names(answer),
    "how many snapshots stay (`update_collection`)": lambda answer: answer["keep"] == 5,
    "delete a collection": lambda answer: answer == {"collection": "mugs", "restorable": True},
    "payload index, with a type": lambda answer: (
        [(column["name"], column["types"]) for column in answer["columns"] if column["declared"]]
        == [("price", ["number"])]
    ),
    "upsert a point": item(key="new-1", title="A mug", metadata={"category": "mug", "price": 12.5}),
    "upsert a batch": statuses("created", "created"),
    "upsert as JSON": item(key="new-4", title="A cup"),
    "upsert any number, in batches (`upload_points`)": lambda entries: (
        [(entry.key, entry.status) for entry in entries] == [("new-5", "created"), ("new-6", "created")]
    ),
    "upload a data set": INDEXED,
    "insert only (`update_mode`)": lambda answer: (answer["key"], answer["status"]) == ("new-7", "created"),
    "update only (`update_mode`)": item(title="The mug"),
    "update what was read, unless somebody changed it (`update_filter`)": lambda answer: answer.item.title == "The mug",
    "update vectors": item(title="The mug", metadata={"category": "mug", "price": 12.5}),
    "set payload of a point": item(metadata={"category": "mug", "price": 9.9, "sale": True}),
    "set payload by filter": changed(2, 1, 1, 0),
    "overwrite payload": item(metadata={"category": "mug"}),
    "delete keys of the payload": item(metadata={}),
    "delete keys of the payload by filter": changed(1, 1, 0, 0),
    "clear payload": item(key="new-3", metadata={}),
    "batch of different operations": statuses("replaced", "removed"),
    "delete points by ids": changed(6, 6, 0, 0),
    "delete points by filter": changed(0, 0, 0, 0),
    "retrieve a point": lambda answer: answer["key"] == "sku-1" and answer["metadata"]["price"] == 5,
    "retrieve points by ids": lambda answer: keys(answer) == ["sku-3", "sku-1"] and answer["missing"] == ["nowhere"],
    "`with_vectors`": has_vectors(1),
    "scroll": lambda answer: len(keys(answer)) == 5 and answer["count"] == COUNT,
    "the next page (`next_page_offset`)": lambda answer: len(keys(answer)) == 5 and distinct(keys(answer)),
    "scroll with a filter and `order_by`": listed("sku-4", "sku-3", "sku-2", "sku-1"),
    "`order_by` a date": listed("sku-12", "sku-11", "sku-10"),
    "`order_by` with `start_from`": listed("sku-6", "sku-7"),
    "sample points by chance": lambda answer: len(set(keys(answer))) == 4,
    "count": lambda answer: answer["count"] == 9,
    "facet": lambda answer: (
        counts(answer, "category") == {"mug": 1, "cup": 4, "bowl": 4}
        and counts(answer, "colour") == {"red": 3, "blue": 3, "white": 3}
    ),
    "filter: `must`": passing(lambda row: is_mug(row) and row["colour"] == "red"),
    "filter: `should`": passing(lambda row: is_mug(row) or is_cup(row)),
    "filter: `must_not`": passing(lambda row: not is_mug(row) and row["price"] <= 40),
    "filter: match a value": passing(is_mug),
    "filter: match any": passing(lambda row: row["colour"] in ("red", "white")),
    "filter: match except": passing(lambda row: row["colour"] == "blue"),
    "filter: range": passing(lambda row: 10 <= row["price"] < 30),
    "filter: datetime range": passing(lambda row: "2024-03" <= row["added"] < "2024-06"),
    "filter: a value of an array": passing(lambda row: "sale" in row["tags"]),
    "filter: all of some values": passing(lambda row: {"gift", "sale"} <= set(row["tags"])),
    "filter: is empty, is null": listed("sku-12"),
    "filter: has id": passing(lambda row: row["key"] in ("sku-1", "sku-2")),
    "filter: `must_not` has id": passing(lambda row: row["key"] not in ("sku-1", "sku-2")),
    "query by a vector": lambda answer: hits(3)(answer) and is_first("sku-1")(answer),
    "query by a point's id": hits(3, lambda row: row["key"] != "sku-1"),
    "a query by a point of another collection (`lookup_from`)": listed("sku-4"),
    "query with a filter": hits(4, is_cup),
    "`score_threshold`": listed("sku-1"),
    "`limit`": lambda answer: keys(answer)[0] == "sku-1" and answer["exhausted"] is False,
    "`offset`": hits(2, lambda row: row["key"] != "sku-1"),
    "batch of queries": lambda answer: [ranked[0] for ranked in batch_keys(answer)] == ["sku-1", "sku-2"],
    "groups (`group_by`, `group_size`)": lambda answer: (
        products(answer)[:2] == ["p-1", "p-1"] and sorted(map(products(answer).count, set(products(answer)))) == [2] * 3
    ),
    "recommend, positive examples (`best_score`)": lambda answer: sorted(keys(answer)[:2]) == ["sku-1", "sku-2"],
    "recommend, positive examples (`average_vector`, `sum_scores`)": lambda answer: (
        sorted(keys(answer)[:2]) == ["sku-1", "sku-2"]
    ),
    "recommend, positive ids": hits(3, lambda row: row["key"] not in ("sku-1", "sku-2")),
    "recommend, positive and negative ids (`average_vector`)": lambda answer: (
        hits(3, lambda row: row["key"] not in ("sku-1", "sku-2", "sku-3"))(answer) and is_ranked_by_feedback(answer)
    ),
    "recommend, positive and negative ids (`best_score`)": lambda answer: (
        hits(3, lambda row: row["key"] not in ("sku-1", "sku-2", "sku-3"))(answer) and is_ranked_by_feedback(answer)
    ),
    "recommend, positive ids and positive examples": lambda answer: (
        hits(3, lambda row: row["key"] != "sku-5")(answer) and answer["basis"] == "liked"
    ),
    "relevance feedback on a query": lambda answer: (
        hits(3, lambda row: row["key"] not in ("sku-2", "sku-5"))(answer) and is_ranked_by_feedback(answer)
    ),
    "without some points": hits(3, lambda row: row["key"] not in ("sku-1", "sku-2", "sku-3")),
    "maximal marginal relevance (`mmr`)": lambda answer: hits(4)(answer) and is_first("sku-1")(answer),
    "formula over score and payload": is_ranked_by_boost,
    "distance matrix": has_vectors(3),
    "distance of two points": lambda answer: -1 <= answer["score"] < 0.999,
    "create a snapshot": lambda answer: answer["pending"] == 0 and answer["count"] == COUNT,
    "list snapshots": lambda answer: [row["is_current"] for row in answer["snapshots"]][:2] == [True, False],
    "recover from a snapshot": lambda answer: answer["pinned"] and answer["snapshots"][-1]["is_current"],
    "go back to the newest": lambda answer: not answer["pinned"] and answer["snapshots"][0]["is_current"],
    "health, readiness, metrics": lambda answer: answer["ready"] is True,
}
MARQO: dict[str, Check] = {
    "`create_index(model=...)`": lambda answer: (
        answer["encoder"]["name"] == "bundled-int8" and answer["name"] == "cups"
    ),
    "structured index (`allFields`)": lambda answer: (
        {column["name"] for column in answer["columns"] if column["declared"]} == {"price", "tags"}
    ),
    "models that are loaded": lambda answer: any(entry["loaded"] for entry in answer["encoders"]),
    "`add_documents` with an image in base64": item(key="c-1", metadata={"price": 7}),
    "one search in several indexes": lambda answer: (
        [hit["collection"] for hit in answer["results"]] == ["cups", "products", "products"]
    ),
    "`delete_index`": lambda answer: answer == {"collection": "cups", "restorable": True},
    "`get_indexes`": lambda answer: [entry["name"] for entry in answer["collections"]] == ["products"],
    "`get_settings`, `get_stats`": lambda answer: answer["count"] == COUNT and answer["encoder"]["dimension"] > 100,
    "`add_documents` with images": statuses("created", "created"),
    "`use_existing_tensors`": item(title="Tea set, blue", metadata={"country": "Japan"}),
    "multimodal combination of images": lambda answer: hits(2)(answer) and products(answer)[0] == "p-1",
    "`update_documents`": item(metadata={"price": 30}),
    "`get_document`": lambda answer: answer["title"] == "Tea set, blue",
    "`get_documents`": listed("doc-1", "sku-2"),
    "`expose_facets` (vectors of documents)": has_vectors(1),
    "`delete_documents`": changed(2, 2, 0, 0),
    "`search(q=image)`": lambda answer: hits(10)(answer) and is_first("sku-1")(answer),
    "`search(q=text)`, `LEXICAL`": hits(3, lambda row: is_cup(row) and row["colour"] != "blue"),
    "`HYBRID`, with an image": lambda answer: hits(10)(answer) and is_cup(answer["results"][0]["metadata"]),
    "`search(q={image: 1, image: 1})`": lambda answer: sorted(keys(answer)[:2]) == ["sku-1", "sku-2"],
    "`context`, with documents": is_ranked_by_feedback,
    '`filter_string="colour:red AND price:[10 TO 30]"`': hits(
        2, lambda row: row["colour"] == "red" and 10 <= row["price"] <= 30
    ),
    "`... OR ...`, `NOT (...)`": hits(9, lambda row: is_cup(row) or row["colour"] != "red"),
    "`colour IN (red, blue)`": hits(8, lambda row: row["colour"] in ("red", "blue")),
    "`limit`": hits(2),
    "`offset`": hits(2, lambda row: row["key"] != "sku-1"),
    "`track_total_hits`": lambda answer: (len(keys(answer)), answer["passing"]) == (1, 4),
    "`highlights`": lambda answer: len(answer["heat_maps"]) == 2 and answer["parts"] != [],
    "`score_modifiers` (`add_to_score`)": is_ranked_by_boost,
    "`facets`": lambda answer: counts(answer, "category") == {"mug": 4, "cup": 4, "bowl": 4},
    "facets' `max_results`": lambda answer: (
        len(counts(answer, "colour")) == 2 and answer["facets"]["colour"]["distinct"] == 3
    ),
    "facets without a part of the filter (`exclude_terms`)": lambda answer: (
        set(counts(answer, "colour")) == {"red", "blue", "white"} and answer["count"] == 4
    ),
    "`collapse_fields`": lambda answer: hits(3)(answer) and distinct(products(answer)),
    "sorted browsing (`collections`)": listed("sku-5", "sku-6", "sku-7", "sku-8"),
    "`relevance_cutoff`": listed("sku-1"),
    '`recommend(documents=["sku-1"])`': hits(5, lambda row: row["key"] != "sku-1"),
    '`recommend(documents=["sku-1", "sku-2"])`': hits(10, lambda row: row["key"] not in ("sku-1", "sku-2")),
    "`exclude_input_documents=False`": lambda answer: sorted(keys(answer)[:2]) == ["sku-1", "sku-2"],
    "`recommend` with weights": lambda answer: (
        hits(10, lambda row: row["key"] not in ("sku-1", "sku-2"))(answer) and is_ranked_by_feedback(answer)
    ),
    "more documents to exclude": hits(10, lambda row: row["key"] not in ("sku-1", "sku-2")),
    "several searches at once": lambda answer: [len(ranked) for ranked in batch_keys(answer)] == [10, 10],
    "`embed`": lambda answer: is_unit(answer["vector"]),
    "`health`": lambda answer: list(answer["collections"]) == ["products"],
}
MILVUS: dict[str, Check] = {
    "schema": lambda answer: (answer["name"], answer["count"]) == ("jugs", 0),
    "`describe_collection`": lambda answer: {"price", "added"} <= set(names(answer)),
    "BM25, `PHRASE_MATCH`": lambda answer: keys(answer) == ["sku-7"],
    "hybrid search, `RRFRanker`": lambda answer: {hit["text_rank"] for hit in answer["results"]} >= {1, 2},
    "`insert`, `upsert`": item(key="m-1", metadata={"category": "jug"}),
    "`query(filter, limit)`": lambda answer: len(keys(answer)) == 2 and answer["count"] == 5,
    "`get(ids)`": listed("m-1", "sku-1"),
    "`count(*)`": lambda answer: answer["count"] == 4,
    "`search(data, filter, limit)`": hits(2, is_mug),
    "range search (`radius`)": lambda answer: all(hit["score"] >= 0.5 for hit in answer["results"]),
    "grouping search (`group_by_field`)": lambda answer: hits(2)(answer) and distinct(products(answer)),
    "`search_iterator`": lambda sizes: sizes == [6, 6, 1],
    "`query_iterator`": lambda answer: sorted(answer) == where(is_mug),
    "partitions": hits(4, is_cup),
    "`delete(filter)`": changed(1, 1, 0, 0),
}
OTHERS: dict[str, dict[str, Check]] = {
    "clip-retrieval": {
        "`clip-retrieval inference`, `index`": INDEXED,
        "a tar or zip of pictures": lambda job: (job.collection, job.kind, job.state) == ("zipped", "index", "queued"),
        "how far it is": lambda states: states[-1] == "succeeded",
        "`client.query(image=...)` with `num_images`": hits(4),
        "`client.query(embedding_input=...)`": lambda answer: answer[0][0].key == "sku-1",
        "`deduplicate`": lambda answer: hits(11)(answer) and not {"sku-11", "sku-12"} <= set(keys(answer)),
        "copies that were cut or scaled": lambda answer: answer["results"][0]["tier"] == "near-duplicate",
        "`aesthetic_score`, `aesthetic_weight`": is_ranked_by_boost,
        "embeddings as numpy files": has_vectors(COUNT),
    },
    "imagededup": {
        "`encode_images`, `find_duplicates`": lambda text: "sku-11" in text and "sku-12" in text,
        "the same as JSON": lambda answer: {"sku-11", "sku-12"} == group_keys(answer),
        "`find_duplicates_to_remove`": lambda text: "sku-12" in text and "dropped" in Path("drop.sh").read_text(),
        "is this picture one of ours?": lambda answer: answer["matches"][0]["key"] == "sku-3",
        "compare two": lambda answer: answer["tier"] == "different",
    },
    "img2vec": {
        "`Img2Vec().get_vec(img)`": lambda vectors: len(vectors) == 2 and all(map(is_unit, vectors)),
        "the same over HTTP": lambda answer: is_unit(answer["vector"]),
        "cosine of two vectors": lambda answer: -1 <= answer["score"] < 0.999,
    },
    "DeepImageSearch": {
        "`Load_Data().from_folder`, `run_index`": INDEXED,
        "`add_images_to_index`": item(key="d-1"),
        "`get_similar_images(image_path, number_of_images)`": lambda found: len(found) == 5 and found[0].key == "sku-1",
        "`plot_similar_images`": lambda _: Path("montage.jpg").stat().st_size > 1000,
        "remove an image": lambda answer: answer["status"] == "removed",
    },
    "FiftyOne Brain": {
        "`compute_similarity`": INDEXED,
        "`sort_by_similarity(id, k)`": hits(5, lambda row: row["key"] != "sku-1"),
        "`compute_exact_duplicates`, `compute_near_duplicates`": lambda states: states[-1] == "succeeded",
        "their groups": lambda answer: {"sku-11", "sku-12"} <= group_keys(answer),
        "`find_unique(k)`": hits(4),
        '`match(F("price") < 10)`, `count_values`': lambda answer: counts(answer, "category") == {"mug": 4, "cup": 1},
        "`take(k)`": lambda answer: len(set(keys(answer))) == 3,
        "`sort_by(field)`": listed("sku-1", "sku-2", "sku-3"),
        "`tag_samples`": changed(4, 4, 0, 0),
    },
    "Immich": {
        '"view similar photos" (`queryAssetId`)': hits(5, lambda row: row["key"] != "sku-1"),
        "search by metadata, newest first": listed("sku-4", "sku-3", "sku-2", "sku-1"),
        "random assets": lambda answer: len(set(keys(answer))) == 2,
        "upload": item(key="i-1"),
        "jobs": lambda answer: [job["kind"] for job in answer["jobs"]] == ["duplicates", "index"],
        "thumbnail, original": lambda _: Path("small-1.jpg").read_bytes()[:2] == b"\xff\xd8",
        "update several assets": changed(2, 2, 0, 0),
        "delete several assets": changed(1, 1, 0, 0),
        "duplicates, and keep all of a group": lambda answer: (answer["pairs"], answer["changed"]) == (1, 1),
    },
}
CHECKS = {"Qdrant": QDRANT, "Marqo": MARQO, "Milvus": MILVUS} | OTHERS


def names(answer: Any) -> list[str]:
    return [column["name"] for column in answer["columns"]]


def group_keys(answer: Any) -> set[str]:
    return {member["key"] for group in answer["groups"] for member in group["members"]}


@dataclass
class Reader:
    """Somebody who tries the page's calls one after the other in a folder."""

    folder: Path
    environment: dict[str, str]
    names: dict[str, Any]
    next_cursor: str = ""

    def run(self, call: str) -> Any:
        """What a call answers: JSON, text, or the value of a Python expression."""
        if not call.startswith(("curl ", "python ")):
            return eval(call, self.names)
        command = (
            f'curl() {{ command curl -sS --fail-with-body "$@"; }}; python() {{ "{sys.executable}" "$@"; }}; {call}'
        )
        environment = self.environment | {"NEXT": self.next_cursor}
        ended = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode in (0, 3), f"{call}\n{ended.stdout}\n{ended.stderr}"
        if call.startswith("python "):
            return ended.stdout + ended.stderr
        answer = json.loads(ended.stdout) if ended.stdout else None
        if isinstance(answer, dict):
            self.next_cursor = answer.get("next_cursor") or ""
        return answer


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    for number in range(1, COUNT + 1):
        (tmp_path / f"{number}.jpg").write_bytes(encode_jpeg(make_picture(min(number, COUNT - 1)), 90))
    for name, picture in (
        ("mug", make_picture(1)),
        ("side", make_picture(2)),
        ("a", make_picture(101)),
        ("b", make_picture(102)),
        ("small", make_picture(3)[::2, ::2].copy()),
    ):
        (tmp_path / f"{name}.jpg").write_bytes(encode_jpeg(picture, 90))
    (tmp_path / "pictures.zip").write_bytes(zip_of(picture_files(2)))
    table = "".join(json.dumps(columns) + "\n" for columns in ROWS.values())
    (tmp_path / "products.jsonl").write_text(table, encoding="utf-8")
    environment = environment_of(tmp_path) | {"LOOKALIKE_RUNTIME": USERS_RUNTIME}
    command = [sys.executable, "-m", "indexer", "index", "products.jsonl", "-c", "products"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOOKALIKE_ENCODERS_DIR", environment["LOOKALIKE_ENCODERS_DIR"])
    with served(tmp_path, environment) as address, running_on():
        names: dict[str, Any] = {"Collection": Collection, "Encoder": Encoder}
        exec(SETUP.replace(ADDRESS, address), names)
        yield Reader(tmp_path, environment | {"S": address, "C": f"{address}/collections/products"}, names)
        names["client"].close()


def test_each_line_has_a_call_that_is_run_or_says_why_there_is_none() -> None:
    assert list(SECTIONS) == list(CHECKS)
    for title, lines in SECTIONS.items():
        calls = [left for left, right in lines if not right.startswith(NO_CALL)]
        assert calls == list(CHECKS[title]), title
    others = [right for lines in SECTIONS.values() for _, right in lines if not right.startswith(NO_CALL)]
    assert [right for right in others if re.fullmatch(r"`[^`]+`", right) is None] == []


@pytest.mark.timeout(300)
def test_the_calls_of_the_page_do_what_they_are_there_for(reader: Reader) -> None:
    answers: dict[str, Any] = {}
    for title, lines in SECTIONS.items():
        for left, right in lines:
            if right.startswith(NO_CALL):
                continue
            call = right.strip("`")
            # The same command of the indexer stands in several sections, and takes seconds.
            answer = answers[call] if call in answers and call.startswith("python ") else reader.run(call)
            answers[call] = answer
            shown = answer if isinstance(answer, str) else json.dumps(answer, default=str)
            assert CHECKS[title][left](answer), f"{title}: {left}\n{call}\n{shown[:3000]}"
