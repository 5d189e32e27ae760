import pytest
import torch

from suresam.benchmarks.device import Launch, count_gflop
from suresam.segmentation.manifests import load_family


def test_the_share_of_peak_is_the_floor_over_the_time():
    launch = Launch("m", "encode", "float32", False, rows=4, launch_ms=20.0, row_gflop=1000.0,
                    peak_tflops=800.0)  # fmt: skip
    assert launch.floor_ms == pytest.approx(5.0)  # 4 x 10^12 operations at 800 x 10^12 a second
    assert launch.share_of_peak == pytest.approx(0.25)
    assert launch.rows_per_s == pytest.approx(200.0)


def test_the_arithmetic_of_sam_2_1_tiny_is_counted_without_computing():
    """207 GFLOP without attention's products (design); these are, in the three blocks that attend
    to all 64 x 64 cells at width 384, 3 x 4 x 4096^2 x 384 = 77.3 GFLOP, and little elsewhere."""
    tiny = load_family("sam2.1").member("sam2.1_hiera_tiny")
    gflop = count_gflop(tiny.architecture)
    assert 207 + 77.3 < gflop["encode"] < 207 + 77.3 + 10
    assert gflop["decode"] == pytest.approx(3.6, abs=0.1)
    assert torch.get_default_device().type == "cpu"
