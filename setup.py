"""Builds the compiled libraries; everything else about the package is in pyproject.toml.

The library ``lookalike/_operators.abi3.so`` holds no Python module: it registers its operators with PyTorch when
``torch.ops.load_library`` opens it. It uses PyTorch's stable ABI and is compiled for the plain processor of the
platform; faster code for newer processors is chosen when the library is loaded (``ext/csrc/clones.h``).

``lookalike/_resize.abi3.so`` resizes pictures. It knows neither Python nor PyTorch, is opened by ``ctypes``, and so
serves programs that never load PyTorch. ``lookalike/_hnsw_search.abi3.so`` searches graphs of vectors, and is opened
likewise.

``lookalike/_openvino.abi3.so`` computes the operators as nodes of an exported network, in OpenVINO and whatever program
uses that. It is compiled where OpenVINO is installed, for that version of it alone; elsewhere it is left out.
"""

import logging
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, setup
from torch.utils.cpp_extension import BuildExtension, CppExtension, include_paths

STABLE_ABI = "-DTORCH_TARGET_VERSION=0x020a000000000000"  # PyTorch 2.10, the first with a stable parallel_for

# PyTorch's headers are given as system headers so that our warnings, not theirs, are errors.
system_headers = [flag for path in include_paths() for flag in ("-isystem", path)]

flags = [
    "-O3",
    "-std=c++20",
    "-fno-math-errno",  # sqrt as one instruction
    "-fopenmp-simd",  # the "omp simd" marks alone; no OpenMP library
    "-fvisibility=hidden",
    "-g0",
    "-Wall",
    "-Wextra",
]

map_kernels = (
    "block_plan",
    "multiscale_fuse",
    "multiscale_moments",
    "place_weights",
    "weighted_pool",
    "weighted_moments",
)

operators = CppExtension(
    name="lookalike._operators",
    sources=[f"ext/csrc/{name}.cpp" for name in ("register", "channel_moments", *map_kernels)],
    depends=[f"ext/csrc/{name}.h" for name in ("clones", "lanes", "channel_moments", *map_kernels)],
    extra_compile_args=[*flags, STABLE_ABI, *system_headers],
    py_limited_api=True,
)


def plain(name: str, source: str) -> Extension:
    """A library of one source that knows neither Python nor PyTorch."""
    return Extension(
        name=f"lookalike.{name}",
        sources=[f"ext/csrc/{source}.cpp"],
        depends=[f"ext/csrc/{header}.h" for header in ("clones", "export", source)],
        extra_compile_args=flags,
        language="c++",
        py_limited_api=True,
    )


def openvino() -> list[Extension]:
    """The library for OpenVINO, if what it is compiled and linked with is here."""
    found = find_spec("openvino")
    folder = Path(found.origin).parent if found is not None and found.origin else Path()
    libraries = sorted((folder / "libs").glob("libopenvino.so*"))
    if not (folder / "include" / "openvino" / "openvino.hpp").is_file() or not libraries:
        logging.getLogger(__name__).warning("OpenVINO's headers are not here: lookalike._openvino is left out")
        return []
    # OpenVINO's checks tell in which file they are: as it is called, not where it lay when it was compiled.
    nowhere = [f"-fmacro-prefix-map={folder}/=openvino/", f"-fmacro-prefix-map={Path(__file__).resolve().parent}/="]
    return [
        Extension(
            name="lookalike._openvino",
            sources=[f"ext/csrc/{name}.cpp" for name in ("openvino_extension", *map_kernels)],
            depends=[f"ext/csrc/{name}.h" for name in ("clones", "lanes", *map_kernels)],
            extra_compile_args=[*flags, "-isystem", str(folder / "include"), *nowhere],
            extra_link_args=[str(libraries[0])],  # by its file: a program that has OpenVINO has this one loaded already
            language="c++",
            py_limited_api=True,
        )
    ]


setup(
    ext_modules=[operators, plain("_resize", "resize"), plain("_hnsw_search", "hnsw_search"), *openvino()],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
