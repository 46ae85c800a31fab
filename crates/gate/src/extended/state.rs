// SPDX-License-Identifier: Apache-2.0
//! How accepted messages and the venue's answers move the extended state.
use crate::checks::Context;
use crate::checks::extended::Scope;
use crate::decide::At;
use crate::extended::book::{money, narrow, value};
use crate::extended::counts::Counts;
use crate::extended::{Current, Extended, Involved};
use crate::gate::Gate;
use crate::journal::Transition;
use crate::options::SelfMatch;
use crate::orders::{LiveOrder, state};
use crate::rate::Bucket;
use crate::state::Ledger;
use crate::venue::{VenueKind, VenueMessage};
use pretrade_records::units::{PPM, UNDEFINED_PRICE};
use pretrade_records::{Action, LevelLimit, Order, OrderType, Side};
use pretrade_shm::{ControlsRecord, ControlsTable, Level, ReadOutcome};

impl Gate {
    /// Reads every row's level limits, and the rows above accounts. Cold: only when the generation word moved.
    #[cold]
    #[inline(never)]
    pub(crate) fn read_parties(&mut self, share: &dyn Fn(Level) -> u32) -> bool {
        let mut is_whole = true;
        let mut released = Vec::new();
        for party in &mut self.extended.parties {
            let Some(slot) = party.slot else { continue };
            let mut row = ControlsRecord::default();
            let is_read = self.controls.read(slot, &mut row) == ReadOutcome::Fresh && ControlsTable::is_intact(&row);
            is_whole &= is_read;
            if !is_read {
                party.close();
                continue;
            }
            party.configure(&row, share(party.level).min(PPM));
            let parent = party.configured(LevelLimit::ParentId).unwrap_or(0) as u32;
            match party.level {
                Level::Trader => set_parent(&mut self.extended.traders, party.id, parent),
                Level::Venue => set_parent(&mut self.extended.sessions, party.id, parent),
                _ => {}
            }
            if party.release() {
                released.push((party.level, party.id));
            }
        }
        for (tier, level) in
            [(&mut self.extended.traders, Level::Trader), (&mut self.extended.desks, Level::Desk), (&mut self.extended.sessions, Level::Venue)]
        {
            // Where one of a level has a row, an unlisted one is not authorised.
            tier.ledgers[0].flags = if tier.ledgers.len() > 1 && level == Level::Venue { 0 } else { crate::state::flag::ENABLED };
            for ledger in &mut tier.ledgers[1..] {
                is_whole &= crate::refresh::read_ledger(&self.controls, ledger, level, share(level));
            }
        }
        for (level, id) in released {
            self.record_transition(Transition::latch(level, id, 0, 0, 0), self.extended.now_mono, self.extended.now_utc);
        }
        let x = &mut self.extended;
        x.has_losses = x.parties.iter().any(super::party::Party::has_loss_limit);
        x.has_margin = x.parties.iter().any(|p| p.level == Level::Account && p.configured(LevelLimit::Margin).is_some());
        let is_configured = x.parties.iter().any(|p| p.mask != 0 || p.is_short_bounded || p.bounds_position())
            || x.self_match != SelfMatch::Off
            || x.has_tiers()
            || self.annex.binds_orders()
            || x.drop_copy.is_on()
            || x.clock.is_on();
        if is_configured && !x.is_on {
            x.make_room();
            x.is_on = true;
            self.recount();
        }
        if self.extended.has_margin {
            (0..self.cold.len()).for_each(|at| self.recount_margin(at));
        }
        is_whole
    }

    /// What works and is held now, counted anew: for controls that come into force while orders live.
    fn recount(&mut self) {
        let live: Vec<LiveOrder> = self.orders.iter().copied().filter(|o| o.state != state::HELD).collect();
        for order in live {
            let involved = self.involved_of(&order);
            self.move_value(involved, order.side, self.working_value(&order));
            self.move_quantity(involved, order.instrument as usize, order.side, order.counted);
            self.extended.own.add(self.own_place(&order), order.side, order.price);
        }
        for at in 0..self.cold.len() {
            for account in 0..self.accounts.len() {
                let position = self.cells[self.cell_at(at, account)].position;
                let price = self.mid(at);
                let involved = self.extended.involved(at, account, 0, super::Above::default());
                if position != 0 {
                    self.move_books(involved, at, position, price);
                }
            }
        }
    }

    pub(crate) fn mid(&self, at: usize) -> Option<i64> {
        let quotes = self.cold[at].good_quotes?;
        (quotes.bid_price != UNDEFINED_PRICE && quotes.ask_price != UNDEFINED_PRICE).then(|| (quotes.bid_price + quotes.ask_price) / 2)
    }

