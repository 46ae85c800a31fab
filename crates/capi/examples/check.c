/* SPDX-License-Identifier: Apache-2.0 */
/* Puts one order to the gate of a run directory: check RUN_DIRECTORY QUANTITY [PRICE]. Exit status: 0 accepted, 1 not. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pretrade.h"

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: check RUN_DIRECTORY QUANTITY [PRICE]\n");
        return 2;
    }
    if (pretrade_version() != PRETRADE_VERSION) {
        fprintf(stderr, "the library is version %" PRIu32 ", the header %u\n", pretrade_version(), PRETRADE_VERSION);
        return 2;
    }
    char error[512];
    struct pretrade_open_options options = {.size = sizeof options, .run_directory = argv[1], .is_flat_at_start = 1};
    pretrade_handle *gate = pretrade_open(&options, error, sizeof error);
    if (gate == NULL) {
        fprintf(stderr, "%s\n", error);
        return 2;
    }
    int64_t mono = now(CLOCK_MONOTONIC), utc = now(CLOCK_REALTIME);
    struct pretrade_order order = {
        .client_order_id = (uint64_t)utc,
        .ts_event = utc,
        .price = argc > 3 ? (int64_t)(strtod(argv[3], NULL) * 1e9) : 0,
        .quantity = strtoll(argv[2], NULL, 10),
        .instrument_id = 1,
        .strategy_id = 1,
        .account_id = 1,
        .side = PRETRADE_BUY,
        .order_type = argc > 3 ? PRETRADE_LIMIT : PRETRADE_MARKET,
        .time_in_force = PRETRADE_DAY,
        .action = PRETRADE_NEW,
    };
    struct pretrade_decision decision;
    int status = pretrade_decide(gate, &order, 1, mono, utc, &decision);
    char words[512];
    pretrade_text(&decision, words, sizeof words);
    printf("%d %s\n", status, words);
    pretrade_close(gate);
    return status == PRETRADE_OK && decision.verdict == PRETRADE_ACCEPT ? 0 : 1;
}
