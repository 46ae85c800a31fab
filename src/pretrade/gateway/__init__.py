# SPDX-License-Identifier: Apache-2.0
"""Protection, second half: order -> checks -> ACCEPT, HOLD or REJECT.

Reads the ``limits``, ``quotes`` and ``controls`` tables; gives decisions with a closed reason, the value measured and the
limit it missed, and writes its own ``gate`` table and journal. Must never reach a model library, change an order, skip a
check for want of an input, or use a limit looser than what humans signed.
Standards: RTS 6 (Commission Delegated Regulation (EU) 2017/589) art. 12, 15, 17; SEC rule 15c3-5; FIX tag 103.
"""

from pretrade.gateway.doubt import DoubtList
from pretrade.gateway.gate import Decision, Gate
from pretrade.gateway.holds import HoldDesk, outcome, waiting
from pretrade.gateway.replay import Replay, decision_as_dict, journalled, replay

__all__ = ["Decision", "DoubtList", "Gate", "HoldDesk", "Replay", "decision_as_dict", "journalled", "outcome", "replay", "waiting"]