    pub(crate) fn involved_of(&self, order: &LiveOrder) -> Involved {
        let above = self.extended.above(order.session_id);
        self.extended.involved(order.instrument as usize, usize::from(order.account), usize::from(order.strategy), above)
    }

    /// Where control 30 looks for orders of the same owner.
    fn own_place(&self, order: &LiveOrder) -> usize {
        let account = if self.extended.self_match == SelfMatch::Account { usize::from(order.account) } else { 0 };
        order.instrument as usize * self.accounts.len() + account
    }

    /// Value of what an order still works; while a replace is pending the larger leaves at the worse price (4.4).
    pub(crate) fn working_value(&self, order: &LiveOrder) -> i128 {
        let i = &self.instruments[order.instrument as usize];
        let alias = (order.state == state::PENDING_REPLACE).then(|| self.orders.get(order.other_id, order.session_id)).flatten();
        let price =
            alias.map_or(order.price, |alias| if alias.price.unsigned_abs() > order.price.unsigned_abs() { alias.price } else { order.price });
        value(i, order.counted, price).unwrap_or(0)
    }

    /// Works out what the extended controls look at. Before the message is judged; changes no count.
    pub(crate) fn prepare_extended(&mut self, order: &Order, at: &At, now_mono: i64, now_utc: i64) {
        self.extended.observe(now_mono, now_utc);
        let implied = self.implied(order, at.instrument);
        let above = self.extended.above(order.session_id);
        let involved = self.extended.involved(at.instrument, at.account, at.strategy, above);
        let old =
            if order.action == Action::Replace as u8 { self.orders.get(order.original_client_order_id, order.session_id).copied() } else { None };
        let old_value = old.map_or(0, |old| self.working_value(&old));
        let mut current = Current { involved, above, implied, old_value, ..Current::default() };
        if self.extended.self_match != SelfMatch::Off {
            let probe = LiveOrder { instrument: at.instrument as u32, account: at.account as u16, ..LiveOrder::default() };
            let (place, is_account) = (self.own_place(&probe), self.extended.self_match == SelfMatch::Account);
            let is_here = |o: &LiveOrder| o.instrument == probe.instrument && (!is_account || o.account == probe.account);
            let found = self.extended.own.match_of(place, order.side, implied, &self.orders, is_here);
            (current.is_self_match, current.own_price) = (found.is_some(), found.unwrap_or(0));
        }
        let x = &mut self.extended;
        for place in involved.iter() {
            let party = &mut x.parties[place];
            party.window.advance(now_mono, party.window_ns);
        }
        x.current = current;
    }

    /// Own price, or of a market order the opposite touch moved by the slippage allowance.
    fn implied(&self, order: &Order, at: usize) -> i64 {
        if order.order_type != OrderType::Market as u8 {
            return order.price;
        }
        let i = &self.instruments[at];
        let slippage = i64::from(self.options.market_slippage_ticks).saturating_mul(i.tick_size);
        if order.side == Side::BUY as u8 {
            i.bounds.buy.opposite_touch.saturating_add(slippage)
        } else {
            i.bounds.sell.opposite_touch.saturating_sub(slippage)
        }
    }

    /// What the extended checks look at beside the context.
    pub(crate) fn scope<'a>(&'a self, c: &Context<'_>, at: &At) -> Scope<'a> {
        let margin = if self.extended.has_margin {
            let before = self.margin_of(at.instrument, at.account, 0, c.request.is_buy);
            before.zip(self.margin_of(at.instrument, at.account, c.request.added, c.request.is_buy))
        } else {
            None
        };
        let mut scope = Scope::of(c, &self.extended, margin, &self.cold[at.instrument].in_force, at.cell);
        if !(self.annex.buckets.is_empty() && self.annex.checks.is_empty() || c.request.is_reduction()) {
            scope.buckets = self.check_buckets(c, at);
            scope.user = self.check_user(c, &scope, at);
        }
        scope
    }

    /// What a folded order was valued at, from what its decision read.
    pub(crate) fn prepare_folded(&mut self, order: &Order, at: &At, bid: i64, ask: i64, now_mono: i64, now_utc: i64) {
        self.prepare_extended(order, at, now_mono, now_utc);
        if order.order_type == OrderType::Market as u8 {
            let slippage = i64::from(self.options.market_slippage_ticks).saturating_mul(self.instruments[at.instrument].tick_size);
            let is_buy = order.side == Side::BUY as u8;
            self.extended.current.implied = if is_buy { ask.saturating_add(slippage) } else { bid.saturating_sub(slippage) };
        }
    }

