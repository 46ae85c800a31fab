// SPDX-License-Identifier: Apache-2.0
//! The three profiles of protections in the simulated market, through the fall of the story.
use pretrade_records::order::Action;
use pretrade_records::{Event, EventFlags, EventKind, Order, OrderType, Phase, Side, TimeInForce, VenueKind};
use pretrade_venue::engine::SelfTrade;
use pretrade_venue::exchange::{Rules, StopLogic};
use pretrade_venue::parameters::Protections;
use pretrade_venue::{Entry, Market, Parameters};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;
const ONSET: i64 = 120 * SECOND;

fn crash(protections: Protections) -> Parameters {
    Parameters { seller_start: ONSET, protections, ..Parameters::default() }
}

fn profile(name: &str) -> Protections {
    Protections::Profile(name.to_owned())
}

fn run(p: Parameters, seconds: i64) -> Market {
    let mut market = Market::new(p, 4, 0);
    market.run_until(seconds * SECOND);
    market
}

/// Every change of state: when, and to what.
fn states(market: &Market) -> Vec<(i64, u64)> {
    market.recorder.events.iter().filter(|e| e.kind == EventKind::Status as u8).map(|e| (e.ts_event, e.aux)).collect()
}

/// The fall in per cent at its lowest trade.
fn low_pct(market: &Market) -> f64 {
    let trades = market.recorder.events.iter().filter(|e| e.kind == EventKind::Trade as u8);
    let (before, after): (Vec<&Event>, Vec<&Event>) = trades.partition(|e| e.ts_event < ONSET);
    let start = before.last().unwrap().price as f64;
    100.0 * (1.0 - after.iter().map(|e| e.price).min().unwrap() as f64 / start)
}

const CYCLE: [u64; 3] = [Phase::Halted as u64, Phase::Auction as u64, Phase::Continuous as u64];

#[test]
fn profile_off_never_stops_the_fall() {
    let market = run(crash(profile("off")), 200);
    assert!(states(&market).is_empty());
    assert!(low_pct(&market) > 2.5, "{}", low_pct(&market));
}

#[test]
fn profile_late_reserves_once_for_ten_seconds_and_reopens_by_auction() {
    let market = run(crash(profile("late")), 240);
    let states = states(&market);
    assert_eq!(states.iter().map(|s| s.1).collect::<Vec<_>>(), CYCLE);
    assert_eq!((states[1].0 - states[0].0, states[2].0), (10 * SECOND, states[1].0));
    let paused = market.recorder.events.iter().filter(|e| states[0].0 < e.ts_event && e.ts_event < states[1].0);
    let kinds: Vec<u8> = paused.map(|e| e.kind).collect();
    assert!(kinds.len() > 100 && !kinds.contains(&(EventKind::Trade as u8)), "orders and cancels enter, nothing trades");
}

#[test]
fn profile_full_stops_the_fall_again_and_again() {
    let market = run(crash(profile("full")), 240);
    let pauses = states(&market).iter().filter(|s| [Phase::Halted as u64, Phase::PreOpen as u64].contains(&s.1)).count();
    assert!(pauses >= 2, "{pauses}");
    assert_eq!(market.engine.phase(), Phase::Continuous);
}

