# SPDX-License-Identifier: Apache-2.0
from pretrade._native import audit as audit
from pretrade._native import bench as bench
from pretrade._native import bus as bus
from pretrade._native import domain as domain
from pretrade._native import features as features
from pretrade._native import feeds as feeds
from pretrade._native import gateway as gateway
from pretrade._native import limits as limits
from pretrade._native import models as models
from pretrade._native import simulation as simulation

__version__: str

__all__ = ["__version__", "audit", "bench", "bus", "domain", "features", "feeds", "gateway", "limits", "models", "simulation"]
