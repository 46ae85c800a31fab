// SPDX-License-Identifier: Apache-2.0
//! What an accepted message changes: order table, working quantities, windows and tokens, in one step with the decision.
use crate::arithmetic::plus;
use crate::decide::{At, fingerprint};
use crate::duplicates::Rank;
use crate::gate::Gate;
use crate::orders::{Key, LiveOrder, state};
use pretrade_records::{Action, Order, Side};
use std::hint::select_unpredictable;

impl Gate {
    /// Changes ledgers, windows, tokens and the order table. Only for ACCEPT, and of HOLD the count of live orders.
    pub(crate) fn apply(&mut self, order: &Order, now_mono: i64, is_held: bool) {
        if order.action == Action::Cancel as u8 {
            return self.apply_cancel(order);
        }
        let (Some(i), Some(a)) = (self.instrument_index.get(order.instrument_id), self.account_index.get(order.account_id)) else { return };
        let strategy = self.strategy_index.get(order.strategy_id).unwrap_or(0);
        let at = At { instrument: i, account: a, strategy, cell: self.cell_at(i, a) };
        let key = self.orders.prefetch(order.client_order_id, order.session_id);
        let fingerprint = fingerprint(order);
        self.apply_at(order, &at, key, fingerprint, self.duplicates.look_up(fingerprint), now_mono, is_held);
    }

    /// As [`Gate::apply`] with places, fingerprint and its rank already known.
    #[allow(clippy::too_many_arguments, reason = "inlined: words, not a call")]
    #[inline(always)]
    pub(crate) fn apply_at(&mut self, order: &Order, at: &At, key: Key, fingerprint: u64, rank: Rank, now_mono: i64, is_held: bool) {
        let live = LiveOrder {
            client_order_id: order.client_order_id,
            session_id: order.session_id,
            instrument: at.instrument as u32,
            account: at.account as u16,
            strategy: at.strategy as u16,
            side: order.side,
            state: if is_held { state::HELD } else { state::WORKING },
            order_type: order.order_type,
            time_in_force: order.time_in_force,
            price: order.price,
            quantity: order.quantity,
            leaves: order.quantity,
            counted: if is_held { 0 } else { order.quantity },
            other_id: 0,
        };
        let is_replace = order.action == Action::Replace as u8;
        if !is_replace {
            self.orders.insert_keyed(key, live);
        } else if !is_held {
            self.apply_replace(order, live, now_mono);
        }
        let Gate { instruments, cells, accounts, strategies, firm, duplicates, .. } = self;
        let (i, cell) = (&mut instruments[at.instrument], &mut cells[at.cell]);
        let levels = [&mut accounts[at.account], &mut strategies[at.strategy], &mut **firm];
        if is_replace {
            if !is_held {
                duplicates.remember(rank, fingerprint, now_mono);
                i.bucket_replace.spend(i.interval_replace, now_mono);
                for ledger in levels {
                    ledger.bucket_replace.spend(ledger.interval_replace, now_mono);
                }
            }
            return;
        }
        i.open_orders = i.open_orders.saturating_add(1);
        let is_buy = order.side == Side::BUY as u8;
        let of_account = select_unpredictable(is_buy, &mut cell.working_buy, &mut cell.working_sell);
        let of_all = select_unpredictable(is_buy, &mut i.working_buy, &mut i.working_sell);
        (*of_account, *of_all) = (plus(*of_account, live.counted), plus(*of_all, live.counted));
        if !is_held {
            duplicates.remember(rank, fingerprint, now_mono);
            i.bucket_new.spend(i.interval_new, now_mono);
        }
        for ledger in levels {
            ledger.open_orders += 1;
            if !is_held {
                ledger.bucket_new.spend(ledger.interval_new, now_mono);
            }
        }
        if self.extended.is_on {
            self.apply_extended(order, at, &live, now_mono, is_held);
        }
    }

    #[inline(never)]
    fn apply_extended(&mut self, order: &Order, at: &At, live: &LiveOrder, now_mono: i64, is_held: bool) {
        self.count_open_above(live, 1);
        if !is_held {
            self.accept_extended(order, at, now_mono);
        }
    }

    fn apply_replace(&mut self, order: &Order, live: LiveOrder, now_mono: i64) {
        let Some(old) = self.orders.get(order.original_client_order_id, order.session_id).copied() else { return };
        let new_leaves = order.quantity.saturating_sub(old.quantity - old.leaves);
        let counted = old.leaves.max(new_leaves);
        let before = if self.extended.is_on { self.working_value(&old) } else { 0 };
        self.move_working(&old, counted - old.counted);
        self.orders.insert(LiveOrder { state: state::PENDING_REPLACE, counted, other_id: order.client_order_id, ..old });
        self.orders.insert(LiveOrder { state: state::ALIAS, leaves: 0, counted: 0, other_id: old.client_order_id, ..live });
        if self.extended.is_on {
            self.replace_extended(order, &old, before, new_leaves.saturating_sub(old.leaves).max(0), now_mono);
        }
    }

    /// A working order counts until the cancel is confirmed.
    pub(crate) fn apply_cancel(&mut self, order: &Order) {
        let Some(old) = self.find_order(order.original_client_order_id, order.session_id) else { return };
        let strategy = usize::from(old.strategy);
        self.strategies[strategy].cancels += 1;
        if self.extended.is_on {
            self.cancel_extended(&old);
        }
        match old.state {
            // A held order was never sent: it is gone at once.
            state::HELD => {
                self.orders.remove(old.client_order_id, old.session_id);
                self.forget_held(old.client_order_id, old.session_id);
                self.count_open(&old, -1);
            }
            state::WORKING => self.orders.insert(LiveOrder { state: state::PENDING_CANCEL, ..old }),
            _ => {}
        }
    }
}
