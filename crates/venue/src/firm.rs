// SPDX-License-Identifier: Apache-2.0
//! The firm, native: a maker, a momentum strategy with a stop-loss and an execution strategy, the twin of `pretrade.simulation.firm`.
//!
//! What each does is simple and fixed; they see the touch and their own fills. Policy stays in Python: this is the same firm for long runs.
use pretrade_records::order::Action;
use pretrade_records::{Event, EventKind, Order, OrderType, Side, TimeInForce, VenueKind};

const MAKER: usize = 1;
const MOMENTUM: usize = 2;
const EXECUTION: usize = 3;
/// How often strategies look, ns.
pub const LOOKS_EVERY_NS: i64 = 500_000_000;
const QUOTE: i64 = 20;
const INVENTORY: i64 = 200;
const STEP_BACK_TICKS: i64 = 6;
const STEP_BACK_NS: i64 = 5_000_000_000;
const POSITION: i64 = 300;
const ENTRY_CLIP: i64 = 30;
const STOP_LOSS: f64 = 0.003;
const PARENT: i64 = 1_200;
const SLICE: i64 = 2;
const BLOCK: i64 = 100;
const BLOCK_EVERY_NS: i64 = 20_000_000_000;
const CHASE_FROM: f64 = 0.004;
const CHASE_CLIP: i64 = 200;
const CHASE_EVERY_NS: i64 = 2_000_000_000;
const THROUGH_TICKS: i64 = 20;
const MOST_WORKING_NS: i64 = 10_000_000_000;
const AFTER_REFUSAL_NS: i64 = 10_000_000_000;

/// What a strategy sees.
#[derive(Clone, Copy, Debug)]
pub struct View {
    /// The present, ns UTC.
    pub now: i64,
    /// When the onset is, ns UTC.
    pub onset: i64,
    /// Best bid, 1e-9.
    pub bid: i64,
    /// Best ask, 1e-9.
    pub ask: i64,
}

impl View {
    fn mid(&self) -> f64 {
        (self.bid + self.ask) as f64 / 2.0
    }
}

/// What the gate said of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may go to the market.
    Accepted,
    /// Refused: too near the touch.
    TooNear,
    /// Refused or held for another reason.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Working {
    number: u64,
    strategy: usize,
    side: Side,
    price: i64,
    leaves: i64,
    since: i64,
}

/// Strategies, what they have working, what they hold.
#[derive(Clone, Debug)]
pub struct Firm {
    instrument_id: u32,
    account_id: u32,
    tick_size: i64,
    /// Lots held by strategy 1 to 3.
    pub position: [i64; 4],
    /// Cash, 1e-9 price units times lots.
    pub cash: i128,
    /// In the order in which they were sent.
    working: Vec<Working>,
    next_id: u64,
    quiet_until: [[i64; 3]; 4],
    back_until: [i64; 3],
    entry: f64,
    arrival: f64,
    is_stopping: bool,
    next_block: i64,
    next_chase: i64,
}

impl Firm {
    /// A firm that holds its client's parent order and nothing else.
    #[must_use]
    pub fn new(instrument_id: u32, account_id: u32, tick_size: i64) -> Self {
        Self {
            instrument_id,
            account_id,
            tick_size,
            position: [0, 0, 0, PARENT],
            cash: 0,
            working: Vec::new(),
            next_id: 0,
            quiet_until: [[0; 3]; 4],
            back_until: [0; 3],
            entry: 0.0,
            arrival: 0.0,
            is_stopping: false,
            next_block: 0,
            next_chase: 0,
        }
    }

    /// Orders of this look: cancels first.
    pub fn act(&mut self, view: View) -> Vec<Order> {
        if self.arrival == 0.0 {
            self.arrival = view.mid();
        }
        let mut wanted = Vec::new();
        self.make(view, &mut wanted);
        self.follow(view, &mut wanted);
        self.execute(view, &mut wanted);
        // A refusal goes to a human; the strategy tries again after a while.
        wanted.retain(|o| view.now >= self.quiet_until[o.strategy_id as usize][o.side as usize]);
        let mut orders = self.cancels(view);
        orders.append(&mut wanted);
        orders
    }

    /// Takes what the gate said of one order: accepted orders work, refused quotes step back.
    pub fn answered(&mut self, order: &Order, answer: Answer, now: i64) {
        let is_new = order.action == Action::New as u8;
        let (strategy, at) = (order.strategy_id as usize, order.side as usize);
        match answer {
            Answer::Accepted if is_new => {
                let side = Side::try_from(order.side).unwrap_or(Side::None);
                let (number, price, leaves) = (order.client_order_id, order.price, order.quantity);
                self.working.push(Working { number, strategy, side, price, leaves, since: now });
            }
            Answer::TooNear => self.back_until[at] = now + STEP_BACK_NS,
            Answer::Refused if is_new => self.quiet_until[strategy][at] = now + AFTER_REFUSAL_NS,
            _ => {}
        }
    }

