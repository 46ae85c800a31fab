# SPDX-License-Identifier: Apache-2.0
"""Understanding, first half: order books into one row of features per instrument and 100 ms.

Reads events in receive order. Gives rows in which every value was known at ``ts_recv``, each with a validity bit, and
the registry that says what each feature is. Must never look ahead, judge or score. One native kernel serves batch and
stream; features follow Cont, Kukanov and Stoikov (2014) and Barndorff-Nielsen and Shephard (2004) where named.
"""

from pretrade.features.engine import FeatureEngine, collect, compute, engine
from pretrade.features.registry import REGISTRY, FeatureCard, feature
from pretrade.features.table import CODE_HASH, NAMES, ROW_DTYPE, VECTOR, Features

__all__ = [
    "CODE_HASH",
    "NAMES",
    "REGISTRY",
    "ROW_DTYPE",
    "VECTOR",
    "FeatureCard",
    "FeatureEngine",
    "Features",
    "collect",
    "compute",
    "engine",
    "feature",
]
