// SPDX-License-Identifier: Apache-2.0
//! Captures as cryptofeed writes them: `<seconds>: <json>` as received, `wss://... <- <seconds>: <json>` as sent by us, which is
//! no message of the market. Which venue a message is of, its form tells.
use super::bitmex::Bitmex;
use super::coinbase::Coinbase;
use super::kraken::Kraken;
use super::kraken_futures::KrakenFutures;
use super::number::fixed;
use super::{Instruments, Sink, Trouble, Venue};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What tells one venue's messages from another's.
#[derive(Deserialize)]
struct Form {
    table: Option<IgnoredAny>,
    product_id: Option<IgnoredAny>,
    feed: Option<IgnoredAny>,
}

/// What the lines of cryptofeed's captures mean.
pub struct Cryptofeed {
    instruments: Instruments,
    bitmex: Bitmex,
    coinbase: Coinbase,
    kraken: Kraken,
    kraken_futures: KrakenFutures,
}

impl Cryptofeed {
    /// Lines about `instruments`.
    #[must_use]
    pub fn new(instruments: Instruments) -> Self {
        Self {
            instruments,
            bitmex: Bitmex::default(),
            coinbase: Coinbase::default(),
            kraken: Kraken::default(),
            kraken_futures: KrakenFutures::default(),
        }
    }
}

impl Venue for Cryptofeed {
    fn split<'a>(&self, line: &'a str) -> Result<Option<(i64, &'a str)>, String> {
        if line.is_empty() || line.starts_with("ws://") || line.starts_with("wss://") {
            return Ok(None);
        }
        let (stamp, message) = line.split_once(": ").ok_or("the line has no stamp before its message")?;
        let ts = seconds(stamp).ok_or_else(|| format!("receive stamp is {stamp:?}; it must be seconds since 1970"))?;
        Ok(Some((ts, message)))
    }

    fn say(&mut self, message: &str, sink: &mut Sink<'_>) -> Result<(), Trouble> {
        if message.starts_with('[') {
            return self.kraken.say(&self.instruments, message, sink);
        }
        let form: Form = serde_json::from_str(message)?;
        match (form.table, form.feed, form.product_id) {
            (Some(_), _, _) => self.bitmex.say(&self.instruments, message, sink),
            (None, Some(_), Some(_)) => self.kraken_futures.say(&self.instruments, message, sink),
            (None, None, Some(_)) => self.coinbase.say(&self.instruments, message, sink),
            // Greetings, answers to subscriptions, heartbeats.
            _ => Ok(()),
        }
    }
}

/// Seconds since 1970 with up to nine decimals.
pub(super) fn seconds(text: &str) -> Option<i64> {
    fixed(text, 9).filter(|ts| *ts > 0 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}
