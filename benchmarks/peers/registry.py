"""Who is measured: each peer, the environment it lives in, and the script that runs it there."""

from __future__ import annotations

from dataclasses import dataclass, field

OURS = "ours"
"""The environment that this program runs in."""
NETWORK = "resnet18, 224 px"
RESNET = ("torchvision", "resnet18")


@dataclass(frozen=True)
class Peer:
    """One row of a table.

    ``environment`` names a requirements file. ``script`` is a module under ``scripts``, ``variables`` and ``arguments``
    say what it should do. ``weights`` are the arguments of ``random_weights`` that it needs first. ``note`` is what a
    reader must know to read the row.
    """

    name: str
    label: str
    environment: str
    script: str
    variables: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    note: str = ""


OUR_SYSTEM = Peer("ours", "this project, as it comes", OURS, "ours", note="resnet18, 144 px")
SYSTEMS = (
    Peer(
        "ours-224",
        "this project at 224 px",
        OURS,
        "ours",
        variables={"PEERS_INDEX_FLAGS": "--input-size 224"},
        note=NETWORK,
    ),
    Peer(
        "timm-faiss-loop",
        "timm and FAISS by hand, one by one",
        "timm-faiss",
        "timm_faiss",
        variables={"PEERS_VARIANT": "loop"},
        note=NETWORK,
    ),
    Peer(
        "timm-faiss-loader",
        "timm and FAISS by hand, with a DataLoader",
        "timm-faiss",
        "timm_faiss",
        variables={"PEERS_VARIANT": "loader"},
        note=NETWORK,
    ),
    Peer("img2vec", "img2vec-pytorch", "img2vec", "img2vec", weights=RESNET, note=NETWORK),
    Peer(
        "deepimagesearch",
        "DeepImageSearch",
        "deepimagesearch",
        "deepimagesearch",
        weights=("timm", "resnet18"),
        note=NETWORK,
    ),
    Peer(
        "clip-retrieval",
        "clip-retrieval with autofaiss",
        "clip-retrieval",
        "clip_retrieval_system",
        weights=("open_clip", "ViT-B-32/laion2b_s34b_b79k"),
        note="ViT-B/32, 224 px: it has no resnet18",
    ),
)

OUR_INDEX = Peer("ours", "this project", OURS, "ours_index")
INDEXES = (
    Peer("hnswlib", "hnswlib", "indexes", "hnswlib_engine"),
    Peer("usearch", "usearch, float16", "indexes", "usearch_engine"),
    Peer("faiss-hnsw", "FAISS HNSW, flat", "indexes", "faiss_engines", variables={"PEERS_VARIANT": "hnsw"}),
    Peer("autofaiss", "autofaiss", "autofaiss", "autofaiss_engine"),
    Peer("annoy", "Annoy", "annoy", "annoy_engine"),
    Peer("faiss-flat", "FAISS flat", "indexes", "faiss_engines", variables={"PEERS_VARIANT": "flat"}),
    Peer("scikit-learn", "scikit-learn NearestNeighbors", "indexes", "sklearn_engine"),
)

OUR_COPIES = Peer("ours", "this project: index, then duplicates", OURS, "ours_pairs")
COPIES = (
    Peer("imagededup-phash", "imagededup, PHash", "imagededup", "imagededup_pairs", arguments=("--method", "phash")),
    Peer(
        "czkawka-method",
        "czkawka's method, gradient hashes",
        "imagehash",
        "gradient_pairs",
        note="by ImageHash: 256 bits, distance 5",
    ),
    Peer(
        "imagededup-cnn",
        "imagededup, CNN",
        "imagededup",
        "imagededup_pairs",
        arguments=("--method", "cnn"),
        weights=("torchvision", "mobilenet_v3_small"),
        note="MobileNetV3 with random weights: its time counts, its pairs do not",
    ),
    Peer(
        "imagededup-cnn-resnet18",
        "imagededup, CNN on our network",
        "imagededup",
        "imagededup_pairs",
        arguments=("--method", "cnn-resnet18"),
        note="resnet18 with this project's weights, 224 px",
    ),
)
