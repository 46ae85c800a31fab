# SPDX-License-Identifier: Apache-2.0
"""Audit: the hash chain of the control journal, and verification of every journal that must not be altered.

Reads control actions given by ``limits`` and journal files on disk. Gives durable, chained entries and
:func:`verify`, which names the first bad record of a flipped, deleted, reordered or truncated journal.
Never changes or removes an entry, never keeps a third log, never decides whether an action is allowed.

Standard: SEC rule 17a-4 audit-trail alternative (append-only, no update path); the chain is SHA-256 over the
previous hash and the canonical JSON of the entry.
"""

from pretrade.audit.chain import GENESIS, ControlJournal, Entry
from pretrade.audit.verification import Verification, verify

__all__ = ["GENESIS", "ControlJournal", "Entry", "Verification", "verify"]
