# SPDX-License-Identifier: Apache-2.0
"""Trust: alarms reach people.

Reads the alert journal the sidecar writes. Gives each alarm to a webhook at least once, in order, with an id the receiver can
drop duplicates by; the position moves only after the receiver took it. Must never write the journal, and never lose an alarm
because the receiver is down.
"""

from pretrade.monitoring.delivery import Deliverer, serve

__all__ = ["Deliverer", "serve"]
