// SPDX-License-Identifier: Apache-2.0
//! The column map: TOML to the roles of columns.
use super::cell::Scale;
use super::clock::{Clock, Unit, Zone, date, time_of_day};
use pretrade_records::ReferenceKind;
use serde::Deserialize;
use std::collections::HashMap;

/// An instrument of the configuration, as far as a table needs it.
#[derive(Clone, Copy, Debug)]
pub struct TableInstrument {
    /// Our id.
    pub instrument_id: u32,
    /// Sizes are whole numbers of `10^quantity_exponent`.
    pub quantity_exponent: i32,
    /// Whether a price below zero is one.
    pub allow_negative_price: bool,
}

/// A column, by the name in the header or by its place from 1.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Column {
    /// Name in the header.
    Name(String),
    /// Place, from 1.
    Place(usize),
}

impl std::fmt::Display for Column {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Place(place) => place.fmt(f),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MapText {
    #[serde(default, rename = "files")]
    _files: Option<String>,
    instrument: InstrumentText,
    #[serde(default)]
    csv: CsvText,
    clock: ClockText,
    #[serde(default)]
    scale: ScaleText,
    sequence: Option<Column>,
    #[serde(default)]
    nulls: Vec<String>,
    quotes: Option<QuotesText>,
    trades: Option<TradesText>,
    orders: Option<OrdersText>,
    bars: Option<BarsText>,
    sentiment: Option<SentimentText>,
    figures: Option<FiguresText>,
}

/// `symbol` names one instrument, `column` the column that names it in each row; the rest is for whoever opens the file.
#[derive(Deserialize)]
struct InstrumentText {
    symbol: Option<String>,
    column: Option<Column>,
    others: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CsvText {
    delimiter: char,
    header: bool,
    skip_lines: u64,
}

impl Default for CsvText {
    fn default() -> Self {
        Self { delimiter: ',', header: true, skip_lines: 0 }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockText {
    ts_event: Column,
    ts_recv: Option<Column>,
    unit: String,
    #[serde(default = "utc")]
    zone: String,
    #[serde(default = "epoch")]
    since: String,
    date: Option<String>,
    at: Option<String>,
}

fn utc() -> String {
    "UTC".into()
}

fn epoch() -> String {
    "1970".into()
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScaleText {
    price: Option<toml::Value>,
    size: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotesText {
    levels: usize,
    #[serde(default = "one")]
    first: usize,
    #[serde(default = "one")]
    step: usize,
    bid_price: Column,
    bid_size: Column,
    ask_price: Column,
    ask_size: Column,
}

fn one() -> usize {
    1
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TradesText {
    price: Column,
    size: Column,
    side: Option<Column>,
    side_says: Option<String>,
    #[serde(default)]
    bid: Vec<String>,
    #[serde(default)]
    ask: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrdersText {
    action: Column,
    order_id: Column,
    side: Column,
    price: Column,
    size: Column,
    bid: Vec<String>,
    ask: Vec<String>,
    actions: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BarsText {
    open: Column,
    high: Column,
    low: Column,
    close: Column,
    size: Option<Column>,
    interval_s: i64,
    #[serde(default = "start")]
    stamp: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SentimentText {
    score: Column,
    items: Option<Column>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FiguresText {
    value: Column,
    kind: String,
}

fn start() -> String {
    "start".into()
}

/// What an order record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderAction {
    /// A member of the snapshot that a run of these builds.
    Snapshot,
    Add,
    Modify,
    Cancel,
    Execute,
    Clear,
}

/// What a row holds; numbers are slots of the row.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Quotes { levels: Vec<[usize; 4]> },
    Trades { price: usize, size: usize, side: Option<usize>, resting: bool },
    Orders { action: usize, order_id: usize, side: usize, price: usize, size: usize, actions: HashMap<String, OrderAction> },
    Bars { open: usize, high: usize, low: usize, close: usize, size: Option<usize>, interval_ns: i64, at_start: bool },
    Sentiment { score: usize, items: Option<usize> },
    Figures { value: usize, kind: ReferenceKind },
}

/// Where the instrument of a row comes from.
#[derive(Clone, Debug)]
pub(crate) enum Of {
    /// All rows are of one.
    One(TableInstrument),
    /// A column names it.
    Slot { slot: usize, known: HashMap<String, TableInstrument>, skip_others: bool },
}

/// A parsed map.
#[derive(Clone, Debug)]
pub struct TableMap {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Rows,
    pub(crate) of: Of,
    pub(crate) ts_event: usize,
    pub(crate) ts_recv: Option<usize>,
    pub(crate) sequence: Option<usize>,
    pub(crate) price: Scale,
    pub(crate) size: Scale,
    pub(crate) bid: Vec<String>,
    pub(crate) ask: Vec<String>,
    pub(crate) clock: Clock,
    pub(crate) delimiter: u8,
    pub(crate) header: bool,
    pub(crate) skip_lines: u64,
    pub(crate) nulls: Vec<String>,
}

/// What a typed stamp column counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypedStamps {
    /// ns UTC.
    Utc,
    /// Wall time of the map's zone, as if it were UTC.
    Wall,
}

/// What is known outside the map.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Instruments by symbol.
    pub instruments: HashMap<String, TableInstrument>,
    /// Instrument of every row, whatever the map says.
    pub symbol: Option<String>,
    /// Steps of named zones.
    pub zones: HashMap<String, Vec<(i64, i64)>>,
    /// `YYYY-MM-DD` for stamps that count from midnight.
    pub date: Option<String>,
    /// Set where stamps arrive typed, in ns, whatever the map's unit says (Parquet).
    pub typed_stamps: Option<TypedStamps>,
}

/// Gathers columns and gives them slots.
#[derive(Default)]
struct Slots(Vec<Column>);

impl Slots {
    fn of(&mut self, column: &Column) -> usize {
        self.0.iter().position(|c| c == column).unwrap_or_else(|| {
            self.0.push(column.clone());
            self.0.len() - 1
        })
    }

    /// Column of one level: `{}` in a name, or places that lie `step` apart.
    fn level(&mut self, column: &Column, n: usize, first: usize, step: usize) -> usize {
        let column = match column {
            Column::Name(name) => Column::Name(name.replace("{}", &(first + n).to_string())),
            Column::Place(place) => Column::Place(place + n * step),
        };
        self.of(&column)
    }
}

const MOST_LEVELS: usize = 1_000;

impl TableMap {
    /// Parses a map.
    ///
    /// # Errors
    /// In words, if it is no TOML, has an unknown key, or does not fit the surroundings.
    pub fn parse(text: &str, around: &Surroundings) -> Result<Self, String> {
        let map: MapText = toml::from_str(text).map_err(|e| e.to_string().trim().replace('\n', " "))?;
        let mut slots = Slots::default();
        let market = [map.quotes.is_some(), map.trades.is_some(), map.orders.is_some(), map.bars.is_some()];
        let beside = [map.sentiment.is_some(), map.figures.is_some()];
        if market.iter().chain(&beside).filter(|k| **k).count() != 1 {
            return Err("must have exactly one of [quotes], [trades], [orders], [bars], [sentiment], [figures]".into());
        }
        let (mut bid, mut ask) = (Vec::new(), Vec::new());
        let rows = if let Some(q) = &map.quotes {
            quotes(q, &mut slots)?
        } else if let Some(t) = map.trades {
            (bid, ask) = (t.bid.clone(), t.ask.clone());
            trades(&t, &mut slots)?
        } else if let Some(o) = map.orders {
            (bid, ask) = (o.bid.clone(), o.ask.clone());
            orders(&o, &mut slots)?
        } else if let Some(b) = &map.bars {
            bars(b, &mut slots)?
        } else if let Some(s) = &map.sentiment {
            Rows::Sentiment { score: slots.of(&s.score), items: s.items.as_ref().map(|c| slots.of(c)) }
        } else if let Some(f) = &map.figures {
            figures(f, &mut slots)?
        } else {
            return Err("must say what rows hold".into());
        };
        let scale = |value: &Option<toml::Value>| value.as_ref().map_or(Ok(Scale::ONE), |v| Scale::parse(v.to_string().trim_matches('"')));
        let delimiter = u8::try_from(map.csv.delimiter).map_err(|_| "csv.delimiter must be one ASCII character".to_owned())?;
        let of = instrument(&map.instrument, around, &mut slots)?;
        let ts_event = slots.of(&map.clock.ts_event);
        let ts_recv = map.clock.ts_recv.as_ref().map(|c| slots.of(c));
        let sequence = map.sequence.as_ref().map(|c| slots.of(c));
        if slots.0.contains(&Column::Place(0)) {
            return Err("column 0 does not exist; places count from 1".into());
        }
        Ok(Self {
            clock: clock(&map.clock, around)?,
            price: scale(&map.scale.price)?.shifted(9),
            size: scale(&map.scale.size)?,
            columns: slots.0,
            rows,
            of,
            ts_event,
            ts_recv,
            sequence,
            bid,
            ask,
            delimiter,
            header: map.csv.header,
            skip_lines: map.csv.skip_lines,
            nulls: map.nulls,
        })
    }

    /// True where the map calls this text nothing.
    #[must_use]
    pub fn is_null(&self, text: &str) -> bool {
        text.is_empty() || self.nulls.iter().any(|n| n == text)
    }

    /// True where the map calls a floating-point NaN nothing (`nulls` holds `nan`).
    #[must_use]
    pub fn nan_is_null(&self) -> bool {
        self.nulls.iter().any(|n| n.eq_ignore_ascii_case("nan"))
    }

    /// Columns in the order in which a row's cells are wanted.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

fn quotes(q: &QuotesText, slots: &mut Slots) -> Result<Rows, String> {
    if !(1..=MOST_LEVELS).contains(&q.levels) {
        return Err(format!("quotes.levels is {}; it must be from 1 to {MOST_LEVELS}", q.levels));
    }
    let columns = [&q.bid_price, &q.bid_size, &q.ask_price, &q.ask_size];
    let fixed = |c: &Column| matches!(c, Column::Name(name) if !name.contains("{}"));
    if q.levels > 1 && columns.iter().any(|c| fixed(c)) {
        return Err(format!("quotes has {} levels: each column name must hold {{}} for the level's number", q.levels));
    }
    if q.first > 1_000_000 || q.step > 1_000_000 || columns.iter().any(|c| matches!(c, Column::Place(p) if *p > 1_000_000)) {
        return Err("quotes: places, first and step must be below a million".into());
    }
    Ok(Rows::Quotes { levels: (0..q.levels).map(|n| columns.map(|c| slots.level(c, n, q.first, q.step))).collect() })
}

fn trades(t: &TradesText, slots: &mut Slots) -> Result<Rows, String> {
    let resting = match (t.side.is_some(), t.side_says.as_deref()) {
        (false, None) => false,
        (true, Some("resting")) => true,
        (true, Some("aggressor")) => false,
        _ => return Err("trades.side and trades.side_says go together; side_says is \"aggressor\" or \"resting\"".into()),
    };
    Ok(Rows::Trades { price: slots.of(&t.price), size: slots.of(&t.size), side: t.side.as_ref().map(|c| slots.of(c)), resting })
}

fn orders(o: &OrdersText, slots: &mut Slots) -> Result<Rows, String> {
    let mut actions = HashMap::new();
    for (name, codes) in &o.actions {
        let action = match name.as_str() {
            "snapshot" => OrderAction::Snapshot,
            "add" => OrderAction::Add,
            "modify" => OrderAction::Modify,
            "cancel" => OrderAction::Cancel,
            "execute" => OrderAction::Execute,
            "clear" => OrderAction::Clear,
            other => return Err(format!("orders.actions has {other}; known are snapshot, add, modify, cancel, execute, clear")),
        };
        for code in codes {
            if actions.insert(code.clone(), action).is_some() {
                return Err(format!("orders.actions gives the code {code:?} twice"));
            }
        }
    }
    Ok(Rows::Orders {
        action: slots.of(&o.action),
        order_id: slots.of(&o.order_id),
        side: slots.of(&o.side),
        price: slots.of(&o.price),
        size: slots.of(&o.size),
        actions,
    })
}

fn bars(b: &BarsText, slots: &mut Slots) -> Result<Rows, String> {
    if !(1..=10_000_000).contains(&b.interval_s) {
        return Err(format!("bars.interval_s is {}; it must be from 1 to 10000000", b.interval_s));
    }
    let at_start = match b.stamp.as_str() {
        "start" => true,
        "end" => false,
        other => return Err(format!("bars.stamp is {other:?}; it must be \"start\" or \"end\"")),
    };
    Ok(Rows::Bars {
        open: slots.of(&b.open),
        high: slots.of(&b.high),
        low: slots.of(&b.low),
        close: slots.of(&b.close),
        size: b.size.as_ref().map(|c| slots.of(c)),
        interval_ns: b.interval_s * 1_000_000_000,
        at_start,
    })
}

fn figures(f: &FiguresText, slots: &mut Slots) -> Result<Rows, String> {
    let known = || ReferenceKind::ALL.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ");
    let kind =
        ReferenceKind::ALL.iter().find(|k| k.name() == f.kind).ok_or_else(|| format!("figures.kind is {:?}; known are {}", f.kind, known()))?;
    Ok(Rows::Figures { value: slots.of(&f.value), kind: *kind })
}

fn instrument(text: &InstrumentText, around: &Surroundings, slots: &mut Slots) -> Result<Of, String> {
    if around.symbol.is_none()
        && let Some(column) = &text.column
    {
        let skip_others = match text.others.as_deref() {
            None => false,
            Some("skip") => true,
            Some(other) => return Err(format!("instrument.others is {other:?}; it must be \"skip\"")),
        };
        return Ok(Of::Slot { slot: slots.of(column), known: around.instruments.clone(), skip_others });
    }
    let symbol = around.symbol.as_ref().or(text.symbol.as_ref()).ok_or("instrument needs a symbol or a column")?;
    around.instruments.get(symbol).cloned().map(Of::One).ok_or_else(|| format!("instrument {symbol} is not in the configuration"))
}

fn clock(text: &ClockText, around: &Surroundings) -> Result<Clock, String> {
    if around.typed_stamps == Some(TypedStamps::Utc) {
        return Ok(Clock { unit: Unit::Digits(0), zone: Zone::utc(), midnight: None });
    }
    let unit = match text.unit.as_str() {
        "s" => Unit::Digits(9),
        "ms" => Unit::Digits(6),
        "us" => Unit::Digits(3),
        "ns" => Unit::Digits(0),
        "iso" => Unit::Iso,
        "date" => {
            let at = text.at.as_deref().ok_or("clock.unit is date; it needs at = \"HH:MM\", the time of day when a row is known")?;
            Unit::Date(time_of_day(at).ok_or_else(|| format!("clock.at is {at:?}; it must be HH:MM"))?)
        }
        other => return Err(format!("clock.unit is {other:?}; it must be s, ms, us, ns, iso or date")),
    };
    let midnight = match text.since.as_str() {
        "1970" => None,
        "midnight" => {
            let day = around.date.as_ref().or(text.date.as_ref()).ok_or("clock.since is midnight; it needs a date")?;
            Some(date(day).ok_or_else(|| format!("date is {day:?}; it must be YYYY-MM-DD"))?)
        }
        other => return Err(format!("clock.since is {other:?}; it must be \"1970\" or \"midnight\"")),
    };
    let zone = match Zone::parse(&text.zone) {
        Some(zone) => zone,
        None => Zone::steps(around.zones.get(&text.zone).cloned().ok_or_else(|| format!("clock.zone {} is unknown", text.zone))?)?,
    };
    if around.typed_stamps == Some(TypedStamps::Wall) {
        return Ok(Clock { unit: Unit::Digits(0), zone, midnight: None });
    }
    Ok(Clock { unit, zone, midnight })
}