    /// A new order was accepted.
    pub(crate) fn accept_extended(&mut self, order: &Order, at: &At, now_mono: i64) {
        let Current { involved, above, implied, .. } = self.extended.current;
        let worth = value(&self.instruments[at.instrument], order.quantity, implied).unwrap_or(0);
        if order.order_type == OrderType::Market as u8
            && let Some(live) = self.orders.get_mut(order.client_order_id, order.session_id)
        {
            live.price = implied;
        }
        self.move_value(involved, order.side, worth);
        self.move_quantity(involved, at.instrument, order.side, order.quantity);
        self.count(involved, Counts { value: worth, quantity: order.quantity, orders: 1, ..Counts::default() }, now_mono);
        let place = at.instrument * self.accounts.len() + if self.extended.self_match == SelfMatch::Account { at.account } else { 0 };
        self.extended.own.add(place, order.side, implied);
        for ledger in self.extended.ledgers(above) {
            ledger.bucket_new.spend(ledger.interval_new, now_mono);
        }
        self.extended.spend(involved, now_mono, |party| (&mut party.minute_new, party.interval_new));
        self.recount_cell(at.instrument, at.account);
    }

    /// A replace was accepted; `before` is what its order was worth. The table holds both by now.
    pub(crate) fn replace_extended(&mut self, order: &Order, old: &LiveOrder, before: i128, added: i64, now_mono: i64) {
        let Current { involved, above, implied, .. } = self.extended.current;
        if order.order_type == OrderType::Market as u8
            && let Some(alias) = self.orders.get_mut(order.client_order_id, order.session_id)
        {
            alias.price = implied;
        }
        let now = self.orders.get(old.client_order_id, old.session_id).copied();
        let grown = now.map_or(0, |now| self.working_value(&now)) - before;
        self.move_value(involved, order.side, grown);
        self.move_quantity(involved, old.instrument as usize, old.side, now.map_or(0, |now| now.counted) - old.counted);
        self.count(involved, Counts { value: grown.max(0), quantity: added, orders: 1, ..Counts::default() }, now_mono);
        self.extended.own.add(self.own_place(old), order.side, implied);
        for ledger in self.extended.ledgers(above) {
            ledger.bucket_replace.spend(ledger.interval_replace, now_mono);
        }
        self.extended.spend(involved, now_mono, |party| (&mut party.minute_replace, party.interval_replace));
        self.recount_cell(old.instrument as usize, usize::from(old.account));
    }

    /// A cancel was forwarded: counted, never blocked.
    pub(crate) fn cancel_extended(&mut self, order: &LiveOrder) {
        let (involved, now) = (self.involved_of(order), self.extended.now_mono);
        self.count(involved, Counts { cancels: 1, ..Counts::default() }, now);
    }

    /// A live order came or went at the levels above its account.
    pub(crate) fn count_open_above(&mut self, order: &LiveOrder, by: i64) {
        let above = self.extended.above(order.session_id);
        for ledger in self.extended.ledgers(above) {
            ledger.open_orders += by;
        }
    }

    fn count(&mut self, involved: Involved, counts: Counts, now_mono: i64) {
        for place in involved.iter() {
            let party = &mut self.extended.parties[place];
            party.day += counts;
            party.window.advance(now_mono, party.window_ns);
            party.window.add(counts);
        }
    }

    fn move_value(&mut self, involved: Involved, side: u8, by: i128) {
        for place in involved.iter() {
            let exposure = &mut self.extended.parties[place].exposure;
            let working = if side == Side::BUY as u8 { &mut exposure.working_buy } else { &mut exposure.working_sell };
            *working = working.saturating_add(by);
        }
    }

    /// Working quantity of one instrument, for everyone who keeps a book of it.
    fn move_quantity(&mut self, involved: Involved, at: usize, side: u8, by: i64) {
        let x = &mut self.extended;
        let count = x.instruments.len();
        for place in involved.iter().filter(|place| (1..x.desks_at.end).contains(place)) {
            let book = &mut x.books[place * count + at];
            let working = if side == Side::BUY as u8 { &mut book.working_buy } else { &mut book.working_sell };
            *working = working.saturating_add(by);
        }
    }

