// SPDX-License-Identifier: Apache-2.0
//! Beside plain orders: drop copies, the venue's countdown, orders in doubt, mass cancels, short sales, exit tickets.
mod street;

use pretrade_shm::controls::row_flags;
use street::{Peer, Street};

const FIX: &str = "FIX.4.4";

#[test]
fn a_drop_copy_hears_what_order_systems_hear_and_says_nothing() {
    let mut street = Street::new("copies", FIX);
    street.more = format!(r#","drop_copies":[{}]"#, street.session("RISKDESK"));
    let serving = street.serve();
    let mut venue = street.venue(1);
    let (mut ems, mut other, mut desk) = (street.ems(&serving, "EMS", 1), street.ems(&serving, "OTHER", 1), street.ems(&serving, "RISKDESK", 1));
    ems.order("A1", 1, 10, "4800.00");
    venue.expect("35=D|11=A1|");
    venue.report("A1", "0", "0", "14=0|151=10|");
    ems.expect("35=8|11=A1|150=0|8011=RiskAlert_Normal|");
    let copy = desk.expect("35=8|11=A1|150=0|797=Y|");
    assert!(!copy.contains("|8011="), "{copy}");
    other.order("B1", 1, 200, "4800.00");
    other.expect("35=8|11=B1|39=8|");
    assert!(desk.expect("35=8|11=B1|39=8|797=Y|").contains("|58=RISK:ORDER_EXCEEDS_LIMIT quantity=200 limit=50"));
    ems.say("35=F|", "11=A2|41=NEVER|54=1|55=ES|60=NOW|");
    ems.expect("35=9|11=A2|");
    desk.expect("35=9|11=A2|797=Y|");
    desk.say("35=D|", "11=D1|1=ACC1|55=ES|54=1|38=1|40=2|44=4800.00|59=0|60=NOW|");
    desk.expect("35=j|372=D|380=3|");
    venue.expect_silence();
    // What it missed while it was away is there when it is back.
    drop(desk);
    venue.report("A1", "F", "2", "14=10|151=0|31=4800|32=10|");
    ems.expect("35=8|11=A1|39=2|");
    let mut desk = street.ems(&serving, "RISKDESK", 3);
    desk.say("35=2|", "7=6|16=0|");
    desk.expect("35=8|11=A1|39=2|797=Y|43=Y|");
    serving.stop();
}

#[test]
fn the_venues_countdown_is_set_anew_while_the_loop_runs() {
    let mut street = Street::new("deadman", FIX);
    street.more = r#","dead_man":{"every_s":1.0,"msg_type":"UCOD","fields":"9001=10|58=still here|"}"#.to_owned();
    let serving = street.serve();
    let mut venue = street.venue(1);
    for _ in 0..3 {
        venue.expect("35=UCOD|9001=10|58=still here|");
    }
    serving.stop();
}

#[test]
fn a_client_hears_which_of_its_orders_are_in_doubt() {
    let street = Street::new("doubt", FIX);
    let serving = street.serve();
    let mut venue = street.venue(1);
    let (mut ems, mut other) = (street.ems(&serving, "EMS", 1), street.ems(&serving, "OTHER", 1));
    ems.order("A1", 2, 10, "4800.25");
    venue.expect("35=D|11=A1|");
    other.order("B1", 1, 5, "4800.00");
    venue.expect("35=D|11=B1|");
    serving.stop();
    drop((venue, ems, other));
    let serving = street.serve();
    let mut ems = street.ems(&serving, "EMS", 3);
    let told = ems.expect("35=8|150=I|39=A|11=A1|54=2|55=ES|38=10|1=ACC1|");
    assert!(Peer::value(&told, 58).starts_with("GATEWAY:IN_DOUBT"), "{told}");
    ems.expect_silence();
    let mut venue = street.venue(2);
    let asked: Vec<String> = (0..2).map(|_| Peer::value(&venue.expect("35=H|"), 11)).collect();
    assert!(asked.contains(&"A1".to_owned()) && asked.contains(&"B1".to_owned()), "{asked:?}");
    venue.report("A1", "I", "0", "14=0|151=10|");
    ems.expect("35=8|11=A1|150=I|39=0|");
    drop(ems);
    let mut ems = street.ems(&serving, "EMS", 5);
    ems.expect_silence();
    serving.stop();
}

#[test]
fn a_mass_cancel_takes_the_clients_own_orders_alone() {
    let street = Street::new("mass", FIX);
    let serving = street.serve();
    let mut venue = street.venue(1);
    let (mut ems, mut other) = (street.ems(&serving, "EMS", 1), street.ems(&serving, "OTHER", 1));
    for (id, side) in [("A1", 1), ("A2", 2)] {
        ems.order(id, side, 10, if side == 1 { "4800.00" } else { "4800.25" });
        venue.expect(&format!("35=D|11={id}|"));
    }
    other.order("B1", 1, 5, "4800.00");
    venue.expect("35=D|11=B1|");
    for (request, reason) in [("11=M0|530=7|1=ACC2|", "532=99|"), ("11=M0|530=1|55=NQ|", "532=1|"), ("11=M0|530=3|", "532=0|")] {
        ems.say("35=q|", &format!("{request}60=NOW|"));
        ems.expect(&format!("35=r|531=0|{reason}11=M0|"));
    }
    venue.expect_silence();
    ems.say("35=q|", "11=M1|530=1|55=ES|54=2|60=NOW|");
    ems.expect("35=r|11=M1|530=1|531=1|533=1|");
    venue.expect("35=F|41=A2|54=2|55=ES|38=10|1=ACC1|");
    ems.say("35=q|", "11=M2|530=7|60=NOW|");
    ems.expect("35=r|11=M2|530=7|531=7|533=1|");
    venue.expect("35=F|41=A1|");
    venue.expect_silence();
    ems.say("35=q|", "11=M3|60=NOW|");
    ems.expect("35=3|371=530|372=q|");
    serving.stop();
}

#[test]
fn a_short_sale_passes_with_a_locate_and_not_without() {
    let street = Street::with_flags("locate", FIX, row_flags::NEEDS_LOCATE);
    let serving = street.serve();
    let mut venue = street.venue(1);
    let mut ems = street.ems(&serving, "EMS", 1);
    let sell = |side: u8, id: &str, more: &str| format!("11={id}|1=ACC1|55=ES|54={side}|38=5|40=2|44=4800.25|59=0|60=NOW|{more}");
    for (side, id, more) in [(5, "S1", ""), (5, "S2", "114=Y|"), (2, "S3", "")] {
        ems.say("35=D|", &sell(side, id, more));
        assert!(Peer::value(&ems.expect(&format!("35=8|11={id}|39=8|")), 58).starts_with("RISK:SHORT_SALE_NOT_PERMITTED"), "{id}");
    }
    ems.say("35=D|", &sell(5, "S4", "114=N|"));
    venue.expect("35=D|11=S4|54=5|114=N|");
    // Its fill is a sale.
    venue.say("35=8|", "37=V|11=S4|17=F1|150=F|39=2|55=ES|54=5|14=5|151=0|31=4800.25|32=5|");
    ems.expect("35=8|11=S4|39=2|");
    ems.order("C1", 1, 5, "4800.00");
    venue.expect("35=D|11=C1|");
    serving.stop();
}

#[test]
fn a_ticket_that_nobody_gave_out_is_refused_and_its_number_stays_inside() {
    let street = Street::new("ticket", FIX);
    let serving = street.serve();
    let mut venue = street.venue(1);
    let mut ems = street.ems(&serving, "EMS", 1);
    for (id, ticket) in [("T1", "7"), ("T2", "seven")] {
        ems.say("35=D|", &format!("11={id}|1=ACC1|55=ES|54=1|38=5|40=2|44=4800.00|59=0|60=NOW|20015={ticket}|"));
        assert!(Peer::value(&ems.expect(&format!("35=8|11={id}|39=8|")), 58).starts_with("RISK:EXIT_NOT_VERIFIED"), "{id}");
    }
    venue.expect_silence();
    serving.stop();
}

#[test]
fn a_countdown_message_that_is_an_order_stops_the_start() {
    let mut street = Street::new("deadman-order", FIX);
    for (table, what) in [
        (r#"{"every_s":1.0,"msg_type":"D","fields":""}"#, "goes out unchecked"),
        (r#"{"every_s":0.1,"msg_type":"UCOD","fields":""}"#, "must be 1 or more"),
        (r#"{"every_s":1.0,"msg_type":"UCOD","fields":"58"}"#, "are not"),
    ] {
        street.more = format!(r#","dead_man":{table}"#);
        assert!(street.read_settings().unwrap_err().contains(what), "{table}");
    }
}
