// SPDX-License-Identifier: Apache-2.0
//! `kill -9` of a gate that writes its journal as fast as it can: nothing that reached the ring is lost.
//!
//! The test starts itself again as a child (`PRETRADE_CHILD`), watches the shared head, and kills it.
use pretrade_journal::{GateJournal, GateJournalOptions, GateJournalReader, RecordKind, Ring, verify_gate_journal};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

const DOMAIN: [u8; 16] = [3; 16];
const KILLS: u64 = 12;

fn options(directory: &Path) -> GateJournalOptions {
    GateJournalOptions { capacity: 1 << 14, ..GateJournalOptions::new(&directory.join("ring"), &directory.join("disk"), 2, DOMAIN) }
}

/// The child: appends for ever; record n carries n and n squared.
#[test]
fn child_appends_until_killed() {
    let Some(directory) = std::env::var_os("PRETRADE_CHILD").map(PathBuf::from) else { return };
    let mut journal = GateJournal::open(&options(&directory)).unwrap();
    loop {
        let next = journal.head() + 1;
        if journal.append(RecordKind::Order, next as i64, 1, &[next, next.wrapping_mul(next)]).is_none() {
            assert!(journal.flush());
        }
    }
}

/// A child that does not outlive the test, whatever the test does.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(directory: &Path) -> Running {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_appends_until_killed", "--quiet"])
        .env("PRETRADE_CHILD", directory)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    Running(child)
}

/// Waits until the head passed `beyond`, then kills; returns the head last seen while the child lived.
fn kill_beyond(mut child: Running, directory: &Path, beyond: u64) -> u64 {
    loop {
        assert!(child.0.try_wait().unwrap().is_none(), "the child ended by itself");
        let head = Ring::open(&directory.join("ring"), 2, &DOMAIN, false).map_or(0, |ring| ring.head());
        if head > beyond {
            drop(child);
            return head;
        }
        std::thread::yield_now();
    }
}

#[test]
fn no_record_of_a_killed_gate_is_lost_or_doubled() {
    let directory = std::env::temp_dir().join(format!("pretrade-killed-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let mut beyond = 0;
    for kill in 1..=KILLS {
        let seen = kill_beyond(start(&directory), &directory, beyond + 1 + kill * 3331 % 5000);
        let mut records = Vec::new();
        GateJournalReader::open(&options(&directory)).unwrap().read(&mut records, usize::MAX).unwrap();
        let last = records.len() as u64;
        assert!(last >= seen, "kill {kill}: the head was {seen}, only {last} records were read back");
        for (at, record) in records.iter().enumerate() {
            let number = at as u64 + 1;
            assert_eq!((record.sequence, record.payload[0], record.payload[1]), (number, number, number.wrapping_mul(number)));
        }
        beyond = last;
    }
    let mut journal = GateJournal::open(&options(&directory)).unwrap();
    assert_eq!(journal.append(RecordKind::Start, 0, 0, &[]), Some(beyond + 1));
    assert!(journal.flush());
    let found = verify_gate_journal(&options(&directory).disk).unwrap();
    assert_eq!((found.problem_count, found.records), (0, beyond + 1), "{:?}", found.problems);
    fs::remove_dir_all(&directory).unwrap();
}

/// The child: its disk file may not grow beyond a few batches, as on a full disk.
#[test]
fn child_fills_its_disk() {
    let Some(directory) = std::env::var_os("PRETRADE_FULL").map(PathBuf::from) else { return };
    let mut journal = GateJournal::open(&options(&directory)).unwrap();
    // SAFETY: plain settings of this process; the limit holds for the disk file only, the ring has its whole size already.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        let limit = libc::rlimit { rlim_cur: 100_000, rlim_max: libc::RLIM_INFINITY };
        libc::setrlimit(libc::RLIMIT_FSIZE, &raw const limit);
    }
    let mut written = 0;
    while journal.append(RecordKind::Order, 0, 0, &[written]).is_some() {
        written += 1;
        let _ = journal.flush();
    }
    assert!(journal.has_failed() && !journal.flush());
    assert_eq!(journal.append(RecordKind::Order, 0, 0, &[]), None, "a stopped journal takes nothing more");
    fs::write(directory.join("written"), written.to_string()).unwrap();
}

#[test]
fn a_full_disk_stops_the_journal_and_what_was_taken_stays_readable() {
    let directory = std::env::temp_dir().join(format!("pretrade-full-{}", std::process::id()));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir_all(&directory).unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_fills_its_disk", "--quiet"])
        .env("PRETRADE_FULL", &directory)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    let written: usize = fs::read_to_string(directory.join("written")).unwrap().parse().unwrap();
    let mut records = Vec::new();
    GateJournalReader::open(&options(&directory)).unwrap().read(&mut records, usize::MAX).unwrap();
    assert!(written > 0 && records.len() == written, "{written} taken, {} read", records.len());
    // With room again the next process moves the rest to disk.
    drop(GateJournal::open(&options(&directory)).unwrap());
    let found = verify_gate_journal(&options(&directory).disk).unwrap();
    assert_eq!((found.problem_count, found.records), (0, written as u64), "{:?}", found.problems);
    fs::remove_dir_all(&directory).unwrap();
}
