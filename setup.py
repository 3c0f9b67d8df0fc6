"""Builds the two compiled libraries; everything else about the package is in pyproject.toml.

The library ``lookalike/_operators.abi3.so`` holds no Python module: it registers its operators with PyTorch when
``torch.ops.load_library`` opens it. It uses PyTorch's stable ABI and is compiled for the plain processor of the
platform; faster code for newer processors is chosen when the library is loaded (``ext/csrc/clones.h``).

``lookalike/_pixels.abi3.so`` resizes pictures. It knows neither Python nor PyTorch, is opened by ``ctypes``, and so
serves programs that never load PyTorch.
"""

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

operators = CppExtension(
    name="lookalike._operators",
    sources=[f"ext/csrc/{name}.cpp" for name in ("register", "plan", "fuse", "stage_moments", "moments")],
    depends=[f"ext/csrc/{name}.h" for name in ("clones", "lanes", "plan", "fuse", "stage_moments", "moments")],
    extra_compile_args=[*flags, STABLE_ABI, *system_headers],
    py_limited_api=True,
)

pixels = Extension(
    name="lookalike._pixels",
    sources=["ext/csrc/resize.cpp"],
    depends=["ext/csrc/clones.h", "ext/csrc/resize.h"],
    extra_compile_args=flags,
    language="c++",
    py_limited_api=True,
)

setup(
    ext_modules=[operators, pixels],
    cmdclass={"build_ext": BuildExtension},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
