// SPDX-License-Identifier: Apache-2.0
//! `libpretrade`: the gate for an order system in any language that speaks C. `include/pretrade.h` is the contract.
//!
//! It wraps and never decides. No panic crosses: each function catches, poisons the gate and returns `PRETRADE_INTERNAL`; a
//! poisoned gate refuses everything but cancels until it is opened anew. A handle belongs to one thread at a time.

mod settings;

use pretrade_gate::holds::{HoldOutcome, Reviewed};
use pretrade_gate::{Gate, GateFiles, VenueMessage, text};
use pretrade_journal::GateJournalOptions;
use pretrade_records::{Decision, Order, ReasonCode};
use pretrade_shm::clock::boot_domain;
use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The call did what it says.
pub const OK: c_int = 0;
/// An argument is wrong.
pub const ARGUMENT: c_int = -1;
/// A panic was caught: the gate is poisoned.
pub const INTERNAL: c_int = -2;
/// There is no memory, or the journal cannot be made durable.
pub const UNAVAILABLE: c_int = -3;
/// Nobody waits under that id.
pub const UNKNOWN: c_int = -4;
/// The release of a large order lacks a second person; it still waits.
pub const NEEDS_SECOND: c_int = -5;
/// A reviewer may only lower the quantity; the order still waits.
pub const NOT_LOWER: c_int = -6;

/// Version of this interface; the header carries the same number.
pub const VERSION: u32 = 1;

/// `struct pretrade_open_options`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct OpenOptions {
    /// Size of the caller's structure.
    pub size: usize,
    /// Directory of the tables.
    pub run_directory: *const c_char,
    /// Directory of the journals on disk; NULL for `run_directory/journals`.
    pub journal_directory: *const c_char,
    /// Folder of the packaged order-error model, needed only where the configuration names `starter`.
    pub starter_model: *const c_char,
    /// Row of the gateway.
    pub gateway_id: u16,
    /// 1 states that every position is zero.
    pub is_flat_at_start: u8,
}

/// An opened gate.
#[derive(Debug)]
pub struct Handle {
    gate: Gate,
    is_unsound: bool,
    is_panic_planted: bool,
}

/// The version of the library.
#[unsafe(no_mangle)]
pub extern "C" fn pretrade_version() -> u32 {
    VERSION
}

/// Opens a gate over the tables of a run directory; NULL with a message on failure.
///
/// # Safety
/// `options` points to a structure whose strings end in NUL; `error` has room for `error_size` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_open(options: *const OpenOptions, error: *mut c_char, error_size: usize) -> *mut Handle {
    let opened = catch_unwind(|| {
        // SAFETY: the caller's promise.
        let options = unsafe { options.as_ref() }.ok_or("options is NULL")?;
        if options.size != size_of::<OpenOptions>() {
            return Err(format!("options has size {}; this library knows {}", options.size, size_of::<OpenOptions>()));
        }
        // SAFETY: the caller's promise.
        unsafe { open(options) }
    });
    match opened {
        Ok(Ok(handle)) => Box::into_raw(Box::new(handle)),
        Ok(Err(text)) => {
            // SAFETY: the caller's promise.
            unsafe { put_text(&text, error, error_size) };
            std::ptr::null_mut()
        }
        Err(_) => {
            // SAFETY: the caller's promise.
            unsafe { put_text("a panic was caught while the gate was opened", error, error_size) };
            std::ptr::null_mut()
        }
    }
}

/// # Safety
/// The strings of `options` end in NUL.
unsafe fn open(options: &OpenOptions) -> Result<Handle, String> {
    let path = |text: *const c_char, name: &str| -> Result<Option<PathBuf>, String> {
        if text.is_null() {
            return Ok(None);
        }
        // SAFETY: the caller's promise.
        let text = unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| format!("{name} is no UTF-8"))?;
        Ok(Some(PathBuf::from(text)))
    };
    let run = path(options.run_directory, "run_directory")?.ok_or("run_directory is NULL")?;
    let journals = path(options.journal_directory, "journal_directory")?.unwrap_or_else(|| run.join("journals"));
    let starter = path(options.starter_model, "starter_model")?;
    let settings = settings::read(&journals.join("controls.journal"), starter.as_deref())?;
    let domain = boot_domain().map_err(|e| format!("boot id: {e}"))?;
    let mut files = GateFiles::in_directory(&run, options.gateway_id, domain);
    files.journal = Some(journal_of(&run, &journals, options.gateway_id, domain));
    files.order_error = settings.order_error;
    let mut numbers = settings.options;
    numbers.is_flat_at_start = options.is_flat_at_start == 1;
    let gate = Gate::open(files, numbers).map_err(|e| e.to_string())?;
    Ok(Handle { gate, is_unsound: false, is_panic_planted: false })
}

