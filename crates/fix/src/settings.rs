// SPDX-License-Identifier: Apache-2.0
//! What a FIX edge is told: sessions, entitlements, instruments. The Python front reads the TOML file and hands it over as JSON.
use crate::dictionary::Dictionary;
use crate::order_fields::{COMPANIONS, DEFAULT_ALERT};
use crate::session::SessionSettings;
use crate::tls::TlsFiles;
use crate::validate::Tolerance;
use serde::Deserialize;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::sync::Arc;

/// One FIX edge.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeSettings {
    /// Address counterparties connect to, `host:port`.
    pub listen: String,
    /// Address of the venue, `host:port`.
    pub venue_address: String,
    /// The venue's session.
    pub venue: SessionTable,
    /// Sessions of order and execution management systems.
    pub ems: Vec<EmsTable>,
    /// Instruments by the venue's symbol.
    pub instruments: Vec<InstrumentTable>,
    /// Directory of tables, rings and stores.
    pub run: PathBuf,
    /// Directory of what must survive a reboot.
    pub journals: PathBuf,
    /// Tag of the alert field.
    pub alert_tag: u32,
    /// The edge writes the phases of its calendar into `quotes` itself: no feed handler runs beside it.
    pub is_standalone: bool,
    /// Every position is zero, stated by whoever configured it; for the first life only.
    pub is_flat: bool,
    /// For so long after bytes came the loop does not sleep, microseconds.
    pub busy_poll_us: u32,
    /// Sessions that hear a copy of every report.
    #[serde(default)]
    pub drop_copies: Vec<SessionTable>,
    /// How the venue's countdown is set anew; `None` where it has none.
    #[serde(default)]
    pub dead_man: Option<DeadManTable>,
    /// TLS towards those who connect; `None` is plain text.
    #[serde(default)]
    pub listen_tls: Option<TlsFiles>,
    /// TLS towards the venue; `None` is plain text.
    #[serde(default)]
    pub venue_tls: Option<TlsFiles>,
}

/// A counterparty that is no gateway: sessions, and where they are spoken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartySettings {
    /// Address to listen on; none where every session reaches out.
    pub listen: Option<String>,
    /// Folder of the session stores; none keeps them in memory.
    pub stores: Option<PathBuf>,
    /// Each session, and the address it reaches out to where it does.
    pub sessions: Vec<(SessionTable, Option<String>)>,
}

/// One session in words.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionTable {
    /// `FIX.4.2`, `FIX.4.4` or `FIXT.1.1`.
    pub begin_string: String,
    /// Our CompID.
    pub sender: String,
    /// The counterparty's CompID.
    pub target: String,
    /// DefaultApplVerID, for FIXT.
    pub appl_ver_id: Option<String>,
    /// Seconds between heartbeats, asked for by an initiator.
    pub heartbeat_s: u32,
    /// Both numbers begin at 1 at every logon.
    pub reset_at_logon: bool,
    /// Furthest SendingTime may be from our clock, seconds.
    pub max_latency_s: u32,
    /// Dictionaries in QuickFIX format: none, one, or for FIXT the transport's and the application's.
    pub dictionaries: Vec<PathBuf>,
    /// Tags from 5000 on pass undefined.
    pub user_fields: bool,
}

/// The message that sets a venue's countdown anew: no two venues have the same.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeadManTable {
    /// Seconds between two of them.
    pub every_s: f64,
    /// MsgType (35).
    pub msg_type: String,
    /// Fields of its body, `tag=value|` each.
    pub fields: String,
}

/// A session that sends orders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmsTable {
    /// The session.
    pub session: SessionTable,
    /// Accounts it may send for: Account (1) and our id.
    pub accounts: Vec<(String, u32)>,
    /// Strategy its orders count for; 0 = a manual trader.
    pub strategy_id: u32,
    /// Seconds after a lost connection until its orders are cancelled; `None` leaves them.
    pub cancel_after_s: Option<f64>,
    /// Alert fields on its execution reports, and a News when an instrument's posture changes.
    pub has_alerts: bool,
    /// SHA-256 of the one certificate it may be spoken with, hexadecimal.
    #[serde(default)]
    pub certificate_sha256: Option<String>,
}

impl EmsTable {
    /// The certificate it is pinned to.
    ///
    /// # Errors
    /// When the text is no SHA-256.
    pub fn pin(&self) -> Result<Option<[u8; 32]>, String> {
        let Some(text) = &self.certificate_sha256 else { return Ok(None) };
        let digits: String = text.chars().filter(|c| *c != ':').collect();
        let byte = |at: usize| digits.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = (0..32).map(byte).collect();
        let pin = bytes.filter(|_| digits.len() == 64).and_then(|bytes| bytes.try_into().ok());
        pin.map(Some).ok_or_else(|| format!("session {}: certificate_sha256 {text:?} is no SHA-256 in hexadecimal", self.session.target))
    }
}

