"""GPUs that are planned for and whose speed is known. Imports no torch."""

from typing import NamedTuple

from corpus.errors import UserError


class GPU(NamedTuple):
    """One kind of GPU.

    Attributes:
        name: as `corpus plan --gpu` takes it.
        device: a part of the name that PyTorch gives it.
        peak_flops: dense bfloat16 FLOP/s, from NVIDIA's data sheet.
        memory: bytes that PyTorch reports as its total memory; a little less than the data sheet's.
        watts: thermal design power, from the data sheet.
    """

    name: str
    device: str
    peak_flops: float
    memory: int
    watts: int


def _gpu(name: str, device: str, teraflops: float, gib: float, watts: int) -> GPU:
    return GPU(name, device, teraflops * 1e12, int(gib * 2**30), watts)


GPUS = (
    _gpu("B200", "B200", 2250, 178, 1000),
    _gpu("H200", "H200", 989, 139, 700),
    _gpu("H100-NVL", "H100 NVL", 835, 93, 400),
    _gpu("H100-PCIe", "H100 PCIe", 756, 79, 350),
    _gpu("H100", "H100", 989, 79, 700),
    _gpu("L40S", "L40S", 362, 44, 350),
    _gpu("A100-80GB", "A100", 312, 79, 400),
    _gpu("A100-40GB", "A100", 312, 39, 400),
)
"""The first whose `device` is in a device's name is it (both A100 have one peak)."""


def find(name: str) -> GPU:
    """The GPU of this name, in capitals or not.

    Raises:
        UserError: it is not in the table.
    """
    for gpu in GPUS:
        if gpu.name.lower() == name.lower():
            return gpu
    raise UserError(f"--gpu {name} is unknown: known are {', '.join(gpu.name for gpu in GPUS)}")


def peak_flops(device_name: str) -> float | None:
    """Peak dense bfloat16 FLOP/s of a GPU by the name PyTorch gives it; None when it is not in the table."""
    return next((gpu.peak_flops for gpu in GPUS if gpu.device in device_name), None)
