# SPDX-License-Identifier: Apache-2.0
"""The way from the venue to the firm: what was sent, and what arrives under a fault."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pretrade import features
from pretrade.domain import EVENT_DTYPE, Config, EventFlag
from pretrade.simulation.market import FEED_LATENCY_NS, SELLER_START_NS
from pretrade.simulation.scenario import FeedFault

_SECOND: Final = 1_000_000_000


class FaultyFeed:
    """Turns what the venue sent into what arrives.

    Parameters
    ----------
    fault
        What goes wrong.
    config
        The configuration.

    Notes
    -----
    A book of its own, fed with everything, is what the venue says again after a gap: as a snapshot behind a record that carries the gap.
    """

    def __init__(self, fault: FeedFault, config: Config) -> None:
        self._fault = fault
        self._from = SELLER_START_NS + int(fault.at_s * _SECOND)
        self._until = self._from + int(fault.length_s * _SECOND)
        self._delay = int(fault.delay_s * _SECOND)
        self.venue = features.engine(config, (config.instrument("ES"),))
        self._held: list[NDArray[Any]] = []
        self._has_lost = False

    def pass_on(self, sent: NDArray[Any], now: int) -> NDArray[Any]:
        """What of the events sent up to ``now``, in order, arrives by ``now``."""
        if self._fault.kind == "gap":
            return self._lose(sent, now)
        self._held.append(sent)
        if self._from <= now < self._until and self._fault.kind == "silent":
            return np.empty(0, EVENT_DTYPE)
        events = np.concatenate(self._held)
        late = events["ts_recv"].astype(np.int64)
        in_fault = (late >= self._from) & (late < self._until)
        arrives = np.where(in_fault, self._until if self._fault.kind == "silent" else late + self._delay, late)
        # Nothing overtakes: what was sent after the fault waits for what is still on its way.
        arrives = np.maximum.accumulate(arrives)
        here = arrives <= now + FEED_LATENCY_NS
        self._held = [events[~here]]
        out = events[here].copy()
        out["ts_recv"] = arrives[here]
        return out

    def _lose(self, sent: NDArray[Any], now: int) -> NDArray[Any]:
        in_gap = (sent["ts_recv"] >= self._from) & (sent["ts_recv"] < self._until)
        self._has_lost |= bool(in_gap.any())
        if not self._has_lost or now < self._until:
            return sent[~in_gap]
        self._has_lost = False
        recap = self.venue.recap()
        if recap is None or len(recap) == 0:
            return sent[~in_gap]
        # The snapshot stands for everything up to now; what was sent between the gap's end and now is in it.
        said = recap.copy()
        said["flags"] = (said["flags"] & ~np.uint16(EventFlag.RECAP)) | np.uint16(EventFlag.SNAPSHOT)
        said["ts_recv"] = now
        first = said[:1].copy()
        first["flags"] |= np.uint16(EventFlag.GAP)
        return np.concatenate([sent[sent["ts_recv"] < self._from], first, said[1:]])
