# SPDX-License-Identifier: Apache-2.0
"""Market in: recordings of any format we read become events in receive order.

Reads LOBSTER pairs, DBN files of every schema, raw captures, US equity tapes, the user's own tables, plain or packed, and market
journals. Gives event chunks in constant memory, and counts every fault with file and place. Must never repair silently: a line
that says nothing is a counted fault, a file that ends where it should not is refused. Formats: LOBSTER (Huang, Polak 2011),
Databento Binary Encoding, and the public feeds of Binance, Bitstamp, BitMEX, Coinbase, Kraken, Kraken Futures and Bybit.
"""

from pretrade.feeds.manifest import Manifest
from pretrade.feeds.recording import FORMATS, EventStream, Fault, open
from pretrade.feeds.source import Source

__all__ = ["FORMATS", "EventStream", "Fault", "Manifest", "Source", "open"]
