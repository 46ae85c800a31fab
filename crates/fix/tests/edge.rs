// SPDX-License-Identifier: Apache-2.0
//! Conversations through the whole edge: sockets in, gate, sockets out.
mod street;
use pretrade_fix::edge::{Answer, Ask};
use pretrade_gate::holds::{HoldOutcome, Reviewed};
use pretrade_gate::{Gate, GateFiles, GateOptions};
use pretrade_journal::GateJournalOptions;
use pretrade_shm::clock::boot_domain;
use street::{Peer, Street};

const V44: &str = "FIX.4.4";

#[test]
fn an_order_passes_with_a_new_header_and_nothing_internal() {
    let street = Street::new("passes", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.say("35=D|", "11=a|1=ACC1|8011=RiskAlert_Normal|55=ES|54=1|38=10|40=2|44=4800.00|59=0|60=NOW|20012=0.9|20014=9|6000=mine|");
    let heard = venue.expect("35=D|34=2|49=GATE|56=VENUE|11=a|1=ACC1|55=ES|54=1|38=10|44=4800.00|6000=mine|");
    for tag in ["8011", "20012", "20014"] {
        assert!(!heard.contains(&format!("|{tag}=")), "{heard}");
    }
    venue.report("a", "0", "0", "151=10|14=0|6=0|");
    ems.expect("35=8|34=2|49=GATE|56=EMS|11=a|150=0|8011=RiskAlert_Normal|20013=0|");
    serving.stop();
}

#[test]
fn a_refused_order_is_answered_and_never_seen_by_the_venue() {
    for (version, own, reason) in [(V44, "150=8|39=8|", "103=3"), ("FIX.4.2", "20=0|150=8|39=8|", "103=3")] {
        let street = Street::new(&format!("refused-{version}"), version);
        let serving = street.serve();
        let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
        ems.order("big", 2, 200, "4800.25");
        let heard = ems.expect(&format!("35=8|11=big|1=ACC1|55=ES|54=2|6=0|14=0|151=0|{own}{reason}|8011=RiskAlert_Normal|"));
        assert!(Peer::value(&heard, 58).starts_with("RISK:ORDER_EXCEEDS_LIMIT quantity=200 limit=50 unit=lots ver="), "{heard}");
        ems.say("35=D|", "11=foreign|1=ACC2|55=ES|54=1|38=1|40=2|44=4800.00|60=NOW|");
        assert!(Peer::value(&ems.expect("35=8|11=foreign|39=8|"), 58).starts_with("RISK:PARTY_NOT_AUTHORISED"));
        ems.say("35=D|", "11=nowhere|1=ACC1|55=XX|54=1|38=1|40=2|44=4800.00|60=NOW|");
        assert!(Peer::value(&ems.expect("35=8|11=nowhere|103=1|"), 58).starts_with("RISK:UNKNOWN_INSTRUMENT"));
        ems.order("big", 1, 1, "4800.00");
        assert!(Peer::value(&ems.expect("35=8|11=big|103=6|"), 58).starts_with("RISK:DUPLICATE_CLIENT_ORDER_ID"));
        venue.expect_silence();
        serving.stop();
    }
}

#[test]
fn each_kind_of_refusal_has_its_message() {
    let street = Street::new("kinds", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.say("35=D|", "11=a|1=ACC1|55=ES|54=1|38=10|38=40|40=2|44=4800.00|60=NOW|");
    ems.expect("35=3|45=2|371=38|372=D|373=13|");
    ems.say("35=D|", "1=ACC1|55=ES|54=1|38=10|40=2|44=4800.00|60=NOW|");
    ems.expect("35=3|371=11|373=1|");
    ems.say("35=D|", "11=b|1=ACC1|55=ES|54=1|38=10|40=2|44=4800.00|60=yesterday|");
    ems.expect("35=3|371=60|373=6|");
    ems.say("35=D|", "11=c|1=ACC1|55=ES|54=1|38=10|40=2|60=NOW|");
    ems.expect("35=j|372=D|380=5|");
    ems.say("35=E|", "66=list|");
    ems.expect("35=j|372=E|380=3|");
    ems.say("35=D|", "11=d|1=ACC1|55=ES|54=8|38=10|40=2|44=4800.00|60=NOW|");
    ems.expect("35=8|11=d|39=8|103=11|");
    ems.say("35=D|", "11=e|1=ACC1|55=ES|54=1|38=1.5|40=2|44=4800.00|60=NOW|");
    ems.expect("35=8|11=e|39=8|103=13|");
    ems.say("35=F|", "11=f|41=never|55=ES|54=1|60=NOW|");
    ems.expect("35=9|11=f|41=never|434=1|102=1|39=8|");
    ems.say("35=V|", "262=md|8011=x|");
    assert!(!venue.expect("35=V|262=md|").contains("8011"));
    serving.stop();
}

#[test]
fn fills_cancels_and_replaces_move_the_exposure() {
    let street = Street::new("exposure", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.order("a", 1, 40, "4800.00");
    venue.expect("35=D|11=a|");
    venue.report("a", "F", "1", "14=15|32=15|31=4800|151=25|1=ACC1|");
    ems.expect("35=8|11=a|32=15|");
    // The same report once more, and one that counts on from it: what was filled is filled once.
    venue.say("35=8|97=Y|", "37=Va|11=a|17=E2|150=F|39=1|55=ES|54=1|14=15|32=15|31=4800|151=25|1=ACC1|");
    ems.expect("35=8|11=a|32=15|");
    ems.say("35=G|", "11=b|41=a|1=ACC1|55=ES|54=1|38=30|40=2|44=4800.00|60=NOW|");
    venue.expect("35=G|11=b|41=a|38=30|");
    venue.report("b", "5", "5", "41=a|14=15|151=15|1=ACC1|");
    ems.expect("35=8|11=b|150=5|");
    ems.say("35=F|", "11=c|41=b|1=ACC1|55=ES|54=1|60=NOW|");
    venue.expect("35=F|11=c|41=b|");
    ems.say("35=F|", "11=d|41=b|1=ACC1|55=ES|54=1|60=NOW|");
    ems.expect("35=9|11=d|41=b|102=3|434=1|");
    venue.report("c", "4", "4", "41=b|14=15|151=0|1=ACC1|");
    ems.expect("35=8|11=c|150=4|");
    ems.say("35=F|", "11=e|41=b|1=ACC1|55=ES|54=1|60=NOW|");
    ems.expect("35=9|11=e|102=1|");
    venue.expect_silence();
    serving.stop();
    let gate = reopen(&street);
    assert_eq!(gate.position(1, 1), Some(15));
    let cell = gate.cell(1, 1).unwrap();
    assert_eq!((cell.working_buy, cell.working_sell, gate.open_orders()), (0, 0, 0));
}

#[test]
fn a_venue_that_refuses_frees_what_was_counted() {
    let street = Street::new("venue-refuses", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.order("a", 1, 40, "4800.00");
    let sent = venue.expect("35=D|11=a|");
    venue.say("35=3|", &format!("45={}|372=D|58=no such thing|", Peer::value(&sent, 34)));
    ems.expect("35=8|11=a|39=8|58=VENUE:no such thing|");
    ems.order("b", 1, 40, "4800.00");
    venue.expect("35=D|11=b|");
    venue.report("b", "8", "8", "58=closed|");
    ems.expect("35=8|11=b|39=8|58=closed|");
    serving.stop();
    let gate = reopen(&street);
    assert_eq!((gate.cell(1, 1).unwrap().working_buy, gate.position(1, 1)), (0, Some(0)));
}

#[test]
fn one_client_cannot_touch_the_orders_of_another() {
    let street = Street::new("owners", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    let mut other = street.ems(&serving, "OTHER", 1);
    ems.order("a", 1, 5, "4800.00");
    venue.expect("35=D|11=a|");
    other.say("35=F|", "11=x|41=a|55=ES|54=1|60=NOW|");
    other.expect("35=9|11=x|41=a|102=1|");
    other.order("a", 1, 5, "4800.00");
    other.expect("35=8|11=a|103=6|");
    other.order("o", 1, 5, "4800.00");
    venue.expect("35=D|11=o|1=ACC2|");
    venue.report("o", "0", "0", "");
    other.expect("35=8|11=o|150=0|");
    ems.expect_silence();
    venue.expect_silence();
    serving.stop();
}

#[test]
fn without_a_venue_nothing_is_decided() {
    let street = Street::new("no-venue", V44);
    let serving = street.serve();
    let venue = street.venue(1);
    let mut ems = street.ems(&serving, "EMS", 1);
    drop(venue);
    assert!(serving.line().contains("venue's session is down"));
    ems.order("a", 1, 5, "4800.00");
    ems.expect("35=j|372=D|380=4|58=GATEWAY:VENUE_NOT_LOGGED_ON|");
    serving.stop();
    assert!(!reopen(&street).is_decided(pretrade_fix::ids::order_id(b"a"), 1));
}

#[test]
fn the_orders_of_a_lost_client_are_cancelled() {
    let street = Street::new("lost", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.order("a", 1, 5, "4800.00");
    venue.expect("35=D|11=a|");
    drop(ems);
    let cancel = venue.expect("35=F|41=a|55=ES|54=1|38=5|1=ACC1|");
    venue.report(&Peer::value(&cancel, 11), "4", "4", "41=a|14=0|");
    venue.expect_silence();
    // What the client missed is a gap at its next logon.
    let mut ems = Peer::new(std::net::TcpStream::connect(("127.0.0.1", serving.port)).unwrap(), V44, "EMS", 3);
    ems.say("35=A|", "98=0|108=30|");
    ems.expect("35=A|34=3|");
    ems.say("35=2|", "7=2|16=0|");
    ems.expect("35=8|34=2|43=Y|150=4|41=a|");
    serving.stop();
    assert_eq!(reopen(&street).open_orders(), 0);
}

#[test]
fn after_a_restart_doubt_is_asked_about_and_nothing_is_sent_twice() {
    let street = Street::new("restart", V44);
    let serving = street.serve();
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.order("a", 1, 5, "4800.00");
    venue.expect("35=D|34=2|11=a|");
    serving.stop();
    drop((venue, ems));
    let serving = street.serve();
    assert!(serving.line().contains("1 orders in doubt after a restart, counted as working and not sent again: a"));
    let mut venue = street.venue(2);
    venue.expect("35=H|11=a|54=1|55=ES|");
    // A gap that the venue sees is filled, never resent.
    venue.say("35=2|", "7=2|16=2|");
    venue.expect("35=4|34=2|43=Y|123=Y|36=3|");
    let mut ems = street.ems(&serving, "EMS", 3);
    ems.expect("35=8|11=a|150=I|39=A|");
    ems.say_as(2, "35=D|43=Y|122=20200101-00:00:00|", "11=a|1=ACC1|55=ES|54=1|38=5|40=2|44=4800.00|59=0|60=NOW|");
    ems.expect_silence();
    ems.say("35=D|97=Y|", "11=a|1=ACC1|55=ES|54=1|38=5|40=2|44=4800.00|59=0|60=NOW|");
    ems.expect_silence();
    venue.expect_silence();
    venue.report("a", "I", "1", "14=2|151=3|1=ACC1|");
    ems.expect("35=8|11=a|150=I|");
    serving.stop();
    let gate = reopen(&street);
    assert_eq!((gate.position(1, 1), gate.cell(1, 1).unwrap().working_buy), (Some(2), 3));
}

#[test]
fn a_flagged_order_waits_for_a_person_and_is_sent_as_that_person_let_it() {
    let street = Street::new("hold", V44);
    let serving = street.serve_with(1 << 12);
    let (mut venue, mut ems) = (street.venue(1), street.ems(&serving, "EMS", 1));
    ems.order("big", 1, 200, "4800.00");
    let heard = ems.expect("35=8|11=big|150=A|39=A|14=0|");
    assert!(Peer::value(&heard, 58).starts_with("HOLD:ORDER_EXCEEDS_LIMIT quantity=200 limit=50"), "{heard}");
    venue.expect_silence();
    let Some(Answer::Holds(rows)) = serving.desk.ask(Ask::Holds) else { panic!("no answer") };
    assert_eq!(rows.len(), 1);
    let id = rows[0].0.client_order_id;
    let by = Reviewed { entry: 1, ts: i64::MAX, persons: 2 };
    let Some(Answer::Outcome(HoldOutcome::Decided(_, Some(_)))) = serving.desk.ask(Ask::Release(id, 1, Some(120), by)) else { panic!("not let") };
    ems.expect("35=8|11=big|150=5|38=120|");
    venue.expect("35=D|11=big|38=120|44=4800.00|");
    venue.report("big", "0", "0", "151=120|14=0|");
    ems.expect("35=8|11=big|150=0|");
    ems.order("next", 1, 300, "4800.00");
    ems.expect("35=8|11=next|150=A|");
    ems.say("35=F|", "11=c|41=next|1=ACC1|55=ES|54=1|60=NOW|");
    ems.expect("35=8|11=c|41=next|150=4|39=4|");
    ems.order("third", 1, 300, "4800.00");
    ems.expect("35=8|11=third|150=A|");
    let third = pretrade_fix::ids::order_id(b"third");
    serving.desk.ask(Ask::Refuse(third, 1, Some(by))).unwrap();
    assert!(Peer::value(&ems.expect("35=8|11=third|150=8|39=8|"), 58).starts_with("RISK:HOLD_REFUSED"));
    venue.expect_silence();
    serving.stop();
    let gate = reopen(&street);
    assert_eq!((gate.cell(1, 1).unwrap().working_buy, gate.open_orders()), (120, 1));
}

/// The gate alone, rebuilt from its journal.
fn reopen(street: &Street) -> Gate {
    let domain = boot_domain().unwrap();
    let directory = &street.directory;
    let mut files = GateFiles::in_directory(directory, 0, domain);
    files.journal = Some(GateJournalOptions::new(&directory.join("gate-0.ring"), &directory.join("journals/gate-0.journal"), 0, domain));
    Gate::open(files, GateOptions::default()).unwrap()
}
