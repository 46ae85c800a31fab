# SPDX-License-Identifier: Apache-2.0
"""Variational autoencoder of calm rows; trained in JAX, served without it."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from pretrade._native import models as _native
from pretrade.domain.config import Config
from pretrade.domain.errors import MissingExtraError
from pretrade.features import VECTOR
from pretrade.models.anomaly import Anomaly
from pretrade.models.onnx_graph import Graph, vae_graph

if TYPE_CHECKING:
    from collections.abc import Callable

INPUT: Final = len(VECTOR)
LATENT: Final = 8
SIZES: Final = ((INPUT, 64), (64, 32), (32, 2 * LATENT), (LATENT, 32), (32, 64), (64, INPUT))
ROWS: Final = 50_000
BATCH: Final = 256
EPOCHS: Final = 60
PATIENCE: Final = 6
WARM_UP_EPOCHS: Final = 10
BETA: Final = 0.1
LEARNING_RATE: Final = 1e-3
_LEAST: Final = 0.25
_CLIP: Final = 8.0

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]


class VaeAnomaly(Anomaly):
    """Reconstruction error through the latent mean; 32-64-32-8-32-64-32, ReLU, Gaussian output (Kingma, Welling 2014).

    Each residual is divided by its calm 99 % quantile before squaring. Training clips its inputs at 8 scale units so that one
    row cannot rule it; scoring does not, so that extremes keep their order.
    """

    kind: ClassVar[str] = "vae"

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._layers: list[Layer] = []
        self._quantile: NDArray[np.float64] = np.empty(0)
        self._native: _native.Mlp | None = None

    def fit_core(self, z: NDArray[np.float64], seed: int) -> None:
        """Train on at most 50,000 evenly thinned rows, the last fifth of them to stop early.

        Raises
        ------
        MissingExtraError
            If JAX is not installed.
        """
        thin = z[np.linspace(0, len(z) - 1, min(len(z), ROWS)).astype(int)].astype(np.float32)
        cut = max(BATCH, int(len(thin) * 0.8))
        self._layers = train(np.clip(thin[:cut], -_CLIP, _CLIP), np.clip(thin[cut:] if cut < len(thin) else thin, -_CLIP, _CLIP), seed)
        self._native = None
        self._quantile = np.maximum(np.quantile(np.abs(z - self._rebuild(z)), 0.99, axis=0), _LEAST)

    def _rebuild(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Reconstruction through the latent mean."""
        return self.scorer.run(np.ascontiguousarray(z, np.float64).reshape(-1)).reshape(z.shape)

    @property
    def scorer(self) -> _native.Mlp:
        """The native scorer; it adds in one fixed order, so that a row gives the same bits alone and in a batch."""
        if self._native is None:
            self._native = network_of(self._layers)
        return self._native

    def parts(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Squared residuals in units of their calm 99 % quantile."""
        return ((z - self._rebuild(z)) / self._quantile) ** 2

    @property
    def layers(self) -> list[Layer]:
        """Weights ``(in, out)`` and biases in order; the third layer's output is mean and log variance of the latent."""
        return self._layers

    def graph(self) -> Graph:
        """What :meth:`parts` computes, as an ONNX graph; the log variance of the latent, which scoring ignores, is left out."""
        return vae_graph(self._layers, LATENT, self._quantile)

    def core_as_dict(self) -> dict[str, Any]:
        """Layers and quantiles."""
        return {"layers": [[w.tolist(), b.tolist()] for w, b in self._layers], "quantile": self._quantile.tolist()}

    def core_from_dict(self, facts: dict[str, Any]) -> None:
        """Take them over."""
        self._native = None
        self._layers = [(np.array(w, np.float32), np.array(b, np.float32)) for w, b in facts["layers"]]
        self._quantile = np.array(facts["quantile"])


def network_of(layers: list[Layer]) -> _native.Mlp:
    """The native scorer of trained layers; of the third only the mean of the latent is computed."""
    kept = [LATENT if i == 2 else b for i, (_, b) in enumerate(SIZES)]
    return _native.Mlp([(w.reshape(-1), b, w.shape[0], k, i not in (2, 5)) for i, ((w, b), k) in enumerate(zip(layers, kept, strict=True))])


def train(rows: NDArray[np.float32], held: NDArray[np.float32], seed: int) -> list[Layer]:
    """Train with Adam, beta warm-up and early stop on ``held``; the best epoch's weights.

    Raises
    ------
    MissingExtraError
        If JAX or optax is not installed.
    """
    try:
        import jax
        import jax.numpy as jnp
        import optax  # noqa: F401 - absent, the message names the extra
    except ImportError as e:
        raise MissingExtraError("jax", "research") from e
    key = jax.random.key(seed)
    keys = jax.random.split(key, len(SIZES) + 1)
    params = [(jax.random.normal(k, s) * np.sqrt(2.0 / s[0]), jnp.zeros(s[1])) for k, s in zip(keys, SIZES, strict=False)]
    optimiser, epoch = _epoch_of(len(rows))
    data, check = jnp.asarray(rows), jnp.asarray(held)
    return _run_epochs(params, optimiser.init(params), partial(epoch, data, check), keys[-1], jax.random.split)


@lru_cache(maxsize=4)
def _epoch_of(n_rows: int) -> tuple[Any, Callable[..., Any]]:
    """Adam, and one epoch over ``n_rows`` rows; compiled once for all seeds."""
    import jax
    import jax.numpy as jnp
    import optax

    optimiser = optax.adam(LEARNING_RATE)
    n = max(1, n_rows // BATCH)

    def encode(p: Any, x: Any) -> tuple[Any, Any]:  # noqa: ANN401 - JAX trees
        h = jax.nn.relu(jax.nn.relu(x @ p[0][0] + p[0][1]) @ p[1][0] + p[1][1]) @ p[2][0] + p[2][1]
        return h[:, :LATENT], jnp.clip(h[:, LATENT:], -8.0, 8.0)

    def decode(p: Any, latent: Any) -> Any:  # noqa: ANN401 - JAX trees
        return jax.nn.relu(jax.nn.relu(latent @ p[3][0] + p[3][1]) @ p[4][0] + p[4][1]) @ p[5][0] + p[5][1]

    def loss(p: Any, x: Any, noise: Any, beta: Any) -> Any:  # noqa: ANN401 - JAX trees
        mean, log_variance = encode(p, x)
        rebuilt = decode(p, mean + noise * jnp.exp(0.5 * log_variance))
        divergence = 0.5 * jnp.sum(jnp.exp(log_variance) + mean**2 - 1.0 - log_variance, axis=1)
        return jnp.mean(jnp.sum((x - rebuilt) ** 2, axis=1) / 2 + beta * divergence)

    @jax.jit
    def epoch(data: Any, check: Any, p: Any, state: Any, key: Any, beta: Any) -> tuple[Any, Any, Any]:  # noqa: ANN401 - JAX trees
        shuffle, noise_key = jax.random.split(key)
        size = min(BATCH, n_rows)
        batches = jax.random.permutation(shuffle, n_rows)[: n * size].reshape(n, size)

        def step(carry: Any, item: Any) -> tuple[Any, None]:  # noqa: ANN401 - JAX trees
            p, state = carry
            index, k = item
            noise = jax.random.normal(k, (size, LATENT))
            grads = jax.grad(loss)(p, data[index], noise, beta)
            updates, state = optimiser.update(grads, state)
            return (optax.apply_updates(p, updates), state), None

        (p, state), _ = jax.lax.scan(step, (p, state), (batches, jax.random.split(noise_key, n)))
        return p, state, jnp.mean(jnp.sum((check - decode(p, encode(p, check)[0])) ** 2, axis=1))

    return optimiser, epoch


def _run_epochs(params: Any, state: Any, epoch: Callable[..., Any], key: Any, split: Callable[..., Any]) -> list[Layer]:  # noqa: ANN401 - JAX trees
    best, best_loss, worse = params, np.inf, 0
    for i, k in enumerate(split(key, EPOCHS)):
        params, state, held_loss = epoch(params, state, k, BETA * min(1.0, (i + 1) / WARM_UP_EPOCHS))
        if float(held_loss) < best_loss - 1e-4:
            best, best_loss, worse = params, float(held_loss), 0
        else:
            worse += 1
            if worse >= PATIENCE and i >= WARM_UP_EPOCHS:
                break
    return [(np.asarray(w, np.float32), np.asarray(b, np.float32)) for w, b in best]