    /// Acts on a venue message with everything it moves in the extended state.
    pub(crate) fn apply_venue_extended(&mut self, m: &VenueMessage) -> bool {
        let Ok(kind) = VenueKind::try_from(m.kind) else { return self.apply_message(m) };
        match kind {
            VenueKind::Position => return self.state_position(m),
            VenueKind::DropCopy => return self.apply_message(m),
            _ => {}
        }
        let named = if matches!(kind, VenueKind::Replaced | VenueKind::ReplaceRejected) && m.original_client_order_id != 0 {
            m.original_client_order_id
        } else {
            m.client_order_id
        };
        let before = self.find_order(named, m.session_id).filter(|order| self.is_about(m, order));
        let worth = before.map_or(0, |order| self.working_value(&order));
        let is_known = self.apply_message(m);
        if let Some(order) = before {
            let find = |id: u64| self.orders.get(id, order.session_id).filter(|o| o.state != state::ALIAS).copied();
            let after = find(order.client_order_id).or_else(|| find(order.other_id));
            let now = after.map_or(0, |after| self.working_value(&after));
            let involved = self.involved_of(&order);
            self.move_value(involved, order.side, now - worth);
            self.move_quantity(involved, order.instrument as usize, order.side, after.map_or(0, |after| after.counted) - order.counted);
            if after.is_none_or(|after| after != order) {
                self.extended.own.loosen(self.own_place(&order), order.side);
            }
            if kind == VenueKind::Filled {
                let price = if m.price == 0 || m.price == UNDEFINED_PRICE { Some(order.price) } else { Some(m.price) };
                self.take_fill(involved, order.instrument as usize, order.side, m.quantity.max(0), price);
            }
            self.recount_cell(order.instrument as usize, usize::from(order.account));
        } else if kind == VenueKind::Filled
            && let (Some(i), Some(a)) = (self.instrument_index.get(m.instrument_id), self.account_index.get(m.account_id))
            && (m.side == Side::BUY as u8 || m.side == Side::SELL as u8)
        {
            let involved = self.extended.involved(i, a, 0, super::Above::default());
            let price = (m.price != 0 && m.price != UNDEFINED_PRICE).then_some(m.price);
            self.take_fill(involved, i, m.side, m.quantity.max(0), price);
            self.recount_cell(i, a);
        }
        is_known
    }

    fn take_fill(&mut self, involved: Involved, at: usize, side: u8, quantity: i64, price: Option<i64>) {
        let signed = if side == Side::BUY as u8 { quantity } else { -quantity };
        self.move_books(involved, at, signed, price);
        let now = self.extended.now_mono;
        self.count(involved, Counts { trades: 1, ..Counts::default() }, now);
        for place in involved.iter() {
            self.extended.parties[place].executions += 1;
        }
        self.throttle(involved);
        self.judge_fill(at, price);
    }

    /// Control 25: the n-th execution without a human stops whom it is configured for.
    fn throttle(&mut self, involved: Involved) {
        if self.extended.is_folding {
            return;
        }
        for place in involved.iter() {
            let party = &mut self.extended.parties[place];
            let Some(most) = party.configured(LevelLimit::Executions) else { continue };
            if party.executions >= most && party.trip(25, party.executions, most) {
                self.record_latch(place);
            }
        }
    }

    pub(crate) fn record_latch(&mut self, place: usize) {
        let party = &self.extended.parties[place];
        let (level, id, latch) = (party.level, party.id, party.latch);
        let transition = Transition::latch(level, id, latch.control, latch.id, latch.measured);
        self.record_transition(transition, self.extended.now_mono, self.extended.now_utc);
        self.publish_level(place);
    }

    /// A position moved by `signed` at a price, `None` where nobody said one.
    fn move_books(&mut self, involved: Involved, at: usize, signed: i64, price: Option<i64>) {
        let Gate { extended, instruments, .. } = self;
        let i = &instruments[at];
        let paid = price.and_then(|price| money(i, signed, price));
        let (instrument_count, mark) = (extended.instruments.len(), extended.marks[at]);
        for place in involved.iter().filter(|place| (1..extended.desks_at.end).contains(place)) {
            let book = &mut extended.books[place * instrument_count + at];
            let before = *book;
            let realised = book.fill(signed, paid.unwrap_or(0));
            book.is_unvalued |= paid.is_none() && book.position != 0;
            book.mark(i, mark);
            let after = *book;
            let places = [place, 0];
            // The firm is the sum of its accounts: what nets between two of them still counts twice in gross.
            let held = if extended.accounts.contains(&place) { 2 } else { 1 };
            for place in places.into_iter().take(held) {
                let party = &mut extended.parties[place];
                party.exposure.net += after.cost - before.cost;
                party.exposure.gross += after.cost.abs() - before.cost.abs();
                party.profit.realised += realised;
                party.profit.unrealised += after.unrealised - before.unrealised;
                party.exposure.unvalued = party.exposure.unvalued + u32::from(after.is_unvalued) - u32::from(before.is_unvalued);
                party.profit.unmarked = party.profit.unmarked + u32::from(after.is_unmarked) - u32::from(before.is_unmarked);
            }
        }
    }

