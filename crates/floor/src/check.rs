// SPDX-License-Identifier: Apache-2.0
//! The bare 20-rule check, first failure returns, with its state update and the undo of the timed loop.
use crate::table::{FloorTable, RECORDS, WORDS, field};

/// Strategies.
pub const STRATEGIES: usize = 64;
/// Accounts.
pub const ACCOUNTS: usize = 16;

/// One order.
#[derive(Clone, Copy, Debug, Default)]
pub struct FloorOrder {
    /// Instrument, below 10,000.
    pub instrument: u32,
    /// Strategy.
    pub strategy: u32,
    /// Account.
    pub account: u32,
    /// Buy, else sell.
    pub is_buy: bool,
    /// Price.
    pub price: i64,
    /// Quantity.
    pub quantity: i64,
}

#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Instrument {
    position: i64,
    working_buy: i64,
    working_sell: i64,
    open: i64,
    gross: i64,
    last_hash: u64,
    last_time: i64,
    spare: i64,
}

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Strategy {
    is_off: u64,
    loss: i64,
    loss_limit: i64,
    tokens: i64,
    refilled: i64,
    spare: [i64; 3],
}

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Account {
    is_off: u64,
    gross: i64,
    gross_limit: i64,
    spare: [i64; 5],
}

/// All private state.
#[derive(Debug)]
pub struct FloorCheck {
    instruments: Vec<Instrument>,
    strategies: Vec<Strategy>,
    accounts: Vec<Account>,
    firm_gross: i64,
    firm_limit: i64,
    max_age: i64,
    undo: Instrument,
}

const TOKENS: i64 = 1 << 30;

impl Default for FloorCheck {
    fn default() -> Self {
        FloorCheck {
            instruments: vec![Instrument::default(); RECORDS],
            strategies: vec![Strategy { is_off: 0, loss: 0, loss_limit: 1_000_000, tokens: TOKENS, refilled: 0, spare: [0; 3] }; STRATEGIES],
            accounts: vec![Account { is_off: 0, gross: 0, gross_limit: i64::MAX / 4, spare: [0; 5] }; ACCOUNTS],
            firm_gross: 0,
            firm_limit: i64::MAX / 4,
            max_age: i64::MAX / 4,
            undo: Instrument::default(),
        }
    }
}

impl FloorCheck {
    /// Runs the 20 rules; 0 = accepted, else the number of the rule. On accept the state moves.
    #[inline(always)]
    pub fn check(&mut self, table: &FloorTable, o: &FloorOrder, now: i64) -> u32 {
        let mut r = [0u64; WORDS];
        let (strategy, account) = (&mut self.strategies[o.strategy as usize], &mut self.accounts[o.account as usize]);
        let state = &mut self.instruments[o.instrument as usize];
        if table.kill() != 0 {
            return 1;
        }
        if strategy.is_off != 0 {
            return 2;
        }
        if account.is_off != 0 {
            return 3;
        }
        if !table.read(o.instrument as usize, &mut r) {
            return 4;
        }
        if now - (r[field::TIME] as i64) > self.max_age {
            return 5;
        }
        if r[field::STATE] & 1 != 0 {
            return 6;
        }
        let (lot, tick) = (r[field::LOT] as i64, r[field::TICK] as i64);
        if o.quantity <= 0 || o.quantity % lot != 0 {
            return 7;
        }
        if o.price <= 0 || o.price % tick != 0 {
            return 8;
        }
        if o.quantity > r[field::QUANTITY] as i64 {
            return 9;
        }
        let notional = o.price.wrapping_mul(o.quantity);
        if notional > r[field::NOTIONAL] as i64 {
            return 10;
        }
        if o.price < r[field::LOW] as i64 || o.price > r[field::HIGH] as i64 {
            return 11;
        }
        if r[field::STATE] & 2 != 0 && (o.is_buy == (state.position >= 0)) {
            return 12;
        }
        let worst = if o.is_buy { state.position + state.working_buy + o.quantity } else { state.working_sell + o.quantity - state.position };
        if worst > r[field::POSITION] as i64 {
            return 13;
        }
        if state.open >= r[field::OPEN] as i64 {
            return 14;
        }
        if state.gross + notional > r[field::GROSS] as i64 {
            return 15;
        }
        if account.gross + notional > account.gross_limit {
            return 16;
        }
        if self.firm_gross + notional > self.firm_limit {
            return 17;
        }
        if strategy.loss > strategy.loss_limit {
            return 18;
        }
        let hash = (o.price as u64 ^ (o.quantity as u64) << 32 ^ u64::from(o.account) << 8 ^ u64::from(o.is_buy)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if hash == state.last_hash && now - state.last_time < 1_000_000 {
            return 19;
        }
        let refilled = (strategy.tokens + ((now - strategy.refilled) >> 10)).min(TOKENS);
        if refilled < 1 {
            return 20;
        }
        self.undo = *state;
        (strategy.tokens, strategy.refilled) = (refilled - 1, now);
        (state.last_hash, state.last_time) = (hash, now);
        state.open += 1;
        if o.is_buy {
            state.working_buy += o.quantity;
        } else {
            state.working_sell += o.quantity;
        }
        state.gross += notional;
        account.gross += notional;
        self.firm_gross += notional;
        0
    }

    /// Takes the last accepted order back, outside the timed part.
    #[inline(always)]
    pub fn undo(&mut self, o: &FloorOrder) {
        let notional = o.price.wrapping_mul(o.quantity);
        self.instruments[o.instrument as usize] = self.undo;
        self.accounts[o.account as usize].gross -= notional;
        self.firm_gross -= notional;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_fire_in_order_and_an_accepted_order_moves_the_state() {
        let path = std::env::temp_dir().join(format!("pretrade-floor-check-{}", std::process::id()));
        let table = FloorTable::create(&path).unwrap();
        let mut check = FloorCheck::default();
        let order = FloorOrder { instrument: 3, strategy: 1, account: 1, is_buy: true, price: 480_000, quantity: 10 };
        assert_eq!(check.check(&table, &FloorOrder { quantity: 0, ..order }, 1), 7);
        assert_eq!(check.check(&table, &FloorOrder { price: 480_001, ..order }, 1), 8);
        assert_eq!(check.check(&table, &FloorOrder { quantity: 501, ..order }, 1), 9);
        assert_eq!(check.check(&table, &FloorOrder { price: 2_000_025, ..order }, 1), 11);
        assert_eq!(check.check(&table, &order, 1), 0);
        assert_eq!(check.check(&table, &order, 2), 19);
        check.undo(&order);
        assert_eq!(check.check(&table, &order, 2), 0);
        std::fs::remove_file(path).unwrap();
    }
}
