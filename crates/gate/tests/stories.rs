// SPDX-License-Identifier: Apache-2.0
//! The acceptance scenarios of users, incidents and the mission as text: orders in, decisions out, one file per story.
//!
//! `new ID buy|sell QUANTITY PRICE|market [key=value ...] -> VERDICT words...`: the decision's own words must contain each of the words.
//! Prices are ticks from the bid (`+1` is the ask). Everything else a story may say stands in `Story::act`.
mod world;
use pretrade_gate::{GateOptions, VenueKind, VenueMessage, text};
use pretrade_records::order::EXIT_TICKET;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::UNDEFINED_PRICE;
use pretrade_records::{Action, Decision, LevelLimit, Order, OrderType, Phase, Side, Tier, TimeInForce};
use pretrade_shm::{ControlsRecord, Level, ParameterBlock};
use std::collections::HashMap;
use world::*;

struct Story {
    world: World,
    block: ParameterBlock,
    tier: Tier,
    ids: HashMap<String, u64>,
    rows: Vec<ControlsRecord>,
    last_limits: Option<pretrade_records::LimitsRecord>,
}

fn price(word: &str) -> i64 {
    BID + word.parse::<i64>().unwrap_or_else(|_| panic!("{word:?} is no number of ticks")) * TICK
}

fn pairs(words: &[&str]) -> Vec<(String, i64)> {
    let of = |word: &&str| word.split_once('=').map(|(k, v)| (k.to_owned(), v.parse().unwrap_or_else(|_| panic!("{word:?} is no number"))));
    words.iter().filter(|word| !word.starts_with("tier=")).filter_map(of).collect()
}

impl Story {
    fn new() -> Self {
        let mut options = GateOptions { duplicate_window_ns: 0, ..flat() };
        options.ramp_ns = 1;
        let rows = vec![
            instrument_row(open_static()),
            level_row(Level::Account, 1),
            level_row(Level::Account, 2),
            level_row(Level::Strategy, 1),
            level_row(Level::Firm, 0),
        ];
        let world = World::of(&rows, open_static(), options, true);
        Story { world, block: open_static(), tier: Tier::Normal, ids: HashMap::new(), rows, last_limits: None }
    }

    fn publish(&mut self) {
        let mut record = record_of(&self.block, self.world.version + 1);
        record.tier = self.tier as u8;
        self.world.publish(record);
        self.last_limits = Some(record);
    }

    fn row(&mut self, level: &str, id: &str, words: &[&str]) {
        let level = *Level::ALL.iter().find(|l| l.name() == level).unwrap_or_else(|| panic!("{level:?} is no level"));
        let id: u32 = id.parse().unwrap();
        let row = self.rows.iter_mut().find(|r| r.level == level as u8 && r.id == id).unwrap();
        for (name, value) in pairs(words) {
            if let Some(limit) = LevelLimit::ALL.iter().find(|l| l.name() == name) {
                row.set_level_limit(*limit, value);
            } else if let Some(p) = Parameter::ALL.iter().find(|p| p.name() == name) {
                pretrade_gate::setup::set_parameter(&mut row.static_limits, *p, value);
            } else {
                match name.as_str() {
                    "open_orders" => row.open_orders_limit = value as u32,
                    "flags" => row.flags = value as u8,
                    other => panic!("{other:?} is nothing of a row"),
                }
            }
        }
        let row = *row;
        self.world.put(row);
    }