fn journal_of(run: &Path, journals: &Path, gateway_id: u16, domain: pretrade_shm::clock::ClockDomain) -> GateJournalOptions {
    let (ring, disk) = (run.join(format!("gate-{gateway_id}.ring")), journals.join(format!("gate-{gateway_id}.journal")));
    GateJournalOptions::new(&ring, &disk, gateway_id, domain)
}

/// Runs `act` on a sound gate; a panic poisons it.
///
/// # Safety
/// `handle` came from [`pretrade_open`] and is used by this thread alone.
unsafe fn guarded(handle: *mut Handle, now_mono: i64, now_utc: i64, act: impl FnOnce(&mut Gate) -> c_int) -> c_int {
    // SAFETY: the caller's promise.
    let Some(handle) = (unsafe { handle.as_mut() }) else { return ARGUMENT };
    if handle.is_unsound {
        return INTERNAL;
    }
    let is_planted = std::mem::take(&mut handle.is_panic_planted);
    let gate = &mut handle.gate;
    let done = catch_unwind(AssertUnwindSafe(|| {
        let status = act(gate);
        assert!(!is_planted, "planted panic");
        status
    }));
    done.unwrap_or_else(|_| {
        handle.is_unsound = true;
        let gate = &mut handle.gate;
        // A second panic while poisoning changes nothing: the handle is unsound, and cancels are all it passes.
        let _ = catch_unwind(AssertUnwindSafe(|| gate.poison(now_mono, now_utc)));
        INTERNAL
    })
}

/// Decides `count` orders, one decision each, at one reading of both clocks.
///
/// # Safety
/// `handle` is live and this thread's; `orders` and `decisions` have room for `count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_decide(
    handle: *mut Handle,
    orders: *const Order,
    count: usize,
    now_mono: i64,
    now_utc: i64,
    decisions: *mut Decision,
) -> c_int {
    // SAFETY: the caller's promise.
    let Some(handle) = (unsafe { handle.as_mut() }) else { return ARGUMENT };
    if count == 0 {
        return OK;
    }
    if orders.is_null() || decisions.is_null() {
        return ARGUMENT;
    }
    // SAFETY: the caller's promise.
    let (orders, decisions) = unsafe { (std::slice::from_raw_parts(orders, count), std::slice::from_raw_parts_mut(decisions, count)) };
    let gate = &mut handle.gate;
    let is_poisoned_before = gate.is_poisoned();
    let done = catch_unwind(AssertUnwindSafe(|| {
        for (order, decision) in orders.iter().zip(decisions) {
            if gate.reserve().is_err() {
                return UNAVAILABLE;
            }
            gate.decide_into(order, now_mono, now_utc, decision);
        }
        // The decision function catches its own panics and answers INTERNAL_ERROR decisions: cancels still pass.
        if gate.is_poisoned() && !is_poisoned_before { INTERNAL } else { OK }
    }));
    done.unwrap_or_else(|_| {
        handle.is_unsound = true;
        let gate = &mut handle.gate;
        let _ = catch_unwind(AssertUnwindSafe(|| gate.poison(now_mono, now_utc)));
        INTERNAL
    })
}

