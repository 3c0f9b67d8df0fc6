"""Every name that a user may write leads to the network it promises, with all the feature maps it promises."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import torch

from lookalike.encoder.network.multiscale import MultiScaleNetwork, build_backbone, deepest_stages
from lookalike.encoder.registry import KNOWN, KnownEncoder, check_input_size
from lookalike.encoder.spec import Fusion
from lookalike.encoder.torchvision_shim import ensure_torchvision
from lookalike.encoder.weights.installed import Record, resolve
from lookalike.encoder.weights.pretrained import backbone_state
from lookalike.encoder.weights.publishers import _TIMM_NAME, find_network, find_published
from lookalike.errors import EncoderOptionsError, EncoderUnknownError

CHANNELS = {
    "resnet18": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
    "resnet101": (256, 512, 1024, 2048),
    "efficientnet_b0": (24, 40, 112, 320),
    "efficientnet_lite0": (24, 40, 112, 320),
    "efficientnet_lite1": (24, 40, 112, 320),
    "efficientnet_lite2": (24, 48, 120, 352),
    "mobilenetv2_100": (24, 32, 96, 320),
    "convnext_tiny": (96, 192, 384, 768),
    "convnext_base": (128, 256, 512, 1024),
    "cspdarknet53": (128, 256, 512, 1024),
    "vgg16": (256, 512, 512, 512),
    "inception_v3": (192, 288, 768, 2048),
    "inception_v4": (160, 384, 1024, 1536),
    "inception_resnet_v2": (192, 320, 1088, 1536),
    "xception": (128, 256, 728, 2048),
    "bit_50x1": (256, 512, 1024, 2048),
    "bit_50x3": (768, 1536, 3072, 6144),
    "alexnet": (64, 192, 384, 256, 256),
}
NATIVE_SIZES = {
    "efficientnet_lite1": 240,
    "efficientnet_lite2": 260,
    "cspdarknet53": 256,
    "inception_v3": 299,
    "inception_v4": 299,
    "inception_resnet_v2": 299,
    "xception": 299,
    "bit_50x3": 448,
}

every_known = pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)


@every_known
def test_each_network_gives_its_maps_and_each_fusion_its_dimension(known: KnownEncoder) -> None:
    assert known.stages is not None
    wanted = CHANNELS[known.name]
    with torch.device("meta"):  # shapes without numbers, so that the largest network costs nothing
        backbone, channels = build_backbone(known.architecture, known.stages)
        native = NATIVE_SIZES.get(known.name, 224)
        for size in (known.smallest_input, native):
            maps = backbone.eval()(torch.zeros(2, 3, size, size))
            assert [tuple(stage.shape[:2]) for stage in maps] == [(2, width) for width in wanted]
            assert all(stage.shape[2] >= 1 and stage.shape[3] >= 1 for stage in maps)
        dimensions: dict[Fusion, int] = {
            "mean": max(wanted),
            "concat": sum(wanted),
            "last": wanted[-1],
            "moments": 2 * sum(wanted),
        }
        for fusion, dimension in dimensions.items():
            network = MultiScaleNetwork(backbone, channels, fusion)
            assert network.dimension == dimension
            assert MultiScaleNetwork(backbone, channels, fusion, 32).dimension == 32
            assert network.fuse(maps).shape == (2, dimension)
    assert channels == wanted


@every_known
def test_each_networks_publisher_says_how_pictures_are_prepared(known: KnownEncoder) -> None:
    said = find_published(known)
    assert said.input_size == NATIVE_SIZES.get(known.name, 224)
    assert said.resize == "crop"
    assert 0.8 < said.crop_fraction <= 1
    assert said.licence in {"apache-2.0", "bsd-3-clause"}
    assert (said.hub is None) != (said.url is None)
    assert said.hub is None or said.hub == f"timm/{known.model}"


@every_known
def test_the_table_says_what_the_publisher_says(known: KnownEncoder) -> None:
    said = find_published(known)
    assert (known.input_size, known.input_size_fixed) == (said.input_size, said.input_size_fixed)
    assert known.licence == said.licence
    if known.package is not None:
        # Whoever writes PyTorch's files ends their names with the first digits of their SHA-256.
        assert known.package.member.endswith(f"-{known.package.digest[:8]}.pth")
    elif said.hub is not None:
        assert known.publisher == f"hub {said.hub}"
    else:
        assert known.publisher == urlsplit(said.url).hostname


@every_known
def test_each_classifier_fills_its_backbone(known: KnownEncoder) -> None:
    if known.model == "alexnet":
        return  # its file is read without the classifier; test_weights_published has it
    ensure_torchvision()
    import timm

    assert known.stages is not None
    with torch.device("meta"):
        backbone, _ = build_backbone(known.architecture, known.stages)
        classifier = timm.create_model(known.architecture)
    wanted = {key: tensor.shape for key, tensor in backbone.state_dict().items()}
    assert {key: tensor.shape for key, tensor in backbone_state(backbone, classifier).items()} == wanted


def test_short_names_are_distinct_and_found_again() -> None:
    words = [word for known in KNOWN for word in (known.name, *known.aliases)]
    assert len(words) == len(set(words))
    for known in KNOWN:
        for word in (known.name, *known.aliases, known.name.upper().replace("_", "-")):
            assert find_network(word) is known
            assert resolve(word, Path("no-such-folder")).known is known


def test_any_network_of_timm_can_be_named_as_timm_names_it() -> None:
    assert find_network("test_resnet").model == "test_resnet.r160_in1k"
    assert find_network("resnet50.tv_in1k").model == "resnet50.tv_in1k"
    assert find_network("tf_efficientnet_lite0.in1k").package is None, "timm's own weights of it come from the hub"
    assert deepest_stages("test_resnet") == (1, 2, 3, 4)
    assert deepest_stages("test_convnext") == (0, 1, 2, 3)


def test_a_name_says_which_weights() -> None:
    nowhere = Path("no-such-folder")
    for text in ("bundled", "bundled-resnet18"):
        assert resolve(text, nowhere).weights == "bundled"
        assert resolve(text, nowhere).known is None
    for text in ("resnet50", "resnet50:hub"):
        assert resolve(text, nowhere).weights == "hub"
        assert resolve(text, nowhere).known == find_network("resnet50")
    assert resolve("vgg16:/some/where/w.safetensors", nowhere).weights == Path("/some/where/w.safetensors")
    assert resolve("vgg16:C:\\w.safetensors", nowhere).weights == Path("C:\\w.safetensors")


def test_an_installed_network_of_timm_is_what_its_record_says(tmp_path: Path) -> None:
    (tmp_path / "test_vit").mkdir()
    Record("test_vit", "test_vit.r160_in1k", "", None, "0" * 64, "mit", "2026-01-01", 160, True).write(
        tmp_path / "test_vit"
    )
    expected = find_network("test_vit")
    for text in ("test_vit", "test_vit:hub"):
        known = resolve(text, tmp_path).known
        assert known is not None
        assert (known.model, known.input_size, known.input_size_fixed) == ("test_vit.r160_in1k", 160, True)
        assert (known.model, known.input_size, known.input_size_fixed) == (
            expected.model,
            expected.input_size,
            expected.input_size_fixed,
        )


WRONG = [
    ("resnet5", "resnet50"),
    ("Bundeld", "bundled"),
    ("bundled_resnet18", "bundled-resnet18"),
    ("effnet_b0", "efficientnet_b0"),
    ("resnet50.bogus", "resnet50"),
]


@pytest.mark.parametrize(("wrong", "alike"), WRONG)
def test_a_misspelt_name_is_answered_with_names_alike(wrong: str, alike: str, tmp_path: Path) -> None:
    for ask in (lambda: resolve(wrong, tmp_path), lambda: find_network(wrong)):
        with pytest.raises(EncoderUnknownError, match=re.escape(repr(wrong))) as caught:
            ask()
        assert alike in caught.value.message
        assert caught.value.subject == wrong


def test_installed_names_and_those_of_timm_are_among_the_names_alike(tmp_path: Path) -> None:
    (tmp_path / "test_byobnet").mkdir()
    (tmp_path / "test_byobnet/encoder.json").write_text("{}")
    with pytest.raises(EncoderUnknownError, match="alike are test_byobnet;"):
        resolve("test_byobne", tmp_path)
    with pytest.raises(EncoderUnknownError, match="alike are test_convnext"):
        find_network("test_convnex")


def test_every_name_of_timm_is_recognised_as_one() -> None:
    ensure_torchvision()
    import timm

    assert [name for name in timm.list_models(pretrained=True) if not _TIMM_NAME.fullmatch(name)] == []


NONSENSE = [
    "",
    ":/file",
    "../resnet50",
    "no such thing at all",
    "bundled:hub",
    "bundled:/file",
    "bundled-resnet18:/file",
]


@pytest.mark.parametrize("wrong", NONSENSE)
def test_nonsense_is_no_encoder(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderUnknownError):
        resolve(wrong, tmp_path)
    with pytest.raises(EncoderUnknownError):
        find_network(wrong)


def test_an_encoder_in_the_box_takes_no_file(tmp_path: Path) -> None:
    for name in ("bundled", "bundled-int8", "bundled-fast"):
        with pytest.raises(EncoderUnknownError, match=f"{name} is in the box and takes no file: name it without one"):
            resolve(f"{name}:/file", tmp_path)


@pytest.mark.parametrize("size", [299, 80, 96, 304, 512])
def test_possible_input_sizes(size: int) -> None:
    assert check_input_size(size, native=299, smallest=80) == size


@pytest.mark.parametrize("size", [0, -16, 64, 81, 298, 528, 1024])
def test_impossible_input_sizes_are_refused_with_what_is_possible(size: int) -> None:
    with pytest.raises(EncoderOptionsError, match="choose 299, or a multiple of 16 from 80 to 512"):
        check_input_size(size, native=299, smallest=80)


def test_a_network_bound_to_its_size_takes_no_other() -> None:
    assert check_input_size(224, native=224, fixed=True) == 224
    with pytest.raises(EncoderOptionsError, match="224 pixels only"):
        check_input_size(256, native=224, fixed=True)
