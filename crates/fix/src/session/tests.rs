// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::frame::{Frame, find};

const S: i64 = NS_PER_S;
const UTC: i64 = 1_795_530_600 * S;

fn settings() -> SessionSettings {
    SessionSettings {
        begin_string: b"FIX.4.4".to_vec(),
        sender: b"GATE".to_vec(),
        target: b"EMS".to_vec(),
        appl_ver_id: None,
        is_initiator: false,
        heartbeat_s: 30,
        reset_at_logon: false,
        resends_application: true,
        max_latency_s: 120,
        dictionary: None,
        tolerance: Tolerance::default(),
    }
}

/// A session and the counterparty's pen.
struct Talk {
    session: Session,
    now: Now,
    delivered: Vec<String>,
}

impl Talk {
    fn new(settings: SessionSettings) -> Self {
        let mut talk = Talk { session: Session::new(settings, Store::memory()), now: Now { mono: S, utc: UTC }, delivered: Vec::new() };
        talk.session.connected(talk.now).unwrap();
        talk
    }

    fn logged_on() -> Self {
        let mut talk = Talk::new(settings());
        assert_eq!(talk.hear("35=A|34=1|", "98=0|108=30|"), "35=A|34=1|98=0|108=30|");
        talk
    }

    /// Says a message with the usual header; returns what was answered, without the usual header.
    fn hear(&mut self, head: &str, body: &str) -> String {
        let time = String::from_utf8_lossy(Stamp::default().text(self.now.utc)).into_owned();
        self.hear_as("FIX.4.4", &format!("{head}49=EMS|52={time}|56=GATE|{body}"))
    }

    fn hear_as(&mut self, begin: &str, text: &str) -> String {
        let body = text.replace('|', "\u{1}");
        let head = format!("8={begin}\u{1}9={}\u{1}{body}", body.len());
        let mut bytes = format!("{head}10={:03}\u{1}", crate::frame::checksum(head.as_bytes())).into_bytes();
        let mut is_closed = false;
        loop {
            let header = Header::read(&bytes).unwrap();
            match self.session.receive(&bytes, &header, self.now).unwrap() {
                Receipt::Deliver => {
                    self.delivered.push(format!("{}", header.seq.unwrap()));
                    self.session.taken();
                }
                Receipt::Close => is_closed = true,
                Receipt::Done => {}
            }
            match self.session.next_queued() {
                Some(next) => bytes = next,
                None => break,
            }
        }
        self.said() + if is_closed { "closed" } else { "" }
    }

    fn said(&mut self) -> String {
        self.session.commit().unwrap();
        let out = std::mem::take(self.session.outgoing());
        let (mut at, mut said) = (0, String::new());
        while at < out.len() {
            let Frame::Whole(n) = find(&out[at..]) else { panic!("no message: {}", String::from_utf8_lossy(&out[at..])) };
            let message = &out[at..at + n];
            let mut fields = crate::field::Fields::new(message, 0, n);
            while let Some(field) = fields.next_field().unwrap() {
                if !matches!(field.tag, 8 | 9 | 10 | 49 | 52 | 56 | 122) {
                    said += &format!("{}={}|", field.tag, String::from_utf8_lossy(field.value));
                }
            }
            at += n;
        }
        said
    }
}

#[test]
fn a_stranger_is_not_answered() {
    for (head, body) in [("35=0|34=1|", ""), ("35=A|34=1|", "98=1|108=30|"), ("35=A|34=1|", "98=0|")] {
        assert_eq!(Talk::new(settings()).hear(head, body), "closed", "{head}{body}");
    }
    assert_eq!(Talk::new(settings()).hear_as("FIX.4.2", "35=A|34=1|49=EMS|52=20261124-14:30:00|56=GATE|98=0|108=30|"), "closed");
    assert_eq!(Talk::new(settings()).hear_as("FIX.4.4", "35=A|34=1|49=ELSE|52=20261124-14:30:00|56=GATE|98=0|108=30|"), "closed");
    assert_eq!(Talk::new(settings()).hear_as("FIX.4.4", "35=A|34=1|49=EMS|52=20261124-14:20:00|56=GATE|98=0|108=30|"), "closed");
}

#[test]
fn messages_after_a_gap_wait_for_it_and_keep_their_order() {
    let mut talk = Talk::logged_on();
    assert_eq!(talk.hear("35=D|34=4|", "11=c|"), "35=2|34=2|7=2|16=0|");
    assert_eq!(talk.hear("35=D|34=5|", "11=d|"), "", "asked for once");
    assert_eq!(talk.hear("35=D|34=2|43=Y|122=20261124-14:29:00|", "11=a|"), "");
    assert_eq!(talk.hear("35=4|34=3|43=Y|122=20261124-14:29:00|", "123=Y|36=4|"), "");
    assert_eq!(talk.delivered, ["2", "4", "5"]);
    assert_eq!(talk.session.store().next_in(), 6);
}

#[test]
fn a_repeated_message_is_acted_on_once() {
    let mut talk = Talk::logged_on();
    talk.hear("35=D|34=2|", "11=a|");
    assert_eq!(talk.hear("35=D|34=2|43=Y|122=20261124-14:29:00|", "11=a|"), "");
    assert_eq!(talk.delivered, ["2"]);
    assert_eq!(talk.hear("35=D|34=2|", "11=a|"), "35=5|34=2|58=MsgSeqNum too low, expecting 3 but received 2|closed");
}

