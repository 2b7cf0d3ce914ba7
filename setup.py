"""The one part that is compiled: the scan over codes (`mien.gallery.scan`). Everything else is in pyproject.toml.

It is optional. Where no compiler is found the install goes on without it, and searches run in numpy. One build serves every
Python from 3.11 on (the stable interface), and one build serves every processor of a family: kernels are chosen as it runs.
"""

import os

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel

FOLDER = "src/mien/gallery/scan/native"


class StableWheel(bdist_wheel):
    """Names the wheel for the stable interface when it holds the extension."""

    def finalize_options(self) -> None:
        self.py_limited_api = "cp311"
        super().finalize_options()


setup(
    ext_modules=[
        Extension(
            "mien.gallery.scan._native",
            [f"{FOLDER}/{name}.c" for name in ("module", "driver", "kernels", "exact")],
            depends=[f"{FOLDER}/scan.h"],
            # No fused multiply-adds: bounds are computed one rounding at a time, the same everywhere. Never fast-math.
            extra_compile_args=[] if os.name == "nt" else ["-O3", "-g0", "-std=c11", "-ffp-contract=off"],
            py_limited_api=True,
            optional=True,
        )
    ],
    cmdclass={"bdist_wheel": StableWheel},
)
