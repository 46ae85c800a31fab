# SPDX-License-Identifier: Apache-2.0
"""Bus: the journal that carries events from capture to the sidecar, and its positions.

Reads and gives arrays of ``EVENT_DTYPE``; a reader may follow the file while it is being written.
Never interprets an event, never blocks its writer, never retries a failed sync.

The rules of the file (write before use, group commit, tail against corruption) stand in ``crates/journal``.
"""

from pretrade.bus.journal import Journal, JournalReader, Position

__all__ = ["Journal", "JournalReader", "Position"]