/// Takes the venue's answers; `unknown`, where not NULL, gets how many named an order the gate does not know.
///
/// # Safety
/// `handle` is live and this thread's; `messages` has `count` of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_on_venue(
    handle: *mut Handle,
    messages: *const VenueMessage,
    count: usize,
    now_mono: i64,
    now_utc: i64,
    unknown: *mut usize,
) -> c_int {
    if count > 0 && messages.is_null() {
        return ARGUMENT;
    }
    // SAFETY: the caller's promise.
    let messages = if count == 0 { &[] } else { unsafe { std::slice::from_raw_parts(messages, count) } };
    let mut not_known = 0;
    // SAFETY: the caller's promise.
    let status = unsafe {
        guarded(handle, now_mono, now_utc, |gate| {
            not_known = messages.iter().filter(|message| !gate.on_venue(message, now_mono, now_utc)).count();
            OK
        })
    };
    // SAFETY: the caller's promise.
    if let (OK, Some(unknown)) = (status, unsafe { unknown.as_mut() }) {
        *unknown = not_known;
    }
    status
}

/// Looks at the tables between orders: trips latch, waits end, the status is published. A few times a second.
///
/// # Safety
/// `handle` is live and this thread's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_poll(handle: *mut Handle, now_mono: i64, now_utc: i64) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guarded(handle, now_mono, now_utc, |gate| if gate.poll(now_mono, now_utc).is_ok() { OK } else { UNAVAILABLE }) }
}

/// Waits until everything decided is on disk.
///
/// # Safety
/// `handle` is live and this thread's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_flush(handle: *mut Handle) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { guarded(handle, 0, 0, |gate| if gate.flush() { OK } else { UNAVAILABLE }) }
}

/// Signed position of an account in an instrument; `PRETRADE_UNKNOWN` where nobody stated it.
///
/// # Safety
/// `handle` is live and this thread's; `position` points to room for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_position(handle: *mut Handle, instrument_id: u32, account_id: u32, position: *mut i64) -> c_int {
    let mut found = None;
    // SAFETY: the caller's promise.
    let status = unsafe {
        guarded(handle, 0, 0, |gate| {
            found = gate.position(instrument_id, account_id);
            if found.is_some() { OK } else { UNKNOWN }
        })
    };
    // SAFETY: the caller's promise.
    match (found, unsafe { position.as_mut() }) {
        (Some(value), Some(position)) => *position = value,
        (_, None) => return ARGUMENT,
        _ => {}
    }
    status
}

/// Releases a held order (`quantity` 0: whole) that `persons` different persons decided about in `entry` of the control journal
/// at `ts`. `decision` gets what came of it; an accepted one may be sent with the decision's quantity.
///
/// # Safety
/// `handle` is live and this thread's; `decision` points to room for one.
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "a C function takes words")]
pub unsafe extern "C" fn pretrade_release_hold(
    handle: *mut Handle,
    client_order_id: u64,
    session_id: u32,
    quantity: i64,
    entry: u64,
    ts: i64,
    persons: u8,
    now_mono: i64,
    now_utc: i64,
    decision: *mut Decision,
) -> c_int {
    let (quantity, by) = ((quantity != 0).then_some(quantity), Reviewed { entry, ts, persons });
    // SAFETY: the caller's promise.
    unsafe { ended(handle, now_mono, now_utc, decision, |gate| gate.release_hold(client_order_id, session_id, quantity, by, now_mono, now_utc)) }
}

/// Refuses a held order: `persons` 0 says that its client left, otherwise as [`pretrade_release_hold`].
///
/// # Safety
/// As [`pretrade_release_hold`].
#[unsafe(no_mangle)]
#[allow(clippy::too_many_arguments, reason = "a C function takes words")]
pub unsafe extern "C" fn pretrade_refuse_hold(
    handle: *mut Handle,
    client_order_id: u64,
    session_id: u32,
    entry: u64,
    ts: i64,
    persons: u8,
    now_mono: i64,
    now_utc: i64,
    decision: *mut Decision,
) -> c_int {
    let by = (persons > 0).then_some(Reviewed { entry, ts, persons });
    let reason = if persons > 0 { ReasonCode::HoldRefused } else { ReasonCode::ClientDisconnected };
    // SAFETY: the caller's promise.
    unsafe { ended(handle, now_mono, now_utc, decision, |gate| gate.refuse_hold(client_order_id, session_id, reason, by, now_mono, now_utc)) }
}

