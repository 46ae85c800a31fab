# SPDX-License-Identifier: Apache-2.0
"""A feature of your own: a function over columns, one file, no compiler."""

import numpy as np

import pretrade as pt


@pt.features.feature(
    name="thin_side_drop",
    formula="change over 5 s of the smaller of the two depth ratios",
    unit="1",
    range="(-inf, inf)",
    stress="-",
)
def thin_side_drop(rows):
    """How fast the thinner side of the book is going."""
    thin = np.minimum(rows.column("depth_ratio_bid"), rows.column("depth_ratio_ask"))
    drop = np.full(len(thin), np.nan)
    drop[50:] = thin[50:] - thin[:-50]  # 50 rows of 100 ms: known at the row, never later
    return drop


day = pt.simulation.flash_crash(seed=7)
rows = thin_side_drop(pt.features.compute(day.events))
print("findings:", pt.conformance.check_feature(thin_side_drop, rows))
at = int(np.nanargmin(rows.column("thin_side_drop")))
print(f"steepest fall of depth {(int(rows.ts_recv[at]) - day.ts_seller_start) / 1e9:+.1f} s after the seller starts")
