// SPDX-License-Identifier: Apache-2.0
use super::*;
use crate::clock::simulated_domain;
use crate::controls::{ControlsRecord, ControlsTable, Level};
use crate::seqlock::begin_write;
use std::path::PathBuf;

const DOMAIN: ClockDomain = [7; 16];

fn place(name: &str) -> PathBuf {
    let directory = std::env::temp_dir().join(format!("pretrade-table-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    directory.join(name)
}

fn limits(name: &str) -> (PathBuf, LimitsTable) {
    let path = place(name);
    let options = CreateOptions { capacity: 4, ..CreateOptions::new(DOMAIN) };
    let table = LimitsTable::create(&path, &[(1, 0), (2, 0)], &options).unwrap();
    (path, table)
}

fn record(instrument_id: u32, version: u64) -> LimitsRecord {
    LimitsRecord { instrument_id, version, max_order_quantity: 500, valid_mask: 1, ..Default::default() }
}

#[test]
fn a_reader_sees_what_the_writer_published() {
    let (path, mut writer) = limits("published");
    let reader = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    let slot = reader.slot(2, 0).unwrap();
    writer.publish(slot, &record(2, 9)).unwrap();
    let mut seen = LimitsRecord::default();
    assert_eq!(reader.read(slot, &mut seen), ReadOutcome::Fresh);
    assert!(LimitsTable::is_intact(&seen));
    assert_eq!((seen.version, seen.max_order_quantity, seen.seq & 1), (9, 500, 0));
    let mut line = [0; 8];
    assert_eq!(reader.read_line_0(slot, &mut line), ReadOutcome::Fresh);
    assert_eq!((line[2], line[7]), (9, 500));
    assert_eq!(reader.slot(3, 0), None);
    assert_eq!(reader.keys(), vec![((1, 0), 0), ((2, 0), 1)]);
}

#[test]
fn an_unpublished_record_is_invalid_not_zero() {
    let (_, table) = limits("unpublished");
    let mut seen = LimitsRecord::default();
    assert_eq!(table.read(0, &mut seen), ReadOutcome::Fresh);
    assert_eq!(seen.valid_mask, 0);
    assert!(seen.score.is_nan());
    assert!(LimitsTable::is_intact(&seen));
}

#[test]
fn a_new_key_takes_the_next_slot_until_the_table_is_full() {
    let (path, mut writer) = limits("inserted");
    let reader = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    assert_eq!(writer.insert(1, 0).unwrap(), 0);
    assert_eq!(writer.insert(9, 3).unwrap(), 2);
    assert_eq!(reader.slot(9, 3), Some(2));
    writer.insert(10, 0).unwrap();
    assert!(writer.insert(11, 0).unwrap_err().to_string().contains("full"));
}

#[test]
fn a_record_in_the_wrong_slot_is_refused() {
    let (_, mut writer) = limits("wrong-slot");
    assert!(writer.publish(0, &record(2, 1)).unwrap_err().to_string().contains("slot 0"));
}

#[test]
fn heartbeats_reach_the_reader() {
    let (path, writer) = limits("heartbeat");
    let reader = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    assert_eq!(reader.channel(5), (0, 0));
    writer.heartbeat(5, 100, 90).unwrap();
    assert_eq!(reader.channel(5), (100, 90));
    assert!(writer.heartbeat(CHANNELS as u16, 1, 1).is_err());
    assert!(reader.heartbeat(5, 1, 1).unwrap_err().to_string().contains("reading"));
}

#[test]
fn a_writer_killed_in_a_write_is_repaired_in_a_new_epoch() {
    let (path, mut writer) = limits("killed");
    writer.publish(0, &LimitsRecord { trip_id: 4, ..record(1, 8) }).unwrap();
    let (seq, _, words) = writer.place(0);
    begin_write(seq);
    words[8].store(77, Ordering::Relaxed); // half of a write, then SIGKILL
    drop(writer);
    let reader = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    let mut seen = LimitsRecord::default();
    assert_eq!(reader.read(0, &mut seen), ReadOutcome::Torn);
    let next = LimitsTable::open(&path, &DOMAIN, Access::Write).unwrap();
    assert_eq!((next.repaired(), next.epoch(), reader.epoch()), (&[0][..], 2, 2));
    assert_eq!(reader.read(0, &mut seen), ReadOutcome::Fresh);
    assert!(LimitsTable::is_intact(&seen));
    assert_eq!((seen.valid_mask, seen.version, seen.trip_id), (0, 8, 4), "refused, but identity and trip id survive");
}

#[test]
fn a_writer_killed_before_its_first_store_loses_nothing() {
    let (path, mut writer) = limits("killed-early");
    writer.publish(0, &record(1, 8)).unwrap();
    begin_write(writer.place(0).0);
    drop(writer);
    let next = LimitsTable::open(&path, &DOMAIN, Access::Write).unwrap();
    let mut seen = LimitsRecord::default();
    assert_eq!(next.read(0, &mut seen), ReadOutcome::Fresh);
    assert_eq!((seen.valid_mask, seen.version), (1, 8));
}

#[test]
fn a_second_writer_is_refused_by_the_pid_of_the_first() {
    let (path, writer) = limits("two-writers");
    let refused = LimitsTable::open(&path, &DOMAIN, Access::Write).unwrap_err().to_string();
    assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
    assert!(LimitsTable::create(&path, &[(1, 0)], &CreateOptions::new(DOMAIN)).is_err());
    drop(writer);
    LimitsTable::open(&path, &DOMAIN, Access::Write).unwrap();
}

#[test]
fn a_replaced_table_says_so_to_its_readers() {
    let (path, writer) = limits("replaced");
    let reader = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    drop(writer);
    assert!(!reader.is_retired());
    LimitsTable::create(&path, &[(1, 0)], &CreateOptions::new(DOMAIN)).unwrap();
    assert!(reader.is_retired());
}

#[test]
fn every_wrong_header_is_refused_with_value_and_bound() {
    type Plant = fn(&Table<LimitsRecord>);
    let plants: [(Plant, &str); 8] = [
        (|t| t.map.words()[word_of!(magic)].store(1, Ordering::Relaxed), "magic"),
        (|t| t.map.halves()[half_of!(byte_order)].store(0x0403_0201, Ordering::Relaxed), "byte order"),
        (|t| t.map.halves()[half_of!(header_version)].store(9, Ordering::Relaxed), "header version 9"),
        (|t| t.map.halves()[half_of!(layout_version)].store(2, Ordering::Relaxed), "layout version 2"),
        (|t| t.map.words()[word_of!(layout_hash)].store(5, Ordering::Relaxed), "layout hash is 0x0000000000000005"),
        (|t| t.map.halves()[half_of!(record_count)].store(1 << 30, Ordering::Relaxed), "checksum"),
        (|t| t.map.words()[word_of!(clock_domain)].store(5, Ordering::Relaxed), "checksum"),
        (|t| t.map.halves()[half_of!(stride)].store(64, Ordering::Relaxed), "checksum"),
    ];
    for (plant, text) in plants {
        let (path, table) = limits("wrong-header");
        plant(&table);
        drop(table);
        let refused = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap_err().to_string();
        assert!(refused.contains(text), "{refused} should name {text}");
    }
}

#[test]
fn foreign_clock_short_file_and_other_table_are_refused() {
    let (path, table) = limits("foreign");
    let refused = LimitsTable::open(&path, &simulated_domain(3), Access::Read).unwrap_err().to_string();
    assert!(refused.contains("clock domain is 0707"), "{refused}");
    assert!(QuotesTable::open(&path, &DOMAIN, Access::Read).unwrap_err().to_string().contains("PTLIMITS"));
    drop(table);
    for length in [8192, 4096, 100, 0] {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let refused = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap_err().to_string();
        assert!(refused.contains("size"), "{refused}");
    }
    let absent = LimitsTable::open(&place("absent"), &DOMAIN, Access::Read).unwrap_err();
    assert!(absent.is_absent);
}

#[test]
fn state_words_move_outside_the_seqlock_and_bump_the_generation() {
    let path = place("controls");
    let mut writer = ControlsTable::create(&path, &[(1, Level::Instrument as u32), (1, Level::Account as u32)], &CreateOptions::new(DOMAIN)).unwrap();
    let gate = ControlsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    let tool = ControlsTable::open(&path, &DOMAIN, Access::Shared).unwrap();
    let slot = gate.row(Level::Instrument, 1).unwrap();
    let before = gate.generation();
    let trip = tool.trip(slot).unwrap();
    tool.set_reduce_only(slot, true).unwrap();
    let first = tool.arm_kill().unwrap();
    assert_eq!(gate.kill_word(), first);
    let row = ControlsRecord { id: 1, resumed_human: 0, version: 3, ..Default::default() };
    writer.publish(slot, &row).unwrap();
    let mut seen = ControlsRecord::default();
    assert_eq!(gate.read(slot, &mut seen), ReadOutcome::Fresh);
    assert!(ControlsTable::is_intact(&seen));
    assert!(seen.is_tripped_by_human());
    assert_eq!((seen.trip, seen.reduce_only, seen.version), (trip, 1, 3), "publishing must not touch the state words");
    assert!(gate.generation() > before);
    let second = tool.arm_kill().unwrap();
    assert!(!tool.release_kill(first).unwrap(), "armed again meanwhile");
    assert_eq!(gate.kill_word(), second);
    assert!(tool.release_kill(second).unwrap());
    assert_eq!(gate.kill_word(), 0);
}

#[test]
fn a_replaced_or_removed_table_stops_its_readers_and_acknowledges_no_kill() {
    let path = place("controls-replaced");
    let keys = [(1, Level::Instrument as u32)];
    drop(ControlsTable::create(&path, &keys, &CreateOptions::new(DOMAIN)).unwrap());
    let gate = ControlsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    let tool = ControlsTable::open(&path, &DOMAIN, Access::Shared).unwrap();
    drop(ControlsTable::create(&path, &keys, &CreateOptions::new(DOMAIN)).unwrap());
    assert_eq!(gate.generation(), 0, "a gate takes 0 for stage 3");
    assert!(tool.arm_kill().unwrap_err().to_string().contains("reaches no gateway"));
    assert_eq!(gate.generation(), 0, "no tool revives it");
    let tool = ControlsTable::open(&path, &DOMAIN, Access::Shared).unwrap();
    tool.arm_kill().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(tool.arm_kill().unwrap_err().to_string().contains("reaches no gateway"));
}
