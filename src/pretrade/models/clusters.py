# SPDX-License-Identifier: Apache-2.0
"""Kinds of anomalous liquidity and of unusual trading: stretches of rows far from calm, put into groups a reader can name.

A view is a set of features. A stretch is anomalous where the mean square of its normalised features stands above what calm rows
reach; its profile is their mean over the five seconds, of its first thirty, that are farthest from calm. Profiles are grouped by k-means
(Lloyd 1982; Arthur, Vassilvitskii 2007); a group that does not come back when the data is halved is not trusted. What lies far from every
group is told as unlike any.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import ModelError
from pretrade.features import VECTOR
from pretrade.models.score_map import cluster_starts

VIEWS: Final[dict[str, tuple[str, ...]]] = {
    "liquidity": (
        "spread_bps",
        "spread_ticks",
        "imbalance_l10",
        "book_pressure",
        "depth_rel_bid",
        "depth_rel_ask",
        "resilience_1s_bid",
        "resilience_1s_ask",
        "recovery_half_life_s",
    ),
    "trading": (
        "ofi_1s",
        "ofi_10s",
        "trade_flow_1s",
        "trade_flow_10s",
        "trade_to_order",
        "cancel_rate",
        "quote_rate_1s",
        "burst_ratio",
        "imbalance_l1",
        "imbalance_l5",
    ),
}
WORDS: Final[dict[str, tuple[str, str]]] = {
    "spread_bps": ("wide spread", "tight spread"),
    "spread_ticks": ("wide spread", "tight spread"),
    "imbalance_l10": ("asks thin", "bids thin"),
    "book_pressure": ("asks thin near the touch", "bids thin near the touch"),
    "depth_rel_bid": ("bids deep", "bids gone"),
    "depth_rel_ask": ("asks deep", "asks gone"),
    "resilience_1s_bid": ("bids refill fast", "bids do not refill"),
    "resilience_1s_ask": ("asks refill fast", "asks do not refill"),
    "recovery_half_life_s": ("slow recovery", "fast recovery"),
    "ofi_1s": ("order flow buys", "order flow sells"),
    "ofi_10s": ("order flow buys for 10 s", "order flow sells for 10 s"),
    "trade_flow_1s": ("buyers cross", "sellers cross"),
    "trade_flow_10s": ("buyers cross for 10 s", "sellers cross for 10 s"),
    "trade_to_order": ("many trades per order", "few trades per order"),
    "cancel_rate": ("orders withdrawn", "orders left standing"),
    "quote_rate_1s": ("quotes flicker", "quotes stand still"),
    "burst_ratio": ("bursts", "no bursts"),
    "imbalance_l1": ("touch leans to bids", "touch leans to asks"),
    "imbalance_l5": ("book leans to bids", "book leans to asks"),
}
"""What a feature far above and far below its calm median is called."""
UNLIKE: Final = -1
PROFILE_ROWS: Final = 50
LOOK_ROWS: Final = 300
GAP_S: Final = 30.0
CALM_SHARE: Final = 0.999
STARTS: Final = 8
ROUNDS: Final = 50
NAMED_FROM: Final = 1.0
_CLIP: Final = 10.0

_Floats = NDArray[np.float64]


def stretches(far: NDArray[np.bool_], ts_recv: NDArray[np.int64], gap_s: float = GAP_S) -> list[tuple[int, int]]:
    """First and last place of each stretch of far rows of one instrument, those within ``gap_s`` of each other as one."""
    at = np.flatnonzero(far)
    if len(at) == 0:
        return []
    starts = cluster_starts(ts_recv[at], gap_s)
    ends = np.r_[starts[1:], len(at)] - 1
    return [(int(at[a]), int(at[b])) for a, b in zip(starts, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class View:
    """Features looked at together, and how far from calm a row must lie to be anomalous.

    Parameters
    ----------
    name
        ``liquidity`` or ``trading``.
    limit
        Mean square of the normalised features that calm rows exceed once in a thousand.
    """

    name: str
    limit: float

    @classmethod
    def fit(cls, name: str, z: _Floats) -> View:
        """Set the limit on calm normalised rows ``(n, 32)``.

        Raises
        ------
        ModelError
            If there is no such view.
        """
        if name not in VIEWS:
            raise ModelError(f"view is {name!r}; known are {', '.join(VIEWS)}")
        return cls(name, float(np.quantile(_distance(z, name), CALM_SHARE)))

    def profiles(self, z: _Floats, ts_recv: NDArray[np.int64]) -> tuple[_Floats, list[tuple[int, int]]]:
        """Profile of each anomalous stretch of one instrument's rows ``(m, k)``, and where it lies; known thirty seconds after it began."""
        distance = _distance(z, self.name)
        found = stretches(distance > self.limit, ts_recv)
        own = np.clip(z[:, _places(self.name)], -_CLIP, _CLIP)
        rows = []
        for a, _ in found:
            sums = np.cumsum(np.r_[0.0, distance[a : a + LOOK_ROWS]])
            width = min(PROFILE_ROWS, len(sums) - 1)
            at = a + int((sums[width:] - sums[:-width]).argmax())
            rows.append(own[at : at + width].mean(axis=0))
        return np.array(rows).reshape(len(rows), len(VIEWS[self.name])), found


