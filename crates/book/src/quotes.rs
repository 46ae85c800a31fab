// SPDX-License-Identifier: Apache-2.0
//! The quotes record of an instrument as its book stands.
use crate::book::Levels;
use crate::instrument::Instrument;
use pretrade_records::QuotesRecord;
use pretrade_records::units::UNDEFINED_PRICE;

/// Rows of the ten-second and five-minute windows.
const W_10S: usize = 100;
const W_5M: usize = 3_000;

impl Instrument {
    /// The quotes record at `ts`; monotonic stamps and channel are the caller's.
    #[must_use]
    pub fn quotes(&mut self, ts: i64) -> QuotesRecord {
        let phase = self.phase(ts);
        let (bid, ask) = self.touches;
        let price = |side: Option<(i64, i64)>| side.map_or(UNDEFINED_PRICE, |s| s.0);
        let half = |twice: Option<i64>| twice.map_or(UNDEFINED_PRICE, |m| m.div_euclid(2));
        let range = self.returns.range();
        QuotesRecord {
            instrument_id: self.spec.instrument_id,
            phase: phase as u8,
            feed_state: self.feed_state(ts, phase),
            bid_price: price(bid),
            ask_price: price(ask),
            bid_size: bid.map_or(0, |b| b.1),
            ask_size: ask.map_or(0, |a| a.1),
            last_price: self.last_price,
            slow_reference: half(self.returns.slow_reference().or(self.twice_mid())),
            mid_10s: half(self.returns.twice_mid_ago(W_10S)),
            mid_5m: half(self.returns.twice_mid_ago(W_5M)),
            depth_bid: self.within_window(self.book.bids()),
            depth_ask: self.within_window(self.book.asks()),
            volume_1m: self.volume.sum + self.open_volume,
            adv: self.spec.adv,
            ts_event: self.ts_book_event,
            ts_recv: self.ts_book,
            velocity_low: half(range.map(|r| r.0)),
            velocity_high: half(range.map(|r| r.1)),
            ts_last: self.ts_last,
            nbbo_bid: UNDEFINED_PRICE,
            nbbo_ask: UNDEFINED_PRICE,
            rv_1m: self.returns.rv(2, None).map_or(f32::NAN, |v| v as f32),
            ..QuotesRecord::default()
        }
    }

    fn within_window(&self, levels: &Levels) -> i64 {
        let window = self.snapshot.depth_window_ticks * self.spec.tick_size;
        levels.best().map_or(0, |(best, _)| levels.iter().take_while(|(p, _)| (p - best).abs() < window).map(|l| l.1).sum())
    }
}
