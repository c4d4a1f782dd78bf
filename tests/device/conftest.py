from collections.abc import Iterator

import pytest
import torch

from fernn.training.device import prepare

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request) -> Iterator[torch.device]:
    """Each device that is here, as a training prepares it, in IEEE float32: without TF32."""
    switches = (torch.backends.cudnn, "allow_tf32"), (torch.backends.cuda.matmul, "allow_tf32")
    before = [getattr(*switch) for switch in switches], torch.backends.cudnn.deterministic
    prepare(torch.device(request.param), threads=0, precision="float32", transformed=True)
    yield torch.device(request.param)
    for switch, value in zip(switches, before[0], strict=True):
        setattr(*switch, value)
    torch.backends.cudnn.deterministic = before[1]
