// SPDX-License-Identifier: Apache-2.0
//! A street to test on: fresh tables, an edge in a thread, and sockets that play an EMS and a venue.
#![allow(dead_code, reason = "each test file uses its part")]
use pretrade_fix::edge::{Desk, Edge};
use pretrade_fix::frame::{Frame, checksum, find};
use pretrade_fix::header::find_field;
use pretrade_fix::session::Now;
use pretrade_fix::settings::EdgeSettings;
use pretrade_fix::time::Stamp;
use pretrade_fix::wire::{clock_mono, clock_utc};
use pretrade_gate::setup::{Tables, set_parameter};
use pretrade_gate::{Gate, GateFiles, GateOptions};
use pretrade_journal::GateJournalOptions;
use pretrade_records::parameter::Parameter;
use pretrade_records::units::{STANDOFF_OFF, UNDEFINED_PRICE};
use pretrade_records::{Phase, QuotesRecord};
use pretrade_shm::clock::boot_domain;
use pretrade_shm::controls::row_flags;
use pretrade_shm::{ControlsRecord, Level, ParameterBlock};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const TICK: i64 = 250_000_000;
const BID: i64 = 4_800_000_000_000;
const WAIT: Duration = Duration::from_secs(10);

/// One run directory and what stands around it.
pub struct Street {
    pub directory: PathBuf,
    pub tables: Tables,
    pub venue: TcpListener,
    version: &'static str,
    /// More of the settings, as JSON members.
    pub more: String,
    /// More of the settings of session EMS.
    pub more_of_ems: String,
}

/// A connection, plain or under TLS.
pub trait Line: Read + Write + Send {}
impl<T: Read + Write + Send> Line for T {}

/// An edge being served.
pub struct Serving {
    pub port: u16,
    pub said: Receiver<String>,
    pub desk: Desk,
    stop: UnixStream,
    thread: JoinHandle<Result<(), String>>,
}

impl Street {
    pub fn new(name: &str, version: &'static str) -> Self {
        Street::with_flags(name, version, 0)
    }

    /// As [`Street::new`]; the instrument's row carries more flags.
    pub fn with_flags(name: &str, version: &'static str, more_flags: u8) -> Self {
        let directory = Path::new("/dev/shm").join(format!("pretrade-fix-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(directory.join("journals")).unwrap();
        let mut statics = ParameterBlock::default();
        for &p in Parameter::ALL {
            let value = match p {
                Parameter::PassiveStandoffTicks => i64::from(STANDOFF_OFF),
                Parameter::MarginMultiplierPpm => 1_000_000,
                _ => i64::MAX,
            };
            set_parameter(&mut statics, p, value);
        }
        set_parameter(&mut statics, Parameter::MaxOrderQuantity, 50);
        let row = |id, level, flags| ControlsRecord {
            id,
            level: level as u8,
            flags,
            static_limits: statics,
            open_orders_limit: u32::MAX,
            ..Default::default()
        };
        let mut es = row(1, Level::Instrument, row_flags::ENABLED | more_flags);
        (es.tick_size, es.lot_size, es.value_per_tick_lot, es.fallback_factor_ppm) = (TICK, 1, 125_000, 1_000_000);
        let rows =
            [es, row(1, Level::Account, row_flags::ENABLED), row(2, Level::Account, row_flags::ENABLED), row(0, Level::Firm, row_flags::ENABLED)];
        let tables = Tables::create(&files(&directory), &rows, 1).unwrap();
        let mut street =
            Street { directory, tables, venue: TcpListener::bind("127.0.0.1:0").unwrap(), version, more: String::new(), more_of_ems: String::new() };
        street.quote();
        street
    }

    /// A fresh book in continuous trading.
    pub fn quote(&mut self) {
        let quotes = QuotesRecord {
            instrument_id: 1,
            phase: Phase::Continuous as u8,
            bid_price: BID,
            ask_price: BID + TICK,
            bid_size: 100,
            ask_size: 100,
            last_price: BID,
            slow_reference: BID,
            mid_10s: BID,
            mid_5m: BID,
            depth_bid: 10_000,
            depth_ask: 10_000,
            volume_1m: 50_000,
            adv: 1_000_000,
            nbbo_bid: UNDEFINED_PRICE,
            nbbo_ask: UNDEFINED_PRICE,
            ..Default::default()
        };
        let slot = self.tables.quotes.slot(1, 0).unwrap();
        self.tables.quotes.publish(slot, &quotes).unwrap();
        self.beat();
    }

    /// Prices are fresh for an hour: tests measure behaviour, not speed.
    pub fn beat(&self) {
        let soon = clock_mono();
        self.tables.quotes.heartbeat(0, soon, soon).unwrap();
    }

    /// A session's settings as JSON.
    pub fn session(&self, target: &str) -> String {
        format!(
            r#"{{"begin_string":"{}","sender":"GATE","target":"{target}","appl_ver_id":null,"heartbeat_s":30,"reset_at_logon":false,
                "max_latency_s":120,"dictionaries":[],"user_fields":true}}"#,
            self.version
        )
    }

