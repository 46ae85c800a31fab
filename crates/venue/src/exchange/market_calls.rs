// SPDX-License-Identifier: Apache-2.0
//! The calls of the engine itself, under the venue's rules: what agents use. Under the profile `off` they cost what the engine costs.
use super::{Engine, Exchange, Handle, Lifetime, Phase, Request, SelfTrade, Side, Sink};
use core::ops::Deref;

/// Whatever only looks at the book.
impl Deref for Exchange {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Exchange {
    /// True where no rule stands between an order and the engine.
    #[inline]
    fn is_bare(&self) -> bool {
        self.phase == Phase::Continuous && !self.is_guarded && self.stops.len() == 0
    }

    /// True where the rules hold a protection or prevent self-trades.
    pub(super) fn has_guards(rules: &super::Rules) -> bool {
        let protects = rules.velocity.is_some() || rules.stop_logic.is_some() || rules.breaker.is_some() || !rules.falls.is_empty();
        protects || rules.price_limit_ticks.is_some() || rules.self_trade != SelfTrade::Allow
    }

    /// As [`Engine::post`].
    pub fn post(&mut self, owner: u32, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> Option<Handle> {
        if self.is_bare() {
            return self.engine.post(owner, side, tick, quantity, sink);
        }
        self.enter(Request { is_post_only: true, ..Request::limit(owner, side, tick, quantity) }, sink).ok()?.handle
    }

    /// As [`Engine::take`], for an owner of its own.
    pub fn take(&mut self, side: Side, tick: i32, quantity: i64, sink: &mut impl Sink) -> i64 {
        if self.is_bare() {
            return self.engine.take(side, tick, quantity, sink);
        }
        // An agent's limit may lie off the ladder: nothing rests there.
        let tick = tick.clamp(self.engine.lowest_tick(), self.engine.highest_tick());
        let request = Request { lifetime: Lifetime::ImmediateOrCancel, ..Request::limit(u32::MAX, side, tick, quantity) };
        self.enter(request, sink).map_or(0, |e| e.filled())
    }
}
