// SPDX-License-Identifier: Apache-2.0
//! A truncated table must not kill the process: the handler maps zeros over the segment and marks it dead.
//!
//! A dead `controls` table reads as generation 0 (stage 3), a dead `limits` table as invalid (stage 1).
//! Our own processes call [`install`]; embedded in someone else's process it is opt-in.
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Segments that can be watched at once; a mapping beyond it keeps the default action of SIGBUS.
const SLOTS: usize = 256;

struct Watched {
    start: AtomicUsize,
    length: AtomicUsize,
    dead: AtomicBool,
}

static WATCHED: [Watched; SLOTS] =
    [const { Watched { start: AtomicUsize::new(0), length: AtomicUsize::new(0), dead: AtomicBool::new(false) } }; SLOTS];

/// Reserved marker of a slot being filled.
const CLAIMED: usize = 1;

/// Watches a segment; the ticket is `None` when every slot is taken.
pub(crate) fn watch(start: usize, length: usize) -> Option<usize> {
    let ticket = WATCHED.iter().position(|w| w.start.compare_exchange(0, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok())?;
    let slot = &WATCHED[ticket];
    slot.dead.store(false, Ordering::Relaxed);
    slot.length.store(length, Ordering::Relaxed);
    slot.start.store(start, Ordering::Release);
    Some(ticket)
}

/// Stops watching.
pub(crate) fn unwatch(ticket: usize) {
    WATCHED[ticket].start.store(0, Ordering::Release);
}

/// True once the segment was found truncated.
#[inline]
pub(crate) fn is_dead(ticket: usize) -> bool {
    WATCHED[ticket].dead.load(Ordering::Relaxed)
}

/// Installs the handler for this process, once.
///
/// # Errors
/// When the operating system refuses.
pub fn install() -> std::io::Result<()> {
    // SAFETY: a zeroed sigaction is a valid value; `on_sigbus` has the signature SA_SIGINFO asks for and
    // calls only async-signal-safe functions (mmap and sigaction are plain system calls on Linux).
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_sigbus as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        if libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) != 0 {
            return Err(std::io::Error::last_os_error());
        }
    }
    Ok(())
}

extern "C" fn on_sigbus(_signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to a SA_SIGINFO handler.
    let address = unsafe { (*info).si_addr() } as usize;
    for slot in &WATCHED {
        let (start, length) = (slot.start.load(Ordering::Acquire), slot.length.load(Ordering::Relaxed));
        if start > CLAIMED && (start..start + length).contains(&address) {
            slot.dead.store(true, Ordering::Relaxed);
            // SAFETY: the range is a live mapping of ours; replacing it by private zero pages keeps every
            // reference into it valid, and atomics over any bytes are valid values.
            let mapped = unsafe {
                libc::mmap(
                    start as *mut libc::c_void,
                    length,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
                    -1,
                    0,
                )
            };
            if mapped != libc::MAP_FAILED {
                return;
            }
        }
    }
    // Not ours: back to the default action; the faulting instruction runs again and ends the process.
    // SAFETY: SIG_DFL is always a valid action.
    unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
}
