/* SPDX-License-Identifier: Apache-2.0 */
/* libpretrade: pre-trade checks for an order system in any language that speaks C.
 *
 *   struct pretrade_open_options options = { .size = sizeof options, .run_directory = "/dev/shm/pretrade" };
 *   char error[512];
 *   pretrade_handle *gate = pretrade_open(&options, error, sizeof error);
 *   pretrade_decide(gate, &order, 1, now_mono, now_utc, &decision);   // decision.verdict == PRETRADE_ACCEPT: send it
 *   pretrade_on_venue(gate, &message, 1, now_mono, now_utc, NULL);    // every answer of the venue
 *   pretrade_poll(gate, now_mono, now_utc);                           // a few times a second
 *
 * Deadlines, windows and what may hold come from the last configuration in the run's control journal, never from a caller. A
 * handle belongs to one thread at a time. The library never reads a clock, never sends and never unwinds into its host. Records
 * are those of pretrade_layouts.h; unused bytes are zero. A decision stands in the gate journal before the call returns.
 */
#ifndef PRETRADE_H
#define PRETRADE_H

#include "pretrade_layouts.h"

#ifdef __cplusplus
extern "C" {
#endif

/* pretrade_version() of a library that fits this header. */
#define PRETRADE_VERSION 1u

/* What a function returns. */
enum pretrade_status {
    PRETRADE_OK = 0,
    PRETRADE_ARGUMENT = -1,     /* a pointer is NULL, or an argument is wrong */
    PRETRADE_INTERNAL = -2,     /* a panic was caught: cancels pass, everything else is refused until the gate is opened anew */
    PRETRADE_UNAVAILABLE = -3,  /* no memory, or the journal cannot be made durable */
    PRETRADE_UNKNOWN = -4,      /* nobody stated that position; nobody waits under that id */
    PRETRADE_NEEDS_SECOND = -5, /* the release of a large order lacks a second person; it still waits */
    PRETRADE_NOT_LOWER = -6     /* a reviewer may only lower the quantity; the order still waits */
};

/* pretrade_decision.verdict; a HOLD waits inside the gate until pretrade_release_hold, pretrade_refuse_hold or its time-out. */
enum pretrade_verdict { PRETRADE_ACCEPT = 1, PRETRADE_HOLD = 2, PRETRADE_REJECT = 3 };
/* pretrade_order.action, .side, .order_type and .time_in_force. */
enum pretrade_action { PRETRADE_NEW = 1, PRETRADE_REPLACE = 2, PRETRADE_CANCEL = 3 };
enum pretrade_side { PRETRADE_BUY = 1, PRETRADE_SELL = 2 };
enum pretrade_order_type { PRETRADE_MARKET = 1, PRETRADE_LIMIT = 2 };
enum pretrade_time_in_force { PRETRADE_DAY = 1, PRETRADE_IOC = 2, PRETRADE_FOK = 3, PRETRADE_GTC = 4 };

/* What a venue message says. */
enum pretrade_venue_kind {
    PRETRADE_ACKNOWLEDGED = 1,
    PRETRADE_FILLED = 2, /* quantity was executed */
    PRETRADE_CANCELLED = 3,
    PRETRADE_REJECTED = 4,
    PRETRADE_REPLACED = 5, /* client_order_id took the place of original_client_order_id */
    PRETRADE_REPLACE_REJECTED = 6,
    PRETRADE_CANCEL_REJECTED = 7,
    PRETRADE_POSITION = 8 /* the account's position in the instrument is quantity */
};

struct pretrade_venue_message {
    uint64_t client_order_id;
    uint64_t original_client_order_id;
    int64_t quantity;
    int64_t price;    /* 1e-9 */
    int64_t ts_event; /* ns UTC */
    uint32_t session_id;
    uint32_t instrument_id;
    uint32_t account_id;
    uint8_t kind; /* enum pretrade_venue_kind */
    uint8_t side; /* enum pretrade_side */
    uint8_t pad[10];
};
static_assert(sizeof(struct pretrade_venue_message) == 64, "size");
static_assert(offsetof(struct pretrade_venue_message, kind) == 52, "offset");

struct pretrade_open_options {
    size_t size;                   /* sizeof(struct pretrade_open_options) */
    const char *run_directory;     /* limits.tbl, quotes.tbl, controls.tbl; the gate's own table and ring are made here */
    const char *journal_directory; /* on a disk; NULL: run_directory/journals */
    const char *starter_model;     /* folder of the packaged order-error model; NULL unless the configuration names it */
    uint16_t gateway_id;           /* row of controls it claims */
    uint8_t is_flat_at_start;      /* 1: every position is zero. 0: unknown, and new risk refused, until PRETRADE_POSITION says it */
};

typedef struct pretrade_handle pretrade_handle;

uint32_t pretrade_version(void);

/* NULL on failure; `error` gets the reason in one sentence. Rebuilds the state from the gate journal of an earlier life. */
pretrade_handle *pretrade_open(const struct pretrade_open_options *options, char *error, size_t error_size);

/* One decision an order. Both clocks are read once, at arrival: now_mono is CLOCK_MONOTONIC, now_utc CLOCK_REALTIME, in ns. */
int pretrade_decide(pretrade_handle *gate, const struct pretrade_order *orders, size_t count, int64_t now_mono, int64_t now_utc,
                    struct pretrade_decision *decisions);

int pretrade_on_venue(pretrade_handle *gate, const struct pretrade_venue_message *messages, size_t count, int64_t now_mono,
                      int64_t now_utc, size_t *unknown);
int pretrade_poll(pretrade_handle *gate, int64_t now_mono, int64_t now_utc);
int pretrade_flush(pretrade_handle *gate);
int pretrade_position(pretrade_handle *gate, uint32_t instrument_id, uint32_t account_id, int64_t *position);

/* Held orders. Record the persons first (`entry` and `ts` of the control journal); quantity 0 releases the whole order. Every
 * control runs again on present limits; an accepted decision may be sent with the decision's quantity. */
int pretrade_release_hold(pretrade_handle *gate, uint64_t client_order_id, uint32_t session_id, int64_t quantity, uint64_t entry,
                          int64_t ts, uint8_t persons, int64_t now_mono, int64_t now_utc, struct pretrade_decision *decision);
/* persons 0: the client left. */
int pretrade_refuse_hold(pretrade_handle *gate, uint64_t client_order_id, uint32_t session_id, uint64_t entry, int64_t ts,
                         uint8_t persons, int64_t now_mono, int64_t now_utc, struct pretrade_decision *decision);
/* Waits that ended in pretrade_poll: time-out, kill, trip. */
int pretrade_take_resolved(pretrade_handle *gate, struct pretrade_decision *decisions, size_t capacity, size_t *count);

int pretrade_is_poisoned(const pretrade_handle *gate);

/* The decision in words ("REJECT ORDER_EXCEEDS_LIMIT quantity=200 limit=50 ..."); returns the length of the whole text. */
size_t pretrade_text(const struct pretrade_decision *decision, char *buffer, size_t size);

void pretrade_close(pretrade_handle *gate);

#ifdef __cplusplus
}
#endif
#endif
