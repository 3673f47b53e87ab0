"""How fast every model trains and answers, against what this machine can do at most.

For each model on series of the shape of ECG5000 (1 x 140): series per second of a training step as ``ecgan-train`` does
it (both players of a GAN, optimizers included) and of inference (classify, reconstruct or sample, the first that the
model can do), at two batch sizes, in float32, in bf16 by autocast, and with compiled networks. Beside it the share of
the rate at which this machine multiplies two matrices of 1024 x 1024 in the same precision, measured right before and
after. The medians of many steps are taken, so that short disturbances do not count.

Floating-point operations are those of matrix products and convolutions, forward and backward, counted while a step
runs; a multiplication and an addition are two. What is done per value (normalization, activation, optimizer) counts as
nothing, so a share of 100 % is out of reach.

Usage: ``python benchmarks/models.py [--models beatgan vae] [--seconds 1] [--threads 2] [--no-compile] [--profile]``
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader
from torch.utils.flop_counter import flop_registry

from ecgan import engine
from ecgan.capabilities import Classifies, Reconstructs, Samples
from ecgan.config import build, compose
from ecgan.models.base import Model
from ecgan.networks.layers import Layers
from ecgan.testing.models import series
from ecgan.types import Batch, DataSpec
from ecgan.usage import options

SPEC = DataSpec(140, 1, 5, 140.0, (-1.0, 1.0), (1867, 1131, 61, 124, 15))
BATCHES = (64, 512)
SIDE = 1024
WARM_UP, FEWEST = 3, 3
HALF = "bf16-mixed"
VARIANTS = {"float32": "32-true", "bf16": HALF, "compiled": "32-true"}
LOW = 0.25
"""Share of the matrix multiplication rate below which a convolutional model is marked."""


def lstm_operations(x: Sequence[int], w_input: Sequence[int], w_hidden: Sequence[int]) -> int:
    """Operations of one LSTM layer in one direction, forward: 2 T B 4H (F + H).

    Args:
        x: shape (T, B, F).
        w_input: shape (4H, F).
        w_hidden: shape (4H, H).
    """
    return 2 * x[0] * x[1] * w_input[0] * (w_input[1] + w_hidden[1])


class Operations(TorchDispatchMode):
    """Counts floating-point operations as they are executed.

    Torch's own ``FlopCounterMode`` does the same for all but two things that are needed here: it does not see the LSTM
    of oneDNN, and it refuses a gradient that is differentiated again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0
        layer, backward = torch.ops.aten.mkldnn_rnn_layer, torch.ops.aten.mkldnn_rnn_layer_backward
        self._lstm = {layer: 1, backward: 2}  # gradients of the input and of the weights cost a forward pass each

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func._overloadpacket
        if packet in self._lstm:
            self.total += self._lstm[packet] * lstm_operations(*(tensor.shape for tensor in args[:3]))
        elif packet in flop_registry:
            self.total += flop_registry[packet](*args, **(kwargs or {}), out_val=out)
        return out


class Stopwatch(pl.Callback):
    """Seconds of each training step; ends the training after enough of them."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.steps, self._started = seconds, list[float](), 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        """Stop it."""
        self.steps.append(time.perf_counter() - self._started)
        trainer.should_stop = enough(self.steps, self.seconds)


def enough(steps: Sequence[float], seconds: float) -> bool:
    """Tell whether there are enough steps after the warm-up, and enough seconds of them."""
    return len(steps) >= WARM_UP + FEWEST and sum(steps[WARM_UP:]) >= seconds


def train(model: Model, batch: Batch, precision: str = "32-true", watch: Stopwatch | None = None) -> None:
    """Train on the same batch over and over, until the watch has seen enough; a single step without one."""
    loader: Any = DataLoader([batch] * 10**6, batch_size=None)  # type: ignore[arg-type] # it only needs an index
    with engine.quiet():
        trainer = pl.Trainer(
            max_epochs=1,
            limit_train_batches=1 if watch is None else 1.0,
            limit_val_batches=0,
            accelerator="cpu",
            precision=precision,  # type: ignore[arg-type]
            callbacks=[] if watch is None else [watch],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, loader, loader)


def answer(model: Model) -> tuple[str, Callable[[Batch], Tensor]]:
    """What a model is asked for in inference."""
    if isinstance(model, Classifies):
        return "classify", lambda batch: model.classify(batch.x)
    if isinstance(model, Reconstructs):
        return "reconstruct", lambda batch: model.reconstruct(batch.x)
    assert isinstance(model, Samples)  # noqa: S101 - there is nothing else
    return "sample", lambda batch: model.sample(len(batch.x), None, batch.y)


@torch.no_grad()
def timed(call: Callable[[], Any], seconds: float, half: bool = False) -> float:
    """Median seconds of a call; with half precision as Lightning has it, if asked for."""
    steps: list[float] = []
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        while not enough(steps, seconds):
            started = time.perf_counter()
            call()
            steps.append(time.perf_counter() - started)
    return statistics.median(steps[WARM_UP:])


class Machine:
    """The rate of matrix multiplication, measured again and again."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.rates = seconds, dict[str, list[float]]()

    def rate(self, precision: str) -> float:
        """Operations per second now."""
        dtype = torch.bfloat16 if precision == HALF else torch.float32
        a, b = (torch.randn(SIDE, SIDE).to(dtype) for _ in range(2))
        found = 2 * SIDE**3 / timed(partial(torch.mm, a, b), self.seconds)
        self.rates.setdefault(precision, []).append(found)
        return found


