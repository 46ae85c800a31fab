// SPDX-License-Identifier: Apache-2.0
//! Torn-read stress against a writer in another process, and `kill -9` of that writer in mid-write.
//!
//! Every published record repeats its version in each payload word, so a mixture of two records shows itself. The long
//! run (1e8 reads, 1e9 under `make bench`) is `pretrade bench`; here a few million: `PRETRADE_READS` sets another number.
#![cfg(not(feature = "loom"))]
use pretrade_records::LimitsRecord;
use pretrade_shm::{Access, CreateOptions, LimitsTable, ReadOutcome, TableRecord};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const DOMAIN: [u8; 16] = [7; 16];
const INSTRUMENTS: u32 = 4;

/// A record whose every word but the key's says `version`.
fn uniform(instrument_id: u32, version: u64) -> LimitsRecord {
    let mut record: LimitsRecord = bytemuck::Zeroable::zeroed();
    let words: &mut [u64] = bytemuck::cast_slice_mut(std::slice::from_mut(&mut record));
    words.fill(version);
    record.set_key((instrument_id, 0));
    record
}

fn is_uniform(record: &LimitsRecord) -> bool {
    let words: &[u64] = bytemuck::cast_slice(std::slice::from_ref(record));
    words[2..].iter().all(|word| *word == words[2])
}

/// The child: publishes as fast as it can.
#[test]
fn child_publishes_until_killed() {
    let Some(path) = std::env::var_os("PRETRADE_CHILD").map(PathBuf::from) else { return };
    let mut table = LimitsTable::open(&path, &DOMAIN, Access::Write).unwrap();
    for version in 2.. {
        let instrument = version as u32 % INSTRUMENTS + 1;
        let slot = table.slot(instrument, 0).unwrap();
        table.publish(slot, &uniform(instrument, version)).unwrap();
    }
}

fn table(name: &str) -> PathBuf {
    let directory = PathBuf::from("/dev/shm").join(format!("pretrade-torn-{name}-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("limits.tbl");
    let keys: Vec<_> = (1..=INSTRUMENTS).map(|i| (i, 0)).collect();
    let mut table = LimitsTable::create(&path, &keys, &CreateOptions::new(DOMAIN)).unwrap();
    for (key, slot) in table.keys() {
        table.publish(slot, &uniform(key.0, 1)).unwrap();
    }
    path
}

/// A child that does not outlive the test, whatever the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(path: &Path) -> Running {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_publishes_until_killed", "--quiet"])
        .env("PRETRADE_CHILD", path)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}

fn wait_for_writer(table: &LimitsTable) {
    let before = table.sequence(0);
    while table.sequence(0) == before {
        std::thread::yield_now();
    }
}

#[test]
fn no_read_is_torn_under_a_writer_at_full_speed_and_the_unguarded_reader_is_caught() {
    let reads: u64 = std::env::var("PRETRADE_READS").ok().and_then(|n| n.parse().ok()).unwrap_or(2_000_000);
    let path = table("stress");
    let writer = start(&path);
    let reader = LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap();
    wait_for_writer(&reader);
    let mut record = uniform(1, 0);
    let (mut fresh, mut mixed, mut caught, mut i) = (0_u64, 0_u64, 0_u64, 0_u64);
    // Each guarded read beside one without the sequence check: when the planted bug was caught often enough, the guarded one
    // had its chances too, whatever else the machine does.
    while i < reads || caught < 20 {
        let slot = (i % u64::from(INSTRUMENTS)) as usize;
        if reader.read(slot, &mut record) == ReadOutcome::Fresh {
            fresh += 1;
            mixed += u64::from(!is_uniform(&record));
        }
        reader.read_unguarded(slot, &mut record);
        caught += u64::from(!is_uniform(&record));
        i += 1;
    }
    assert!(fresh > i / 2, "only {fresh} of {i} reads succeeded");
    assert_eq!(mixed, 0, "{mixed} of {fresh} fresh reads mix two records, {caught} of {i} unguarded ones do");
    drop(writer);
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}

#[test]
fn a_writer_killed_at_any_instant_leaves_whole_records_or_ones_the_next_writer_repairs() {
    let path = table("killed");
    for _ in 0..20 {
        let writer = start(&path);
        wait_for_writer(&LimitsTable::open(&path, &DOMAIN, Access::Read).unwrap());
        drop(writer);
        let next = LimitsTable::open(&path, &DOMAIN, Access::Write).unwrap();
        let mut record = uniform(1, 0);
        for (key, slot) in next.keys() {
            assert_eq!(next.read(slot, &mut record), ReadOutcome::Fresh);
            assert!(LimitsTable::is_intact(&record));
            assert_eq!(record.key(), key);
            assert!(is_uniform(&record) || (next.repaired().contains(&slot) && record.valid_mask == 0));
        }
    }
    fs::remove_dir_all(path.parent().unwrap()).unwrap();
}
