"""States of all random number generators as tensors and primitives, which load without unpickling anything."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

State = dict[str, Any]


def random_state() -> State:
    """The states of Python's, NumPy's and torch's generators now."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002 - what any library may draw from
    state: State = {
        "python": random.getstate(),
        "numpy": [kind, torch.from_numpy(np.asarray(keys).astype(np.int64)), *rest],
        "torch": torch.get_rng_state(),
    }
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_random_state(state: State) -> None:
    """Go on drawing where ``random_state`` was called; devices that are not there any more are left out."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), *rest))  # noqa: NPY002
    torch.set_rng_state(state["torch"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        kept = state["cuda"][: torch.cuda.device_count()]
        torch.cuda.set_rng_state_all([one.cpu() for one in kept])