/// # Safety
/// As [`pretrade_release_hold`].
unsafe fn ended(handle: *mut Handle, now_mono: i64, now_utc: i64, out: *mut Decision, act: impl FnOnce(&mut Gate) -> HoldOutcome) -> c_int {
    // SAFETY: the caller's promise.
    let Some(out) = (unsafe { out.as_mut() }) else { return ARGUMENT };
    // SAFETY: the caller's promise.
    unsafe {
        guarded(handle, now_mono, now_utc, |gate| match act(gate) {
            HoldOutcome::Unknown => UNKNOWN,
            HoldOutcome::NeedsSecond => NEEDS_SECOND,
            HoldOutcome::NotLower => NOT_LOWER,
            HoldOutcome::Decided(decision, _) => {
                *out = decision;
                OK
            }
        })
    }
}

/// Waits that ended by themselves since last asked (time-out, kill, trip): at most `capacity` decisions, oldest first; `count`
/// gets how many. What did not fit is given at the next call.
///
/// # Safety
/// `handle` is live and this thread's; `decisions` has room for `capacity`, `count` for one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_take_resolved(handle: *mut Handle, decisions: *mut Decision, capacity: usize, count: *mut usize) -> c_int {
    // SAFETY: the caller's promise.
    let Some(count) = (unsafe { count.as_mut() }) else { return ARGUMENT };
    if decisions.is_null() && capacity > 0 {
        return ARGUMENT;
    }
    // SAFETY: the caller's promise.
    let out = if capacity == 0 { &mut [] } else { unsafe { std::slice::from_raw_parts_mut(decisions, capacity) } };
    // SAFETY: the caller's promise.
    unsafe {
        guarded(handle, 0, 0, |gate| {
            let resolved = gate.take_some_resolved(out.len());
            out[..resolved.len()].copy_from_slice(&resolved);
            *count = resolved.len();
            OK
        })
    }
}

/// 1 once a panic was caught: cancels pass, everything else is refused until the gate is opened anew.
///
/// # Safety
/// `handle` is live and this thread's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_is_poisoned(handle: *const Handle) -> c_int {
    // SAFETY: the caller's promise.
    unsafe { handle.as_ref() }.map_or(ARGUMENT, |handle| c_int::from(handle.is_unsound || handle.gate.is_poisoned()))
}

/// The decision in words, cut to `size` bytes with the NUL; returns the length of the whole text.
///
/// # Safety
/// `decision` points to one; `buffer` has room for `size` bytes or is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_text(decision: *const Decision, buffer: *mut c_char, size: usize) -> usize {
    // SAFETY: the caller's promise.
    let Some(decision) = (unsafe { decision.as_ref() }) else { return 0 };
    let line = catch_unwind(|| text::line(decision)).unwrap_or_default();
    // SAFETY: the caller's promise.
    unsafe { put_text(&line, buffer, size) };
    line.len()
}

/// Drains the journal and lets go of the tables. NULL is allowed.
///
/// # Safety
/// `handle` came from [`pretrade_open`] and is not used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_close(handle: *mut Handle) {
    if !handle.is_null() {
        // SAFETY: the caller's promise.
        let handle = unsafe { Box::from_raw(handle) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
    }
}

/// Makes the next call panic, inside the gate where it decides and after the act elsewhere: the planted fault of the border test.
/// Not in the header.
///
/// # Safety
/// `handle` is live and this thread's.
#[doc(hidden)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pretrade_plant_panic(handle: *mut Handle, is_in_gate: c_int) {
    // SAFETY: the caller's promise.
    if let Some(handle) = unsafe { handle.as_mut() } {
        if is_in_gate == 1 {
            handle.gate.plant_panic();
        } else {
            handle.is_panic_planted = true;
        }
    }
}

/// # Safety
/// `buffer` has room for `size` bytes or is NULL.
unsafe fn put_text(text: &str, buffer: *mut c_char, size: usize) {
    if buffer.is_null() || size == 0 {
        return;
    }
    let length = text.len().min(size - 1);
    // SAFETY: the caller's promise; `length` bytes and the NUL fit.
    unsafe {
        std::ptr::copy_nonoverlapping(text.as_ptr().cast::<c_char>(), buffer, length);
        *buffer.add(length) = 0;
    }
}
