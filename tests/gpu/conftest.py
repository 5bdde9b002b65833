"""Tests of what only a GPU can show.

They are skipped where there is none; ``SER_GPU_TESTS=rehearse`` has the CPU take its place, so that
the tests themselves are tried.
"""

import os
from collections.abc import Iterator

import pytest
import torch

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic products


@pytest.fixture(scope="session")
def device() -> torch.device:
    """The GPU, or what stands for it."""
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if os.environ.get("SER_GPU_TESTS") == "rehearse":
        return torch.device("cpu")
    pytest.skip("no GPU; SER_GPU_TESTS=rehearse tries these tests on the CPU")


@pytest.fixture(autouse=True)
def exact_products(device: torch.device) -> Iterator[None]:
    """float32 is float32: no TF32."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.set_float32_matmul_precision(before[0])
    torch.backends.cudnn.allow_tf32 = before[1]
