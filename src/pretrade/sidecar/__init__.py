# SPDX-License-Identifier: Apache-2.0
"""Protection, running: the processes that carry market data to limits, and the replay that does the same for a recording.

Reads feeds, journals and tables. Gives the market journal and ``quotes`` (capture), ``limits`` (sidecar), decisions (gateway),
and the story of a recorded day (replay). Must never hold policy of its own: it wires rooms together, passes clocks in, and
dies loudly.
"""

from pretrade.sidecar.pipeline import Pipeline, Step

__all__ = ["Pipeline", "Step"]