    /// Takes one answer of the venue.
    pub fn told(&mut self, m: &Event) {
        let known = self.working.iter().position(|w| w.number == m.order_id);
        if m.kind == EventKind::OwnExecution as u8 {
            let signed = if m.side == Side::Bid as u8 { m.size } else { -m.size };
            if let Some(held) = self.position.get_mut((m.aux >> 32) as usize) {
                *held += signed;
            }
            self.cash -= i128::from(signed) * i128::from(m.price);
            if let Some(i) = known {
                self.working[i].leaves -= m.size;
                if self.working[i].leaves <= 0 {
                    self.working.remove(i);
                }
            }
        } else if [VenueKind::Cancelled as u8, VenueKind::Rejected as u8].contains(&((m.flags >> 8) as u8)) {
            known.map(|i| self.working.remove(i));
        }
    }

    fn order(&mut self, view: View, strategy: usize, side: Side, price: i64, quantity: i64, tif: TimeInForce) -> Order {
        self.next_id += 1;
        Order {
            client_order_id: self.next_id,
            ts_event: view.now,
            price,
            quantity,
            instrument_id: self.instrument_id,
            strategy_id: strategy as u32,
            account_id: self.account_id,
            side: side as u8,
            order_type: OrderType::Limit as u8,
            time_in_force: tif as u8,
            action: Action::New as u8,
            ..Default::default()
        }
    }

    /// Quotes that left the touch, and whatever works too long.
    fn cancels(&mut self, view: View) -> Vec<Order> {
        let furthest = (STEP_BACK_TICKS + 1) * self.tick_size;
        let is_due = |w: &&Working| {
            let touch = if w.side == Side::Bid { view.bid } else { view.ask };
            (w.strategy == MAKER && (w.price - touch).abs() > furthest) || view.now - w.since >= MOST_WORKING_NS
        };
        let due: Vec<Working> = self.working.iter().filter(is_due).copied().collect();
        let (instrument_id, account_id) = (self.instrument_id, self.account_id);
        let cancel = |w: &Working| {
            self.next_id += 1;
            Order {
                client_order_id: self.next_id,
                original_client_order_id: w.number,
                ts_event: view.now,
                instrument_id,
                strategy_id: w.strategy as u32,
                account_id,
                side: w.side as u8,
                action: Action::Cancel as u8,
                ..Default::default()
            }
        };
        due.iter().map(cancel).collect()
    }

    /// A quote a side at the touch, or behind it after a refusal, while the inventory leaves room.
    fn make(&mut self, view: View, out: &mut Vec<Order>) {
        for (side, sign) in [(Side::Bid, 1), (Side::Ask, -1)] {
            let is_quoted = self.working.iter().any(|w| w.strategy == MAKER && w.side == side);
            if is_quoted || sign * self.position[MAKER] >= INVENTORY {
                continue;
            }
            let back = if view.now < self.back_until[side as usize] { STEP_BACK_TICKS * self.tick_size } else { 0 };
            let price = if side == Side::Bid { view.bid - back } else { view.ask + back };
            out.push(self.order(view, MAKER, side, price, QUOTE, TimeInForce::Day));
        }
    }

    /// Buys before the onset, and sells everything at once when the price has fallen by the stop-loss.
    fn follow(&mut self, view: View, out: &mut Vec<Order>) {
        let held = self.position[MOMENTUM];
        if !self.is_stopping && view.now < view.onset && held < POSITION {
            self.entry = view.mid();
            return out.push(self.order(view, MOMENTUM, Side::Bid, view.ask, ENTRY_CLIP.min(POSITION - held), TimeInForce::ImmediateOrCancel));
        }
        self.is_stopping = self.is_stopping || (self.entry > 0.0 && view.mid() <= self.entry * (1.0 - STOP_LOSS));
        if self.is_stopping && held > 0 {
            let price = view.bid - THROUGH_TICKS * self.tick_size;
            out.push(self.order(view, MOMENTUM, Side::Ask, price, held, TimeInForce::ImmediateOrCancel));
        }
    }

    /// Sells a parent in small slices and a resting block now and then; chases with large clips once the price runs away.
    fn execute(&mut self, view: View, out: &mut Vec<Order>) {
        let left = self.position[EXECUTION];
        if left <= 0 {
            return;
        }
        if view.mid() <= self.arrival * (1.0 - CHASE_FROM) {
            if view.now >= self.next_chase {
                self.next_chase = view.now + CHASE_EVERY_NS;
                let price = view.bid - THROUGH_TICKS * self.tick_size;
                out.push(self.order(view, EXECUTION, Side::Ask, price, CHASE_CLIP.min(left), TimeInForce::ImmediateOrCancel));
            }
            return;
        }
        out.push(self.order(view, EXECUTION, Side::Ask, view.bid, SLICE.min(left), TimeInForce::ImmediateOrCancel));
        if view.now >= self.next_block && left > BLOCK {
            self.next_block = view.now + BLOCK_EVERY_NS;
            out.push(self.order(view, EXECUTION, Side::Ask, view.ask, BLOCK, TimeInForce::Day));
        }
    }
}