    fn order(&mut self, words: &[&str]) -> (String, Order) {
        let action = match words[0] {
            "new" => Action::New,
            "replace" => Action::Replace,
            _ => Action::Cancel,
        };
        let name = words[1].to_owned();
        let original = if action == Action::New { 0 } else { self.ids[words[2]] };
        let rest = if action == Action::New { &words[2..] } else { &words[3..] };
        let mut order = self.world.order(Side::None, 0, 0);
        (order.action, order.original_client_order_id) = (action as u8, original);
        if action != Action::Cancel {
            order.side = if rest[0] == "buy" { Side::BUY as u8 } else { Side::SELL as u8 };
            order.quantity = rest[1].parse().unwrap();
            if rest[2] == "market" {
                (order.price, order.order_type) = (UNDEFINED_PRICE, OrderType::Market as u8);
                order.time_in_force = TimeInForce::ImmediateOrCancel as u8;
            } else {
                order.price = price(rest[2]);
            }
        }
        for (key, value) in pairs(rest) {
            match key.as_str() {
                "account" => order.account_id = value as u32,
                "strategy" => order.strategy_id = value as u32,
                "instrument" => order.instrument_id = value as u32,
                "tif" => order.time_in_force = value as u8,
                "price" => order.price = value,
                "id" => order.client_order_id = value as u64,
                "ticket" => (order.flags, order.original_client_order_id) = (EXIT_TICKET, value as u64),
                "flags" => order.flags = value as u32,
                "age_ms" => order.ts_event -= value * 1_000_000,
                other => panic!("{other:?} is nothing of an order"),
            }
        }
        (name, order)
    }

    fn decide(&mut self, words: &[&str]) -> Decision {
        let (name, order) = self.order(words);
        self.ids.insert(name, order.client_order_id);
        self.world.decide(&order)
    }

    fn venue(&mut self, kind: VenueKind, id: &str, original: Option<&str>, quantity: i64, at: Option<&str>) {
        let now = self.world.now;
        let message = VenueMessage {
            kind: kind as u8,
            client_order_id: self.ids[id],
            original_client_order_id: original.map_or(0, |o| self.ids[o]),
            quantity,
            price: at.map_or(0, price),
            ..Default::default()
        };
        assert!(self.world.gate().on_venue(&message, now, now), "{id} is known");
    }

    fn act(&mut self, words: &[&str]) {
        let slot = self.world.instrument_slot();
        match *words {
            ["limits", ref rest @ ..] => {
                for (name, value) in pairs(rest) {
                    let p = Parameter::ALL.iter().find(|p| p.name() == name).unwrap_or_else(|| panic!("{name:?} is no parameter"));
                    pretrade_gate::setup::set_parameter(&mut self.block, *p, value);
                }
                if let Some(tier) = rest.iter().find_map(|w| w.strip_prefix("tier=")) {
                    self.tier = *Tier::ALL.iter().find(|t| t.name() == tier).unwrap();
                }
                self.publish();
            }
            ["row", level, id, ref rest @ ..] => self.row(level, id, rest),
            ["position", quantity] => self.world.hold(quantity.parse().unwrap()),
            ["touch", bid] => {
                let mut quotes = calm_quotes();
                (quotes.bid_price, quotes.ask_price, quotes.slow_reference) = (price(bid), price(bid) + TICK, price(bid));
                self.world.quotes(quotes);
            }
            ["no_prices"] => {
                let mut quotes = calm_quotes();
                (quotes.bid_price, quotes.ask_price) = (UNDEFINED_PRICE, UNDEFINED_PRICE);
                self.world.quotes(quotes);
            }
            ["fill", id, quantity] => self.venue(VenueKind::Filled, id, None, quantity.parse().unwrap(), None),
            ["fill", id, quantity, at] => self.venue(VenueKind::Filled, id, None, quantity.parse().unwrap(), Some(at)),
            ["done", id] => self.venue(VenueKind::Cancelled, id, None, 0, None),
            ["replaced", id, original] => self.venue(VenueKind::Replaced, id, Some(original), 0, None),
            ["kill"] => drop(self.world.tables.controls.arm_kill().unwrap()),
            ["release"] => assert!(self.world.tables.controls.release_kill(self.world.tables.controls.kill_word()).unwrap()),
            ["trip"] => drop(self.world.tables.controls.trip(slot).unwrap()),
            ["resume", id] => {
                self.rows[0].resumed_human = id.parse().unwrap();
                let row = self.rows[0];
                self.world.put(row);
            }
            ["advance", ms] => self.world.advance(ms.parse::<i64>().unwrap() * 1_000_000),
            ["sidecar_silent", ms] => {
                self.world.now += ms.parse::<i64>().unwrap() * 1_000_000;
                self.world.tables.quotes.heartbeat(0, self.world.now, self.world.now).unwrap();
            }
            ["poll"] => {
                let now = self.world.now;
                self.world.gate().poll(now, now).unwrap();
            }
            ["restart"] => self.world.restart(),
            ["fresh"] => *self = Story::new(),
            ["ticket", id, side, quantity, at, ref rest @ ..] => {
                let (of, until) = (pairs(rest), self.world.now + 60 * S);
                let get = |name: &str, otherwise: i64| of.iter().find(|(n, _)| n == name).map_or(otherwise, |(_, v)| *v);
                let (side, price) = (if side == "buy" { 1 } else { 2 }, price(at));
                let (kill, persons) = (get("kill", 0), get("persons", 1));
                let line = format!(
                    "ticket id={id} gateway=0 account=1 instrument={ES} side={side} quantity={quantity} price={price} kill={kill} persons={persons} \
                     until={until}\n"
                );
                self.world.annex(id.parse::<u64>().unwrap() + 1, &line);
            }
            ["restrict", account] => self.world.annex(1, &format!("restrict account={account} instrument={ES}\n")),
            ["reduce_only"] => self.world.tables.controls.set_reduce_only(slot, true).unwrap(),
            ["panic"] => self.world.gate().plant_panic(),
            ["will_not_start", ref rest @ ..] => self.will_not_start(rest),
            ["phase", phase] => {
                let phase = *Phase::ALL.iter().find(|p| p.name() == phase).unwrap_or_else(|| panic!("{phase:?} is no phase"));
                self.world.quotes(pretrade_records::QuotesRecord { phase: phase as u8, ..calm_quotes() });
            }
            ["working", buy, sell] => {
                let cell = self.world.gate().cell(ES, 1).unwrap();
                assert_eq!((cell.working_buy, cell.working_sell), (buy.parse().unwrap(), sell.parse().unwrap()));
            }
            ["worst_buy", most] => {
                let cell = self.world.gate().cell(ES, 1).unwrap();
                assert_eq!(cell.position + cell.working_buy, most.parse::<i64>().unwrap());
            }
            _ => panic!("{words:?} is nothing a story may say"),
        }
    }

