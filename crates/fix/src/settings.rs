// SPDX-License-Identifier: Apache-2.0
//! What a FIX edge is told: sessions, entitlements, instruments. The Python front reads the TOML file and hands it over as JSON.
use crate::dictionary::Dictionary;
use crate::order_fields::{COMPANIONS, DEFAULT_ALERT};
use crate::session::SessionSettings;
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

impl EdgeSettings {
    /// Reads the JSON of the front.
    ///
    /// # Errors
    /// When it is no such JSON, or the sessions do not fit together.
    pub fn read(json: &str) -> Result<Self, String> {
        let settings: EdgeSettings = serde_json::from_str(json).map_err(|e| format!("FIX settings: {e}"))?;
        let version = |session: &SessionTable| (session.begin_string.clone(), session.appl_ver_id.clone());
        if let Some(other) = settings.ems.iter().find(|ems| version(&ems.session) != version(&settings.venue)) {
            return Err(format!(
                "session {} speaks {}, the venue {}; a message is passed on in its own version",
                other.session.target, other.session.begin_string, settings.venue.begin_string
            ));
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
        std::iter::once(&self.venue).chain(self.ems.iter().map(|ems| &ems.session)).map(SessionTable::store_name).collect()
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
