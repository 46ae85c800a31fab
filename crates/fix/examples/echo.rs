// SPDX-License-Identifier: Apache-2.0
//! The session layer of the gateway with an echo in place of the checks: the system under test of `make fix-acceptance`.
//!
//! Sends NewOrderSingle and SecurityDefinition back, drops a PossResend whose ClOrdID this logon has seen, answers any
//! other application message with 35=j. Arguments: port, then the folder with the dictionaries in QuickFIX format.
use pretrade_fix::dictionary::Dictionary;
use pretrade_fix::field::Fields;
use pretrade_fix::header::{Header, find_field};
use pretrade_fix::server::{Application, Server, ServerError};
use pretrade_fix::session::{Body, Now, Session, SessionSettings};
use pretrade_fix::store::Store;
use pretrade_fix::validate::Tolerance;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Default)]
struct Echo {
    seen: Vec<HashSet<Vec<u8>>>,
}

impl Application for Echo {
    fn deliver(&mut self, at: usize, sessions: &mut [Session], bytes: &[u8], header: &Header, now: Now) -> Result<(), ServerError> {
        let msg_type = header.msg_type.of_bytes(bytes);
        if msg_type == b"3" {
            return Ok(());
        }
        if !matches!(msg_type, b"D" | b"d") {
            refuse(&mut sessions[at], bytes, header, now);
            return Ok(());
        }
        let is_new = match find_field(bytes, header.body, header.end, 11) {
            Some(id) => self.seen[at].insert(id.to_vec()),
            None => true,
        };
        if header.is_poss_resend && !is_new {
            return Ok(());
        }
        // Ascending tags, as the definitions compare them; a stable sort keeps the entries of a group apart.
        let mut fields = Fields::new(bytes, header.body, header.end);
        let mut parts = Vec::new();
        while let Ok(Some(field)) = fields.next_field() {
            parts.push((field.tag, &bytes[field.start..field.end]));
        }
        parts.sort_by_key(|(tag, _)| *tag);
        let write = |out: &mut Vec<u8>| parts.iter().for_each(|(_, part)| out.extend_from_slice(part));
        if header.is_poss_resend {
            sessions[at].send_poss_resend(msg_type, now, write)
        } else {
            sessions[at].send(msg_type, now, write)
        };
        Ok(())
    }

    fn logged_on(&mut self, at: usize, _sessions: &mut [Session], _now: Now) -> Result<(), ServerError> {
        self.seen[at].clear();
        Ok(())
    }

    fn logged_out(&mut self, _at: usize, _sessions: &mut [Session], _now: Now) -> Result<(), ServerError> {
        Ok(())
    }

    fn look(&mut self, _sessions: &mut [Session], _now: Now) -> Result<(), ServerError> {
        Ok(())
    }
}

/// As the definitions expect it, which for FIXT is with DefaultApplVerID (1137); the gateway's own 35=j has none.
fn refuse(session: &mut Session, bytes: &[u8], header: &Header, now: Now) {
    let version = session.settings().appl_ver_id.clone();
    session.send(b"j", now, |out| {
        let mut body = Body::new(out);
        body.number(45, header.seq.unwrap_or(0));
        body.put(58, b"Unsupported Message Type");
        body.put(372, header.msg_type.of_bytes(bytes));
        body.number(380, 3);
        if let Some(version) = version {
            body.put(1137, &version);
        }
    });
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(port), Some(spec)) = (arguments.next(), arguments.next()) else {
        return Err("echo needs a port and the folder of the dictionaries".into());
    };
    let spec = PathBuf::from(spec);
    let load = |names: &[&str]| Dictionary::load(&names.iter().map(|n| spec.join(n)).collect::<Vec<_>>()).map(Arc::new);
    let versions: [(&str, &str, Option<&str>, Arc<Dictionary>); 3] = [
        ("FIX.4.2", "TW42", None, load(&["FIX42.xml"])?),
        ("FIX.4.4", "TW44", None, load(&["FIX44.xml"])?),
        ("FIXT.1.1", "TW50SP2", Some("9"), load(&["FIXT11.xml", "FIX50SP2.xml"])?),
    ];
    let session = |(begin, target, version, dictionary): (&str, &str, Option<&str>, Arc<Dictionary>)| {
        let settings = SessionSettings {
            begin_string: begin.into(),
            sender: b"ISLD".to_vec(),
            target: target.into(),
            appl_ver_id: version.map(Into::into),
            is_initiator: false,
            heartbeat_s: 30,
            reset_at_logon: true,
            resends_application: true,
            max_latency_s: 120,
            dictionary: Some(dictionary),
            tolerance: Tolerance::default(),
        };
        (Session::new(settings, Store::memory()), None)
    };
    let echo = Echo { seen: vec![HashSet::new(); versions.len()] };
    let mut server = Server::new(echo, versions.into_iter().map(session).collect(), None)?;
    let address = server.listen(([127, 0, 0, 1], port.parse()?).into())?;
    println!("{address}");
    Ok(server.run()?)
}
