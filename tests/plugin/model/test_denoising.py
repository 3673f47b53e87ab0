"""The model passes the battery that every model of ecgan passes."""

from __future__ import annotations

import pytest

from ecgan.config import build, compose
from ecgan.testing import check_model


@pytest.mark.parametrize("conditional", [False, True])
def test_battery(conditional: bool) -> None:
    node = compose(["model=denoising", f"model.conditional={conditional}"]).model
    check_model(lambda spec: build(node, spec=spec), lengths=(16, 187), channels=(1, 2))