    fn settings(&self) -> EdgeSettings {
        self.read_settings().unwrap()
    }

    /// The settings of the edge, read from their JSON.
    pub fn read_settings(&self) -> Result<EdgeSettings, String> {
        let session = |target: &str| self.session(target);
        let ems = |target: &str, account: &str, id: u32| {
            format!(
                r#"{{"session":{},"accounts":[["{account}",{id}]],"strategy_id":0,"cancel_after_s":0.0,"has_alerts":true{}}}"#,
                session(target),
                if target == "EMS" { &self.more_of_ems } else { "" }
            )
        };
        let json = format!(
            r#"{{"listen":"127.0.0.1:0","venue_address":"{}","venue":{},"ems":[{},{}],
            "instruments":[{{"symbol":"ES","instrument_id":1,"quantity_places":0,"phases":[]}}],"run":"{}","journals":"{}",
            "alert_tag":8011,"is_standalone":false,"is_flat":true,"busy_poll_us":0{}}}"#,
            self.venue.local_addr().unwrap(),
            session("VENUE"),
            ems("EMS", "ACC1", 1),
            ems("OTHER", "ACC2", 2),
            self.directory.display(),
            self.directory.join("journals").display(),
            self.more,
        );
        EdgeSettings::read(&json)
    }

    /// Starts an edge: a further life where there was one before.
    pub fn serve(&self) -> Serving {
        self.serve_with(0)
    }

    /// As [`Street::serve`]; breaches of the controls of these bits hold.
    pub fn serve_with(&self, hold_controls: u64) -> Serving {
        let options = GateOptions {
            t2_ns: 3_600_000_000_000,
            reference_ttl_ns: 3_600_000_000_000,
            fallback_standoff_ticks: STANDOFF_OFF,
            hold_controls,
            ..GateOptions::default()
        };
        let gate = Gate::open(files(&self.directory), options).unwrap();
        let (stop, heard) = UnixStream::pair().unwrap();
        let (tell, said) = channel();
        let now = Now { mono: clock_mono(), utc: clock_utc() };
        let say = Box::new(move |line: &str| drop(tell.send(line.to_owned())));
        let mut server = Edge::serve(gate, self.settings(), Some(OwnedFd::from(heard)), now, say).unwrap();
        let desk = server.application().desk();
        let port = server.address().unwrap().port();
        let thread = std::thread::spawn(move || server.run().map_err(|e| e.to_string()));
        Serving { port, said, desk, stop, thread }
    }

    /// The venue's end of the edge's connection, logged on.
    pub fn venue(&self, next_out: u64) -> Peer {
        let (stream, _) = self.venue.accept().unwrap();
        let mut peer = Peer::new(stream, self.version, "VENUE", next_out);
        peer.expect("35=A|");
        peer.say("35=A|", "98=0|108=30|");
        peer
    }

    /// An EMS logged on.
    pub fn ems(&self, serving: &Serving, name: &'static str, next_out: u64) -> Peer {
        let mut peer = Peer::new(TcpStream::connect(("127.0.0.1", serving.port)).unwrap(), self.version, name, next_out);
        peer.say("35=A|", "98=0|108=30|");
        peer.expect("35=A|");
        peer
    }
}

impl Drop for Street {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

impl Serving {
    /// Stops it in good order; everything it holds is free afterwards.
    pub fn stop(mut self) {
        self.stop.write_all(b"x").unwrap();
        self.thread.join().unwrap().unwrap();
    }

    /// Next line for the operator.
    pub fn line(&self) -> String {
        self.said.recv_timeout(WAIT).unwrap()
    }
}

fn files(directory: &Path) -> GateFiles {
    let domain = boot_domain().unwrap();
    let mut files = GateFiles::in_directory(directory, 0, domain);
    files.journal = Some(GateJournalOptions::new(&directory.join("gate-0.ring"), &directory.join("journals/gate-0.journal"), 0, domain));
    files
}

/// A counterparty with a pen.
pub struct Peer {
    stream: Box<dyn Line>,
    begin: &'static str,
    name: &'static str,
    pub next_out: u64,
    buffer: Vec<u8>,
    heard: VecDeque<String>,
}

impl Peer {
    pub fn new(stream: TcpStream, begin: &'static str, name: &'static str, next_out: u64) -> Self {
        stream.set_read_timeout(Some(WAIT)).unwrap();
        Peer::over(Box::new(stream), begin, name, next_out)
    }

