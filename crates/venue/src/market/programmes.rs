// SPDX-License-Identifier: Apache-2.0
//! Programmes: benign metaorders, rare large clips, and the seller of the story.
use super::*;

impl Market {
    /// A benign programme: small children, sizes and speeds log-uniform.
    pub(super) fn metaorder(&mut self) {
        let d = &mut self.metaorder_draws;
        let side = d.below(2) as u8;
        let size = d.log_between(self.p.metaorder_size.0, self.p.metaorder_size.1) as u32;
        let rate = d.log_between(self.p.metaorder_rate.0, self.p.metaorder_rate.1);
        let wait = d.wait_ns(self.p.metaorders_per_hour / 3_600.0);
        self.push(self.now + 1, Wake::Child(side, size, (1e9 / rate) as u32));
        self.push(self.now + wait, Wake::Metaorder);
    }

    pub(super) fn child(&mut self, side: u8, left: u32, gap_ns: u32) {
        let size = left.min(2 + self.metaorder_draws.below(5) as u32);
        self.market_order(side_of(side), i64::from(size), 3);
        if left > size {
            let wait = (self.metaorder_draws.exponential() * f64::from(gap_ns)) as i64 + 1;
            self.push(self.now + wait, Wake::Child(side, left - size, gap_ns));
        }
    }

    pub(super) fn clip(&mut self) {
        let side = self.clip_draws.below(2) as u8;
        let size = self.clip_draws.between(self.p.clip_size.0, self.p.clip_size.1) as i64;
        self.market_order(side_of(side), size, 8);
        let wait = self.clip_draws.wait_ns(self.p.clips_per_day / 86_400.0);
        self.push(self.now + wait, Wake::Clip);
    }

    /// The programme: clips at a rising rate, or a share of the last two seconds' volume where that is more.
    ///
    /// This is the one place of the simulator that knows how long ago the seller started.
    pub(super) fn sell(&mut self) {
        let t = (self.now - self.p.seller_start) as f64 / 1e9;
        if t > self.p.seller_ends_s {
            return;
        }
        self.market_order(Side::Ask, self.p.seller_clip, PROTECTION);
        let volume: i64 = self.recent_volume.iter().map(|(_, s)| s).sum();
        let follow = self.p.seller_share * volume as f64 / (2.0 * self.p.seller_clip as f64);
        let rate = (self.p.seller_rate * (1.0 + t / self.p.seller_ramp_s).max(follow)).min(self.p.seller_max_rate);
        let wait = (self.seller_draws.between(0.7, 1.3) / rate * 1e9) as i64 + 1;
        self.push(self.now + wait, Wake::Seller);
    }
}