@dataclass
class Line:
    """One line of the table: for each variant series per second and the share of the machine's rate."""

    what: str
    batch: int
    operations: float
    convolutional: bool
    speed: dict[str, float] = field(default_factory=dict)
    share: dict[str, float] = field(default_factory=dict)

    def add(self, variant: str, seconds: float, rate: float) -> None:
        """Add a measured step."""
        self.speed[variant] = self.batch / seconds
        self.share[variant] = self.operations * self.batch / seconds / rate


def made(name: str) -> Model:
    """Build a model with its default settings."""
    torch.manual_seed(0)
    model = build(compose([f"model={name}", "detector=none"]).model, spec=SPEC)
    assert isinstance(model, Model)  # noqa: S101 - as every config's
    return model


def convolutional(model: nn.Module) -> bool:
    """Tell whether a model consists of convolutions and no recurrent layers."""
    kinds = [type(module) for module in model.modules()]
    return not any(issubclass(kind, nn.RNNBase) for kind in kinds) and any(
        issubclass(kind, nn.modules.conv._ConvNd) for kind in kinds
    )


def counted(name: str, batch: Batch) -> tuple[float, float]:
    """Operations per series of a training step and of inference."""
    model = made(name)
    with Operations() as training:
        train(model, batch)
    _, ask = answer(model.eval())
    with torch.no_grad(), Operations() as inference:
        ask(batch)
    return training.total / len(batch.x), inference.total / len(batch.x)


def measure(name: str, size: int, variants: Sequence[str], machine: Machine, seconds: float) -> list[Line]:
    """Both lines of a model at one batch size."""
    batch = series(SPEC, size)
    operations = counted(name, batch)
    model = made(name)
    kinds = ("train", answer(model)[0])
    lines = [Line(kind, size, n, convolutional(model)) for kind, n in zip(kinds, operations, strict=True)]
    for variant in variants:
        model, precision, watch = made(name), VARIANTS[variant], Stopwatch(seconds)
        if variant == "compiled":
            if not any(isinstance(module, Layers) for network in model.compilable() for module in network.modules()):
                continue  # there is nothing in it that would be compiled
            model.compile_networks()
        before = machine.rate(precision)
        train(model, batch, precision, watch)
        between = machine.rate(precision)
        ask = answer(model.eval())[1]
        asked = timed(partial(ask, batch), seconds, precision == HALF)
        after = machine.rate(precision)
        lines[0].add(variant, statistics.median(watch.steps[WARM_UP:]), (before + between) / 2)
        lines[1].add(variant, asked, (between + after) / 2)
        print(f"{name} {size} {variant}: done", file=sys.stderr, flush=True)
    return lines


def head(variants: Sequence[str]) -> str:
    """Head of the table."""
    columns = f"{'model':<18}{'what':<13}{'batch':>5}{'MFLOP/series':>14}"
    for variant in variants:
        columns += f"{variant + '/s':>13}{'' if variant == 'float32' else '  ratio'}{'share':>8}"
    return columns


def row(name: str, line: Line, variants: Sequence[str]) -> str:
    """One line of the table."""
    text = f"{name:<18}{line.what:<13}{line.batch:>5}{line.operations / 1e6:>14.2f}"
    for variant in variants:
        ratio = "" if variant == "float32" else "       "
        if variant not in line.speed:
            text += f"{'-':>13}{ratio}{'-':>8}"
            continue
        if ratio:
            ratio = f"{line.speed[variant] / line.speed['float32']:>7.2f}"
        text += f"{line.speed[variant]:>13,.0f}{ratio}{line.share[variant]:>8.1%}"
    return text + ("  !" if line.convolutional and line.share["float32"] < LOW else "")


def show_profile(name: str, size: int, seconds: float) -> None:
    """Print where the time of training steps in float32 goes."""
    model, batch = made(name), series(SPEC, size)
    train(model, batch)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        train(model, batch, watch=Stopwatch(seconds))
    print(f"{name}, batch {size}")
    print(profiled.key_averages().table(sort_by="self_cpu_time_total", row_limit=15, max_name_column_width=45))


def main() -> None:
    """Print the table, a line as soon as it is known, and the rates that the shares are of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=options("model"))
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement, at least")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--no-compile", action="store_true", help="leave out what needs a C++ compiler and minutes")
    parser.add_argument("--profile", action="store_true", help="print where the time of training goes instead")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.profile:
        for name in given.models:
            show_profile(name, given.batches[0], given.seconds)
        return
    variants = [variant for variant in VARIANTS if variant != "compiled" or not given.no_compile]
    machine = Machine(given.seconds / 4)
    print(f"series of {SPEC.channels} x {SPEC.seq_len}, {given.threads} thread(s), torch {torch.__version__}")
    print(head(variants))
    for name in given.models:
        for size in given.batches:
            for line in measure(name, size, variants, machine, given.seconds):
                print(row(name, line, variants), flush=True)
    for precision, rates in machine.rates.items():
        print(
            f"torch.mm of {SIDE} x {SIDE} in {precision}: median {statistics.median(rates) / 1e9:.1f} GFLOP/s "
            f"({min(rates) / 1e9:.1f} to {max(rates) / 1e9:.1f} in {len(rates)} measurements)"
        )
    print("ratio: to float32; share: of the rate of torch.mm in the same precision, measured right before and after")
    print(f"!: a convolutional model below {LOW:.0%} of that rate in float32")


if __name__ == "__main__":
    main()
