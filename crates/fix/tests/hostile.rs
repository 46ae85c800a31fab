// SPDX-License-Identifier: Apache-2.0
//! What a broken or hostile counterparty sends, and the one right answer to each (`controls` 5, sequence numbers; 7, faults).
mod street;

use pretrade_fix::frame::checksum;
use street::{Peer, Serving, Street};

const FIX: &str = "FIX.4.4";

/// Bytes and what must come of them.
enum Then {
    /// Nothing is said and the session goes on: the bytes were no message, and no number was used.
    Ignored,
    /// One message with these fields, and the session goes on.
    Answered(&'static str),
    /// A Logout with this text, and the connection ends.
    LoggedOut(&'static str),
}

/// A message of EMS with number `seq`, fields joined by `|`; length and sum can be made wrong.
fn message(seq: u64, head: &str, body: &str, length: Option<usize>, sum_off: u8) -> Vec<u8> {
    let mut stamp = pretrade_fix::time::Stamp::default();
    let time = String::from_utf8(stamp.text(pretrade_fix::wire::clock_utc()).to_vec()).unwrap();
    let text = format!("{head}34={seq}|49=EMS|52={time}|56=GATE|{}", body.replace("NOW", &time)).replace('|', "\u{1}");
    let text = format!("8={FIX}\u{1}9={}\u{1}{text}", length.unwrap_or(text.len()));
    let sum = checksum(text.as_bytes()).wrapping_add(sum_off);
    format!("{text}10={sum:03}\u{1}").into_bytes()
}

const ORDER: &str = "11=H1|1=ACC1|55=ES|54=1|38=5|40=2|44=4800.00|59=0|60=NOW|";
const SEEN: &str = "11=A1|1=ACC1|55=ES|54=1|38=5|40=2|44=4800.00|59=0|60=NOW|";

#[test]
fn each_kind_of_bad_input_gets_its_answer() {
    // EMS has logged on (1) and sent order A1 (2): 3 is due.
    let rows: Vec<(&str, Vec<u8>, Then)> = vec![
        ("noise", b"\x00\xffGET / HTTP/1.1\r\n\r\n".to_vec(), Then::Ignored),
        ("wrong checksum", message(3, "35=D|", ORDER, None, 1), Then::Ignored),
        ("wrong length", message(3, "35=D|", ORDER, Some(40), 0), Then::Ignored),
        ("giant length", b"8=FIX.4.4\x019=99999999999999999999\x0135=D\x01".to_vec(), Then::Ignored),
        ("length beyond the largest message", b"8=FIX.4.4\x019=65537\x0135=D\x01".to_vec(), Then::Ignored),
        ("required field missing", message(3, "35=D|", "11=H1|1=ACC1|55=ES|38=5|40=1|60=NOW|", None, 0), Then::Answered("35=3|371=54|373=1|")),
        ("a tag that is no number", message(3, "35=D|", "11=H1|x=1|", None, 0), Then::Answered("35=3|")),
        ("a field without a value", message(3, "35=D|", "11=H1|55=|54=1|38=5|40=1|60=NOW|", None, 0), Then::Answered("35=3|371=55|373=4|")),
        ("a field twice", message(3, "35=D|", &format!("{ORDER}38=500|"), None, 0), Then::Answered("35=3|371=38|373=13|")),
        ("an unknown type", message(3, "35=S|", "117=q|", None, 0), Then::Answered("35=j|372=S|380=3|")),
        ("a number too high", message(5, "35=D|", ORDER, None, 0), Then::Answered("35=2|7=3|16=0|")),
        ("a number used before", message(2, "35=D|", ORDER, None, 0), Then::LoggedOut("MsgSeqNum too low, expecting 3 but received 2")),
        ("a number used before, as PossDup", message(2, "35=D|43=Y|122=20260101-00:00:00|", SEEN, None, 0), Then::Ignored),
        ("PossDup without OrigSendingTime", message(2, "35=D|43=Y|", SEEN, None, 0), Then::Answered("35=3|371=122|373=1|")),
        ("PossResend of an id seen before", message(3, "35=D|97=Y|", SEEN, None, 0), Then::Ignored),
        ("the same id again", message(3, "35=D|", SEEN, None, 0), Then::Answered("35=8|11=A1|39=8|103=6|")),
        ("a second Logon", message(3, "35=A|", "98=0|108=30|", None, 0), Then::LoggedOut("Logon on a live session")),
    ];
    for (n, (what, bytes, then)) in rows.into_iter().enumerate() {
        let street = Street::new(&format!("hostile-{n}"), FIX);
        let serving = street.serve();
        let mut venue = street.venue(1);
        venue.expect_silence();
        let mut ems = ready(&street, &serving, &mut venue);
        let used = before(&bytes);
        ems.say_raw(&bytes);
        match then {
            Then::Answered(fields) => drop(ems.expect(fields)),
            Then::LoggedOut(text) => {
                assert_eq!(Peer::value(&ems.expect("35=5|"), 58), text, "{what}");
                assert_eq!(ems.try_hear(), None, "{what}: the connection goes on");
            }
            Then::Ignored => {}
        }
        if matches!(then, Then::LoggedOut(_)) {
            // Its session is lost, so what it left is cancelled (control 38), and nothing else came of it.
            venue.expect("35=F|41=A1|");
            venue.expect_silence();
        } else {
            venue.expect_silence();
            ems.next_out = if used { 4 } else { 3 };
            ems.expect_silence();
        }
        serving.stop();
    }
}

/// Whether the bytes use up number 3.
fn before(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let is_whole = matches!(pretrade_fix::frame::find(bytes), pretrade_fix::frame::Frame::Whole(n) if n == bytes.len());
    is_whole && text.contains("\u{1}34=3\u{1}")
}

fn ready(street: &Street, serving: &Serving, venue: &mut Peer) -> Peer {
    let mut ems = street.ems(serving, "EMS", 1);
    ems.order("A1", 1, 5, "4800.00");
    venue.expect("35=D|11=A1|");
    ems
}