/// One instrument.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentTable {
    /// Symbol (55).
    pub symbol: String,
    /// Our id.
    pub instrument_id: u32,
    /// Decimal places of a quantity, as `-exponent`.
    pub quantity_places: u32,
    /// When which phase begins, ns UTC and code, ascending; used where the edge stands alone.
    pub phases: Vec<(i64, u8)>,
}

impl SessionTable {
    /// As the session layer takes it.
    ///
    /// # Errors
    /// When a dictionary cannot be read.
    pub fn settings(&self, is_initiator: bool, alert_tag: u32) -> Result<SessionSettings, String> {
        let dictionary = match self.dictionaries.as_slice() {
            [] => None,
            paths => Some(Arc::new(Dictionary::load(paths).map_err(|e| e.to_string())?)),
        };
        let ignored = [alert_tag, DEFAULT_ALERT].into_iter().chain(COMPANIONS).collect();
        Ok(SessionSettings {
            begin_string: self.begin_string.clone().into_bytes(),
            sender: self.sender.clone().into_bytes(),
            target: self.target.clone().into_bytes(),
            appl_ver_id: self.appl_ver_id.clone().map(String::into_bytes),
            is_initiator,
            heartbeat_s: self.heartbeat_s,
            reset_at_logon: self.reset_at_logon,
            // Towards the venue nothing is resent: an order that waited for a resend is not the order that was decided.
            resends_application: !is_initiator,
            max_latency_s: self.max_latency_s,
            dictionary,
            tolerance: Tolerance { user_fields: self.user_fields, ignored },
        })
    }

    /// Name of its store.
    #[must_use]
    pub fn store_name(&self) -> String {
        let plain = |text: &str| text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect::<String>();
        format!("{}-{}", plain(&self.sender), plain(&self.target))
    }
}

impl PartySettings {
    /// Reads the JSON of the front.
    ///
    /// # Errors
    /// When it is no such JSON.
    pub fn read(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|e| format!("FIX party: {e}"))
    }
}

impl DeadManTable {
    fn check(&self) -> Result<(), String> {
        let is_session = self.msg_type.len() == 1 && b"0123456789A".contains(&self.msg_type.as_bytes()[0]);
        if self.msg_type.is_empty() || is_session || matches!(self.msg_type.as_str(), "D" | "G" | "F" | "E" | "AB" | "s" | "i" | "S") {
            return Err(format!("dead_man msg_type {:?} is one of the session or of orders; no such message goes out unchecked", self.msg_type));
        }
        if !self.every_s.is_finite() || self.every_s < 1.0 {
            return Err(format!("dead_man every_s is {}; it must be 1 or more", self.every_s));
        }
        let is_field = |part: &str| part.split_once('=').is_some_and(|(tag, value)| tag.parse::<u32>().is_ok() && !value.is_empty());
        let bad = self.fields.split_terminator('|').find(|part| !is_field(part));
        if bad.is_some() || !(self.fields.is_empty() || self.fields.ends_with('|')) {
            return Err(format!("dead_man fields {:?} are not `tag=value|` each", self.fields));
        }
        Ok(())
    }
}

impl EdgeSettings {
    /// Reads the JSON of the front.
    ///
    /// # Errors
    /// When it is no such JSON, or the sessions do not fit together.
    pub fn read(json: &str) -> Result<Self, String> {
        let settings: EdgeSettings = serde_json::from_str(json).map_err(|e| format!("FIX settings: {e}"))?;
        let version = |session: &SessionTable| (session.begin_string.clone(), session.appl_ver_id.clone());
        if let Some(other) = settings.clients().find(|session| version(session) != version(&settings.venue)) {
            return Err(format!(
                "session {} speaks {}, the venue {}; a message is passed on in its own version",
                other.target, other.begin_string, settings.venue.begin_string
            ));
        }
        if let Some(dead_man) = &settings.dead_man {
            dead_man.check()?;
        }
        if let Some(ems) = settings.ems.iter().find(|ems| ems.certificate_sha256.is_some())
            && settings.listen_tls.as_ref().is_none_or(|tls| tls.authorities.is_none())
        {
            return Err(format!("session {} names a certificate, and nobody is asked for one; listen_tls needs authorities", ems.session.target));
        }
        let mut names: Vec<String> = settings.store_names();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two sessions are called {}; CompIDs name a session", twice[0]));
        }
        Ok(settings)
    }

    /// Names of the stores, the venue's first.
    #[must_use]
    pub fn store_names(&self) -> Vec<String> {
        std::iter::once(&self.venue).chain(self.clients()).map(SessionTable::store_name).collect()
    }

    /// Sessions that come to us: those that send orders, then those that hear copies.
    fn clients(&self) -> impl Iterator<Item = &SessionTable> {
        self.ems.iter().map(|ems| &ems.session).chain(&self.drop_copies)
    }
}

/// The first address that `host:port` stands for.
///
/// # Errors
/// When it stands for none.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let mut found = text.to_socket_addrs().map_err(|e| format!("address {text:?}: {e}"))?;
    found.next().ok_or_else(|| format!("address {text:?} stands for no host"))
}
