import numpy as np
import pytest
import torch

from fernn.data.mnist import Mnist, load_mnist
from fernn.datasets.digits import digit_pools


@pytest.fixture(scope="module")
def mnist(root) -> Mnist:
    return load_mnist(root / "resources" / "mnist-subset")


def made_mnist(count: int) -> Mnist:
    """Digits that carry their number in their first two pixels."""
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.arange(count) // 256, np.arange(count) % 256
    labels = np.zeros(count, dtype=np.uint8)
    return Mnist(images, labels, images[:7], labels[:7])


def numbers(pool: torch.Tensor) -> list[int]:
    return (pool[:, 0, 0].int() * 256 + pool[:, 0, 1].int()).tolist()


def test_split_is_a_partition():
    pools = digit_pools(made_mnist(1000), 28, 0.1, seed=42)
    train, validation = numbers(pools["train"]), numbers(pools["validation"])
    assert len(validation) == 100
    assert sorted(train + validation) == list(range(1000))
    assert numbers(pools["test"]) == list(range(7))


def test_split_depends_on_the_seed_alone():
    one, two, other = (numbers(digit_pools(made_mnist(500), 28, 0.1, seed)["validation"]) for seed in (1, 1, 2))
    assert one == two != other
    assert abs(np.mean(one) - 250) < 4 * 144 / np.sqrt(50)  # from anywhere, not from one end


@pytest.mark.parametrize("size", [28, 14, 7])
def test_smaller_digits_are_area_averages(mnist, size):
    digits = digit_pools(mnist, size, 0.1, seed=42)["test"]
    area = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(mnist.test_images).double(), size)
    assert digits.dtype == torch.uint8
    assert digits.shape == (len(mnist.test_images), size, size)
    assert (digits.double() - area).abs().max() <= 0.5