def _places(name: str) -> list[int]:
    return [VECTOR.index(feature) for feature in VIEWS[name]]


def _distance(z: _Floats, name: str) -> _Floats:
    mean: _Floats = (np.clip(z[:, _places(name)], -_CLIP, _CLIP) ** 2).mean(axis=1)
    return mean


@dataclass(frozen=True, slots=True)
class Clusters:
    """Groups of profiles of one view, the largest first.

    Parameters
    ----------
    view
        What was looked at.
    centre
        Mean profile of each group, ``(k, features)``.
    radius
        Distance within which 99 % of a group's own profiles lie, ``(k,)``.
    size
        Profiles of each group when fitted.
    stability
        Adjusted Rand index between groups fitted on two halves of the profiles.
    """

    view: View
    centre: _Floats
    radius: _Floats
    size: tuple[int, ...]
    stability: float

    def __len__(self) -> int:
        return len(self.centre)

    @classmethod
    def fit(cls, view: View, profiles: _Floats, k: int, *, seed: int = 0) -> Clusters:
        """Group profiles into ``k``.

        Raises
        ------
        ModelError
            If there are fewer than two profiles a group.
        """
        if len(profiles) < 2 * k:
            raise ModelError(f"{len(profiles)} profiles are too few for {k} groups; at least {2 * k} are needed")
        centre, label = _lloyd(profiles, k, seed)
        order = np.argsort(-np.bincount(label, minlength=k), kind="stable")
        centre = centre[order]
        label, distance = _nearest(profiles, centre)
        radius = np.array([np.quantile(distance[label == j], 0.99) if (label == j).any() else 0.0 for j in range(k)])
        mixed = np.random.Generator(np.random.PCG64(seed)).permutation(len(profiles))
        halves = [_lloyd(profiles[part], k, seed)[0] for part in (mixed[::2], mixed[1::2])] if len(profiles) >= 4 * k else []
        stability = adjusted_rand(*(_nearest(profiles, half)[0] for half in halves)) if halves else float("nan")
        return cls(view, centre, radius, tuple(int(n) for n in np.bincount(label, minlength=k)), stability)

    def assign(self, profiles: _Floats) -> NDArray[np.int64]:
        """Group of each profile; :data:`UNLIKE` where it lies half as far again as the group's own."""
        label, distance = _nearest(profiles, self.centre)
        return np.where(distance <= 1.5 * self.radius[label], label, UNLIKE)

    def card(self, k: int) -> dict[str, Any]:
        """What a reader sees of a group: its name, what is far from calm and how far, how many there were."""
        named = sorted(zip(VIEWS[self.view.name], self.centre[k].tolist(), strict=True), key=lambda f: -abs(f[1]))
        words = list(dict.fromkeys(WORDS[name][value < 0] for name, value in named if abs(value) >= NAMED_FROM))
        return {
            "group": k,
            "name": ", ".join(words[:3]) or f"hardly {WORDS[named[0][0]][named[0][1] < 0]}",
            "features": {name: round(value, 2) for name, value in named[:5]},
            "stretches": self.size[k],
            "radius": round(float(self.radius[k]), 2),
        }

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "view": self.view.name,
            "features": list(VIEWS[self.view.name]),
            "limit": self.view.limit,
            "centre": self.centre.tolist(),
            "radius": self.radius.tolist(),
            "size": list(self.size),
            "stability": None if np.isnan(self.stability) else self.stability,
        }

    @classmethod
    def from_dict(cls, facts: dict[str, Any]) -> Clusters:
        """Rebuild.

        Raises
        ------
        ModelError
            If the view has other features in this version.
        """
        name = facts["view"]
        if tuple(facts["features"]) != VIEWS.get(name):
            raise ModelError(f"the groups were fitted on other features of view {name!r} than this version reads; fit them again")
        stability = float("nan") if facts["stability"] is None else float(facts["stability"])
        return cls(View(name, facts["limit"]), np.array(facts["centre"]), np.array(facts["radius"]), tuple(facts["size"]), stability)