    /// A gate with such options is refused before it decides anything.
    fn will_not_start(&mut self, words: &[&str]) {
        let mut options = self.world.options;
        for (name, value) in pairs(words) {
            match name.as_str() {
                "duplicate_count" => options.duplicate_count = value as u32,
                "t1_ns" => options.t1_ns = value,
                "hold_controls" => options.hold_controls = value as u64,
                other => panic!("{other:?} is no option of a story"),
            }
        }
        drop(self.world.gate.take());
        assert!(pretrade_gate::Gate::open(self.world.files.clone(), options).is_err(), "{words:?} starts");
        self.world.restart();
    }

    fn tell(&mut self, line: &str, at: &str) {
        let (said, expected) = line.split_once("->").map_or((line, None), |(said, expected)| (said, Some(expected.trim())));
        let words: Vec<&str> = said.split_whitespace().collect();
        let Some(expected) = expected else { return self.act(&words) };
        let (times, words) = match words.split_first() {
            Some((&"repeat", rest)) => (rest[0].parse().unwrap(), &rest[1..]),
            _ => (1, words.as_slice()),
        };
        for _ in 0..times {
            let decision = self.decide(words);
            let found = text::line(&decision);
            for word in expected.split_whitespace() {
                assert!(found.split_whitespace().any(|w| w == word), "{at}: {line}\n  said {found}");
            }
        }
    }
}

#[test]
fn every_story_ends_as_told() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 22, "a story was lost");
    for file in files {
        let (mut story, name) = (Story::new(), file.file_name().unwrap().to_string_lossy().into_owned());
        let told = std::fs::read_to_string(&file).unwrap();
        assert!(told.contains("->"), "{name} decides nothing");
        for (number, line) in told.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#')) {
            story.tell(line, &format!("{name}:{}", number + 1));
        }
    }
}