    /// Over any line.
    pub fn over(stream: Box<dyn Line>, begin: &'static str, name: &'static str, next_out: u64) -> Self {
        Peer { stream, begin, name, next_out, buffer: Vec::new(), heard: VecDeque::new() }
    }

    /// Says a message: `head` begins with MsgType; the session fields are added.
    pub fn say(&mut self, head: &str, body: &str) {
        let seq = self.next_out;
        self.next_out += 1;
        self.say_as(seq, head, body);
    }

    /// Says bytes as they are.
    pub fn say_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// False where the line takes it no more.
    pub fn try_say(&mut self, head: &str, body: &str) -> bool {
        let message = self.message(self.next_out, head, body);
        self.next_out += 1;
        self.stream.write_all(message.as_bytes()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// False where the line ends before any FIX comes.
    pub fn hears_anything(&mut self) -> bool {
        let mut bytes = [0; 1024];
        matches!(self.stream.read(&mut bytes), Ok(n @ 1..) if bytes[..n].starts_with(b"8=FIX"))
    }

    pub fn say_as(&mut self, seq: u64, head: &str, body: &str) {
        let message = self.message(seq, head, body);
        self.stream.write_all(message.as_bytes()).unwrap();
    }

    fn message(&self, seq: u64, head: &str, body: &str) -> String {
        let mut stamp = Stamp::default();
        let time = String::from_utf8(stamp.text(clock_utc()).to_vec()).unwrap();
        let text = format!("{head}34={seq}|49={}|52={time}|56=GATE|{}", self.name, body.replace("NOW", &time)).replace('|', "\u{1}");
        let text = format!("8={}\u{1}9={}\u{1}{text}", self.begin, text.len());
        format!("{text}10={:03}\u{1}", checksum(text.as_bytes()))
    }

    /// Next message but heartbeats, fields joined by `|`.
    pub fn hear(&mut self) -> String {
        self.try_hear().expect("a message within the time")
    }

    /// `None` at the end of the connection.
    pub fn try_hear(&mut self) -> Option<String> {
        loop {
            match find(&self.buffer) {
                Frame::Whole(n) => {
                    let message: Vec<u8> = self.buffer.drain(..n).collect();
                    if find_field(&message, 0, n, 35) != Some(b"0") {
                        return Some(String::from_utf8(message).unwrap().replace('\u{1}', "|"));
                    }
                }
                Frame::Garbled(n) => panic!("garbled: {}", String::from_utf8_lossy(&self.buffer[..n])),
                Frame::Incomplete => {
                    let mut chunk = [0; 65_536];
                    match self.stream.read(&mut chunk) {
                        Ok(0) => return None,
                        Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
                        Err(e) => panic!("{}: nothing came: {e}", self.name),
                    }
                }
            }
        }
    }

    /// Next message, which must hold every one of these fields.
    pub fn expect(&mut self, fields: &str) -> String {
        let message = self.hear();
        for field in fields.split_terminator('|') {
            assert!(message.contains(&format!("|{field}|")), "{} wanted {field} in {message}", self.name);
        }
        message
    }

    /// Proves that nothing is on its way: a test request is answered before anything else is heard.
    pub fn expect_silence(&mut self) {
        self.say("35=1|", "112=QUIET|");
        loop {
            match find(&self.buffer) {
                Frame::Whole(n) => {
                    let message: Vec<u8> = self.buffer.drain(..n).collect();
                    let text = String::from_utf8(message).unwrap().replace('\u{1}', "|");
                    assert!(text.contains("|35=0|"), "{} hears {text}", self.name);
                    if text.contains("|112=QUIET|") {
                        return;
                    }
                }
                _ => {
                    let mut chunk = [0; 65_536];
                    let n = self.stream.read(&mut chunk).unwrap();
                    assert!(n > 0);
                    self.buffer.extend_from_slice(&chunk[..n]);
                }
            }
        }
    }

    /// A value in a message heard.
    pub fn value(message: &str, tag: u32) -> String {
        let start = message.find(&format!("|{tag}=")).unwrap_or_else(|| panic!("no {tag} in {message}")) + tag.to_string().len() + 2;
        message[start..].split('|').next().unwrap().to_owned()
    }

    pub fn order(&mut self, id: &str, side: u8, quantity: u32, price: &str) {
        self.say("35=D|", &format!("11={id}|1={}|55=ES|54={side}|38={quantity}|40=2|44={price}|59=0|60=NOW|", self.account()));
    }

    fn account(&self) -> &'static str {
        if self.name == "OTHER" { "ACC2" } else { "ACC1" }
    }

    /// The venue's word on an order.
    pub fn report(&mut self, id: &str, exec_type: &str, status: &str, more: &str) {
        self.say("35=8|", &format!("37=V{id}|11={id}|17=E{}|150={exec_type}|39={status}|55=ES|54=1|{more}", self.next_out));
    }
}
