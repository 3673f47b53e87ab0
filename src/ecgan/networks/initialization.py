"""First weights."""

from __future__ import annotations

from typing import Literal

from torch import nn

Init = Literal["torch", "normal", "uniform", "he", "glorot"]

SPREAD = 0.02


def initialize(network: nn.Module, init: Init) -> None:
    """Draw all weights of a network anew, in place; biases, normalization and learned codes stay.

    ``torch`` leaves the layers' own initialization. ``normal`` has mean 0 and standard deviation 0.02 (Radford et al.
    2016, arXiv:1511.06434), ``uniform`` the same deviation, ``he`` follows He et al. (2015, arXiv:1502.01852) for
    leaky rectifiers of slope 0.2, ``glorot`` Glorot and Bengio (2010, AISTATS). Recurrent weights are drawn too.
    """
    if init == "torch":
        return
    layers = [module for module in network.modules() if type(module).__module__.startswith("torch.nn.")]
    for parameter in (parameter for layer in layers for parameter in layer.parameters(recurse=False)):
        if parameter.ndim < 2:  # noqa: PLR2004 - biases and scales are vectors
            continue
        if init == "normal":
            nn.init.normal_(parameter, std=SPREAD)
        elif init == "uniform":
            nn.init.uniform_(parameter, -SPREAD * 3**0.5, SPREAD * 3**0.5)
        elif init == "he":
            nn.init.kaiming_normal_(parameter, a=0.2)
        else:
            nn.init.xavier_normal_(parameter)
