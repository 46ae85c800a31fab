# SPDX-License-Identifier: Apache-2.0
"""Proof: the simulated exchange, its days and stories, through the real sidecar and gateway.

Reads parameters and a seed. Gives the events a venue would publish, the orders put to the gate, and the truth, which never
enters the feature path. Must never read a clock below the process mode, and never paint a price: the crash emerges from
inventory limits, withdrawal and stops (Kirilenko, Kyle, Samadi, Tuzun 2017; Paddrik et al. 2012).
"""

from pretrade.simulation.market import Day, MarketParameters, Simulator, calm, flash_crash, parameters

__all__ = ["Day", "MarketParameters", "Simulator", "calm", "flash_crash", "parameters"]