#[test]
fn rules_of_ones_own_stand_beside_the_profiles() {
    let json = r#"{"protections": {"stop_logic": {"ticks": 12, "reserved_ns": 3000000000}}}"#;
    let p: Parameters = serde_json::from_str(json).unwrap();
    let expected = Rules { stop_logic: Some(StopLogic { ticks: 12, reserved_ns: 3 * SECOND }), ..Rules::off() };
    assert_eq!(p.protections.rules(), Some(expected));
    assert_eq!(profile("sometimes").rules(), None);
    assert!(serde_json::from_str::<Parameters>(r#"{"protections": {"stop": 1}}"#).is_err());
}

#[test]
fn before_the_first_halt_a_profile_changes_nothing_and_the_same_seed_gives_the_same_bytes() {
    let (off, late) = (run(crash(profile("off")), 240), run(crash(profile("late")), 240));
    let halted = states(&late)[0].0;
    let until = |m: &Market| m.recorder.events.iter().take_while(|e| e.ts_event < halted).copied().collect::<Vec<Event>>();
    assert_eq!(until(&off), until(&late));
    assert_eq!(late.recorder.hash(), run(crash(profile("late")), 240).recorder.hash());
    assert_ne!(late.recorder.hash(), off.recorder.hash());
}

#[test]
fn a_fall_with_auctions_adds_up_and_its_book_is_uncrossed_while_it_trades() {
    let market = run(crash(profile("full")), 240);
    let mut live = BTreeMap::<u64, (u8, i64, i64)>::new();
    let mut levels = [BTreeMap::<i64, i64>::new(), BTreeMap::new()];
    let (mut contracts, mut cash, mut phase) = (0i64, 0i128, Phase::Continuous as u64);
    for e in &market.recorder.events {
        let change = match e.kind {
            1 => e.size,
            3 | 4 => -e.size,
            12 => {
                phase = e.aux;
                0
            }
            _ => 0,
        };
        if change != 0 {
            let order = live.entry(e.order_id).or_insert((e.side, e.price, 0));
            order.2 += change;
            assert!(order.2 >= 0, "order {} overdrawn", e.order_id);
            let level = levels[usize::from(order.0 == Side::Ask as u8)].entry(order.1).or_insert(0);
            *level += change;
        }
        if e.kind == 4 || (e.kind == 7 && e.side != Side::None as u8) {
            let signed = if e.side == Side::Bid as u8 { e.size } else { -e.size };
            contracts += signed;
            cash -= i128::from(signed) * i128::from(e.price);
        }
        if e.has(EventFlags::LAST) {
            assert_eq!((contracts, cash), (0, 0), "after event {}", e.sequence);
            levels.iter_mut().for_each(|side| side.retain(|_, size| *size > 0));
            let (bid, ask) = (levels[0].keys().next_back(), levels[1].keys().next());
            let is_crossed = bid.zip(ask).is_some_and(|(b, a)| b >= a);
            assert!(!(is_crossed && phase == Phase::Continuous as u64), "crossed after event {}", e.sequence);
        }
    }
}

fn order(id: u64, tif: TimeInForce) -> Order {
    Order {
        client_order_id: id,
        price: 4_700_000_000_000,
        quantity: 3,
        instrument_id: 1,
        account_id: 1,
        side: Side::Bid as u8,
        order_type: OrderType::Limit as u8,
        time_in_force: tif as u8,
        action: Action::New as u8,
        ..Default::default()
    }
}

#[test]
fn a_reserved_market_rejects_immediate_orders_takes_resting_ones_and_cancels() {
    let halted = states(&run(crash(profile("late")), 240))[0].0;
    let p = crash(profile("late"));
    let mut entry = Entry::new(Market::new(p.clone(), 4, 0), p.tick_size);
    entry.market.run_until(halted + SECOND);
    entry.submit(&order(1, TimeInForce::ImmediateOrCancel), 1);
    entry.submit(&order(2, TimeInForce::Day), 1);
    let cancel = Order { client_order_id: 3, original_client_order_id: 2, action: Action::Cancel as u8, ..order(3, TimeInForce::Day) };
    entry.submit(&cancel, 1);
    let said: Vec<u8> = entry.reports(1).iter().map(|e| (e.flags >> 8) as u8).collect();
    assert_eq!(said, [VenueKind::Rejected as u8, VenueKind::Acknowledged as u8, VenueKind::Cancelled as u8]);
}

#[test]
fn self_trade_prevention_of_a_market_goes_by_account() {
    let own = Rules { self_trade: SelfTrade::CancelNewest, ..Rules::off() };
    let p = Parameters { protections: Protections::Own(own), ..Parameters::default() };
    let mut entry = Entry::new(Market::new(p.clone(), 4, 0), p.tick_size);
    entry.market.run_until(10 * SECOND);
    let inside = i64::from(entry.market.engine.best_ask().unwrap()) * p.tick_size;
    let to = |id, account_id, side: Side, tif| Order { price: inside, account_id, side: side as u8, ..order(id, tif) };
    // Ahead of all at a price of its own.
    let lots = entry.market.engine.size_at(entry.market.engine.best_ask().unwrap());
    entry.submit(&Order { quantity: lots, ..to(1, 9, Side::Bid, TimeInForce::ImmediateOrCancel) }, 1);
    entry.submit(&to(2, 5, Side::Ask, TimeInForce::Day), 1);
    entry.submit(&to(3, 5, Side::Bid, TimeInForce::ImmediateOrCancel), 1);
    entry.submit(&to(4, 6, Side::Bid, TimeInForce::ImmediateOrCancel), 1);
    let fills: Vec<(u64, i64)> = entry.reports(1).iter().filter(|e| e.kind == EventKind::OwnExecution as u8).map(|e| (e.order_id, e.size)).collect();
    assert_eq!(fills[1..], [(4, 3), (2, 3)], "{fills:?}");
}