def load(folder: Path) -> list[Clusters]:
    """Read saved groups, one set a view.

    Raises
    ------
    ModelError
        If the folder holds none.
    """
    try:
        return [Clusters.from_dict(facts) for facts in json.loads((folder / "model.json").read_text(encoding="utf-8"))["views"]]
    except (OSError, KeyError, ValueError, TypeError) as e:
        raise ModelError(f"{folder} is no folder of clusters: {e!r}") from e


def choose(view: View, profiles: _Floats, numbers: Sequence[int] = range(2, 9), *, seed: int = 0) -> tuple[Clusters, dict[int, dict[str, float]]]:
    """The number of groups with the highest silhouette times stability, and both of each number."""
    fitted = {k: Clusters.fit(view, profiles, k, seed=seed) for k in numbers if len(profiles) >= 4 * k}
    if not fitted:
        raise ModelError(f"{len(profiles)} profiles are too few to choose a number of groups from; at least {4 * min(numbers)} are needed")
    told = {k: {"silhouette": silhouette(profiles, _nearest(profiles, c.centre)[0]), "stability": c.stability} for k, c in fitted.items()}
    return fitted[max(told, key=lambda k: told[k]["silhouette"] * max(told[k]["stability"], 0.0))], told


def _lloyd(x: _Floats, k: int, seed: int) -> tuple[_Floats, NDArray[np.int64]]:
    """Best of several k-means runs."""
    rng = np.random.Generator(np.random.PCG64([seed, k]))
    best: tuple[float, _Floats, NDArray[np.int64]] | None = None
    for _ in range(STARTS):
        centre = x[[int(rng.integers(len(x)))]]
        while len(centre) < k:
            far = _nearest(x, centre)[1] ** 2
            share = far / far.sum() if far.sum() > 0 else None
            centre = np.concatenate([centre, x[[int(rng.choice(len(x), p=share))]]])
        label = _nearest(x, centre)[0]
        for _ in range(ROUNDS):
            centre = np.array([x[label == j].mean(axis=0) if (label == j).any() else centre[j] for j in range(k)])
            again = _nearest(x, centre)[0]
            if (again == label).all():
                break
            label = again
        cost = float((_nearest(x, centre)[1] ** 2).sum())
        if best is None or cost < best[0]:
            best = cost, centre, label
    assert best is not None
    return best[1], best[2]


def _nearest(x: _Floats, centre: _Floats) -> tuple[NDArray[np.int64], _Floats]:
    distance = np.sqrt(((x[:, None, :] - centre) ** 2).sum(axis=2))
    label = distance.argmin(axis=1)
    return label.astype(np.int64), distance[np.arange(len(x)), label]


def silhouette(x: _Floats, label: NDArray[np.int64]) -> float:
    """Mean of (b - a) / max(a, b), a the mean distance to one's own group, b to the nearest other (Rousseeuw 1987)."""
    distance = np.sqrt(((x[:, None, :] - x) ** 2).sum(axis=2))
    groups = np.unique(label)
    values = []
    for i in range(len(x)):
        own = (label == label[i]).sum() - 1
        if own == 0:
            values.append(0.0)
            continue
        a = float(distance[i, label == label[i]].sum()) / own
        b = min(float(distance[i, label == g].mean()) for g in groups if g != label[i])
        values.append((b - a) / max(a, b, 1e-12))
    return float(np.mean(values))


def adjusted_rand(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Agreement of two groupings, 1 the same, about 0 by chance (Hubert, Arabie 1985).

    Examples
    --------
    >>> adjusted_rand(np.array([0, 0, 1, 1]), np.array([5, 5, 2, 2]))
    1.0
    """
    table = np.zeros((len(np.unique(a)), len(np.unique(b))))
    np.add.at(table, (np.unique(a, return_inverse=True)[1], np.unique(b, return_inverse=True)[1]), 1)

    def pairs(counts: _Floats) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, rows, columns = pairs(table), pairs(table.sum(axis=1)), pairs(table.sum(axis=0))
    expected = rows * columns / max(len(a) * (len(a) - 1) / 2, 1e-12)
    most = (rows + columns) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)
