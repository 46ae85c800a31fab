# SPDX-License-Identifier: Apache-2.0
from typing import final

import numpy as np
from numpy.typing import NDArray

@final
class Mlp:
    def __new__(cls, layers: list[tuple[NDArray[np.float32], NDArray[np.float32], int, int, bool]]) -> Mlp: ...
    def run(self, rows: NDArray[np.float64]) -> NDArray[np.float64]: ...
    def time(self, rows: NDArray[np.float64], rounds: int) -> float: ...

@final
class Pca:
    def __new__(cls, mean: NDArray[np.float64], basis: NDArray[np.float64]) -> Pca: ...
    def residual(self, rows: NDArray[np.float64]) -> NDArray[np.float64]: ...

__all__ = ["Mlp", "Pca"]