#[test]
fn what_was_sent_is_sent_again_and_the_rest_is_filled() {
    let mut talk = Talk::logged_on();
    let now = talk.now;
    talk.hear("35=1|34=2|", "112=A|");
    talk.session.send(b"8", now, |out| Body::new(out).put(11, b"x"));
    talk.session.send(b"8", now, |out| Body::new(out).put(11, b"y"));
    talk.said();
    assert_eq!(talk.hear("35=2|34=3|", "7=1|16=0|"), "35=4|34=1|43=Y|36=3|123=Y|35=8|34=3|43=Y|11=x|35=8|34=4|43=Y|11=y|");
    assert_eq!(talk.hear("35=2|34=4|", "7=4|16=4|"), "35=8|34=4|43=Y|11=y|");
}

#[test]
fn orders_are_never_resent_where_the_session_says_so() {
    let mut talk = Talk::new(SessionSettings { resends_application: false, ..settings() });
    talk.hear("35=A|34=1|", "98=0|108=30|");
    let now = talk.now;
    talk.session.send(b"D", now, |out| Body::new(out).put(11, b"x"));
    talk.said();
    assert_eq!(talk.hear("35=2|34=2|", "7=1|16=0|"), "35=4|34=1|43=Y|36=3|123=Y|");
}

#[test]
fn what_is_sent_while_nobody_listens_is_a_gap_at_the_next_logon() {
    let mut talk = Talk::logged_on();
    talk.session.disconnected();
    let now = talk.now;
    talk.session.send(b"8", now, |out| Body::new(out).put(11, b"late"));
    assert_eq!(talk.said(), "");
    talk.session.connected(now).unwrap();
    assert_eq!(talk.hear("35=A|34=2|", "98=0|108=30|"), "35=A|34=3|98=0|108=30|");
    assert_eq!(talk.hear("35=2|34=3|", "7=2|16=0|"), "35=8|34=2|43=Y|11=late|35=4|34=3|43=Y|36=4|123=Y|");
}

#[test]
fn silence_is_asked_about_and_then_ended() {
    let mut talk = Talk::logged_on();
    let begin = talk.now.mono;
    let at = |talk: &mut Talk, seconds: i64| {
        talk.now.mono = begin + seconds * S;
        let is_over = talk.session.tick(talk.now);
        (talk.said(), is_over)
    };
    assert_eq!(at(&mut talk, 29), (String::new(), false));
    assert_eq!(at(&mut talk, 30), ("35=0|34=2|".into(), false));
    assert_eq!(at(&mut talk, 36), ("35=1|34=3|112=TEST|".into(), false));
    assert_eq!(at(&mut talk, 71), (String::new(), false));
    assert!(at(&mut talk, 72).1);
}

#[test]
fn a_logout_is_answered_and_one_of_ours_is_waited_for() {
    let mut talk = Talk::logged_on();
    assert_eq!(talk.hear("35=5|34=2|", ""), "35=5|34=2|closed");
    let mut talk = Talk::logged_on();
    talk.session.log_out(b"end of day", talk.now);
    assert_eq!(talk.said(), "35=5|34=2|58=end of day|");
    assert_eq!(talk.hear("35=D|34=2|", "11=a|"), "", "nothing is acted on after our Logout");
    assert!(talk.delivered.is_empty());
    assert_eq!(talk.hear("35=5|34=3|", ""), "closed");
}

#[test]
fn malformed_messages_are_told_what_is_wrong_and_use_up_their_number() {
    let mut talk = Talk::logged_on();
    assert_eq!(talk.hear("35=D|34=2|", "11=|"), "35=3|34=2|45=2|58=Tag specified without a value|371=11|372=D|373=4|");
    assert_eq!(talk.hear("35=D|34=3|", "11=a|43=Y|"), "35=3|34=3|45=3|58=Tag specified out of required order|371=43|372=D|373=14|");
    assert_eq!(talk.hear("35=D|34=4|", "x1=a|"), "35=3|34=4|45=4|58=Invalid tag number|371=x1|372=D|373=0|");
    assert_eq!(talk.session.store().next_in(), 5);
    assert!(talk.delivered.is_empty());
}

#[test]
fn a_reset_at_logon_begins_at_one() {
    let mut talk = Talk::new(SessionSettings { reset_at_logon: true, ..settings() });
    talk.hear("35=A|34=1|", "98=0|108=30|141=Y|");
    talk.hear("35=D|34=2|", "11=a|");
    talk.session.disconnected();
    talk.session.connected(talk.now).unwrap();
    assert_eq!(talk.hear("35=A|34=1|", "98=0|108=30|141=Y|"), "35=A|34=1|98=0|108=30|141=Y|");
    assert_eq!(talk.session.store().next_in(), 2);
}

#[test]
fn an_initiator_speaks_first_and_takes_the_answer() {
    let mut talk = Talk::new(SessionSettings { is_initiator: true, reset_at_logon: true, ..settings() });
    assert_eq!(talk.said(), "35=A|34=1|98=0|108=30|141=Y|");
    assert!(!talk.session.is_logged_on());
    assert_eq!(talk.hear("35=A|34=1|", "98=0|108=30|141=Y|"), "");
    assert!(talk.session.is_logged_on());
    assert_eq!((talk.session.store().next_in(), talk.session.store().next_out()), (2, 2));
}