    /// The venue's side states a position: the difference came at the price it says.
    fn state_position(&mut self, m: &VenueMessage) -> bool {
        let (Some(i), Some(a)) = (self.instrument_index.get(m.instrument_id), self.account_index.get(m.account_id)) else {
            return self.apply_message(m);
        };
        let before = self.cells[self.cell_at(i, a)].position;
        let is_known = self.apply_message(m);
        let moved = m.quantity.saturating_sub(before);
        if moved != 0 {
            let price = (m.price != 0 && m.price != UNDEFINED_PRICE).then_some(m.price);
            let involved = self.extended.involved(i, a, 0, super::Above::default());
            self.move_books(involved, i, moved, price);
        }
        self.recount_cell(i, a);
        is_known
    }

    /// Control 21: margin of one account in one instrument, worst case of both sides.
    fn recount_cell(&mut self, at: usize, account: usize) {
        if !self.extended.has_margin {
            return;
        }
        let margin = self.margin_of(at, account, 0, true).unwrap_or(0);
        let place = at * self.accounts.len() + account;
        let x = &mut self.extended;
        let party = &mut x.parties[x.accounts.start + account];
        party.margin += margin - x.margins[place];
        x.margins[place] = margin;
    }

    pub(crate) fn recount_margin(&mut self, at: usize) {
        (0..self.accounts.len()).for_each(|account| self.recount_cell(at, account));
    }

    /// Margin with `added` on one side; `None` where the instrument's margin is not known.
    pub(crate) fn margin_of(&self, at: usize, account: usize, added: i64, is_buy: bool) -> Option<i128> {
        let per_lot = self.extended.instrument(at).configured(LevelLimit::MarginPerLot)?;
        let (cell, i) = (&self.cells[self.cell_at(at, account)], &self.instruments[at]);
        let (buy, sell) = if is_buy { (added, 0) } else { (0, added) };
        let long = i128::from(cell.position) + i128::from(cell.working_buy) + i128::from(buy);
        let short = i128::from(cell.working_sell) + i128::from(sell) - i128::from(cell.position);
        let lot = i128::from(i.lot_size.max(1));
        let worst = long.max(short).max(0);
        let lots = if lot == 1 { worst } else { (worst + lot - 1) / lot };
        let multiplier = self.cold[at].value(pretrade_records::parameter::Parameter::MarginMultiplierPpm);
        if multiplier == i64::from(PPM) {
            return Some(lots.saturating_mul(i128::from(per_lot)));
        }
        Some(lots.saturating_mul(i128::from(per_lot)).saturating_mul(i128::from(multiplier)).saturating_add(i128::from(PPM) - 1) / i128::from(PPM))
    }

    /// State of a party, for viewers and tests.
    #[must_use]
    pub fn party(&self, level: Level, id: u32) -> Option<&super::party::Party> {
        self.extended.party(level, id)
    }

    /// Gross exposure of a party: executed and working, both sides.
    #[must_use]
    pub fn gross_exposure(&self, level: Level, id: u32) -> Option<i64> {
        let e = self.party(level, id)?.exposure;
        Some(narrow(e.gross + e.working_buy + e.working_sell))
    }
}

fn set_parent(tier: &mut super::Tier, id: u32, parent: u32) {
    let place = tier.place(id);
    tier.parents[place] = parent;
}

impl Extended {
    /// Ledgers of trader, desk and session, where there are any.
    fn ledgers(&mut self, above: super::Above) -> impl Iterator<Item = &mut Ledger> {
        [(&mut self.traders, above.trader), (&mut self.desks, above.desk), (&mut self.sessions, above.session)]
            .into_iter()
            .filter(|(_, place)| *place > 0)
            .map(|(tier, place)| &mut tier.ledgers[place])
    }

    fn spend(&mut self, involved: Involved, now_mono: i64, bucket: impl Fn(&mut super::party::Party) -> (&mut Bucket, i64)) {
        for place in involved.iter() {
            let (bucket, interval) = bucket(&mut self.parties[place]);
            bucket.spend(interval, now_mono);
        }
    }
}
