// SPDX-License-Identifier: Apache-2.0
//! Bytes of a FIX counterparty: framing makes progress and stays inside the bytes, and a session fed with whatever passes
//! the frame, its length and checksum repaired so that the deeper parts are reached, answers only with whole messages.
#![no_main]
use libfuzzer_sys::fuzz_target;
use pretrade_fix::field::Fields;
use pretrade_fix::frame::{Frame, checksum, find};
use pretrade_fix::header::Header;
use pretrade_fix::order_fields::{Cuts, OrderFields, ReportFields};
use pretrade_fix::session::{Now, Receipt, Session, SessionSettings};
use pretrade_fix::store::Store;
use pretrade_fix::validate::Tolerance;

const NOW: Now = Now { mono: 1_000_000_000, utc: 1_795_530_600_000_000_000 };

fuzz_target!(|bytes: &[u8]| {
    walk(bytes);
    let mut session = logged_on();
    // A message per line: what stands there is a body, or a head and a body, with `|` as separator.
    for line in bytes.split(|b| *b == b'\n').take(8) {
        let message = repaired(line);
        if let Frame::Whole(n) = find(&message) {
            talk(&mut session, &message[..n]);
        }
    }
});

fn walk(bytes: &[u8]) {
    let mut at = 0;
    loop {
        match find(&bytes[at..]) {
            Frame::Incomplete => return,
            Frame::Garbled(n) => {
                assert!(n > 0 && at + n <= bytes.len());
                at += n;
            }
            Frame::Whole(n) => {
                assert!(n > 0 && at + n <= bytes.len());
                read(&bytes[at..at + n]);
                at += n;
            }
        }
    }
}

fn read(message: &[u8]) {
    let Ok(header) = Header::read(message) else { return };
    assert!(header.body <= header.end && header.end <= message.len());
    let mut fields = Fields::new(message, header.body, header.end);
    let mut last = header.body;
    while let Ok(Some(field)) = fields.next_field() {
        assert!(field.start == last && field.end > field.start && field.end <= header.end);
        last = field.end;
    }
    if let Ok(cuts) = Cuts::of(message, &header, 8011) {
        let mut out = Vec::new();
        cuts.copy(message, header.body, header.end, &mut out);
        let mut fields = Fields::new(&out, 0, out.len());
        while let Ok(Some(field)) = fields.next_field() {
            assert!(!matches!(field.tag, 8011 | 20012..=20015), "an internal field goes out");
        }
    }
    let _ = OrderFields::read(message, &header, 8011);
    let _ = ReportFields::read(message, &header, 8011);
}

fn repaired(line: &[u8]) -> Vec<u8> {
    let mut body: Vec<u8> = line.iter().map(|b| if *b == b'|' { 1 } else { *b }).collect();
    if body.last() != Some(&1) {
        body.push(1);
    }
    let mut message = format!("8=FIX.4.4\u{1}9={}\u{1}", body.len()).into_bytes();
    message.append(&mut body);
    let sum = checksum(&message);
    message.extend_from_slice(format!("10={sum:03}\u{1}").as_bytes());
    message
}

fn logged_on() -> Session {
    let settings = SessionSettings {
        begin_string: b"FIX.4.4".to_vec(),
        sender: b"G".to_vec(),
        target: b"E".to_vec(),
        appl_ver_id: None,
        is_initiator: false,
        heartbeat_s: 30,
        reset_at_logon: false,
        resends_application: true,
        max_latency_s: 120,
        dictionary: None,
        tolerance: Tolerance::default(),
    };
    let mut session = Session::new(settings, Store::memory());
    session.connected(NOW).expect("a store in memory");
    talk(&mut session, &repaired(b"35=A|34=1|49=E|52=20261124-14:30:00|56=G|98=0|108=30|"));
    assert!(session.is_logged_on());
    session
}

fn talk(session: &mut Session, message: &[u8]) {
    let Ok(header) = Header::read(message) else { return };
    let before = session.store().next_in();
    let receipt = session.receive(message, &header, NOW).expect("a store in memory");
    if receipt == Receipt::Deliver {
        assert_eq!(header.seq, Some(before), "delivered out of turn");
        session.send(b"8", NOW, |out| out.extend_from_slice(b"37=x\x01"));
        session.taken();
    }
    while let Some(queued) = session.next_queued() {
        if let Ok(header) = Header::read(&queued)
            && session.receive(&queued, &header, NOW).expect("a store in memory") == Receipt::Deliver
        {
            session.taken();
        }
    }
    session.commit().expect("a store in memory");
    let out = std::mem::take(session.outgoing());
    let mut at = 0;
    while at < out.len() {
        let Frame::Whole(n) = find(&out[at..]) else { panic!("no whole message goes out: {}", String::from_utf8_lossy(&out[at..])) };
        at += n;
    }
    if receipt == Receipt::Close {
        session.disconnected();
        session.connected(NOW).expect("a store in memory");
    }
}
