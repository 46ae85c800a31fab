/* SPDX-License-Identifier: Apache-2.0 */
/* What must hold at the C border: borders RUN_DIRECTORY. Prints one line for each promise; exit status: promises broken. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pretrade.h"

extern void pretrade_plant_panic(pretrade_handle *gate, int is_in_gate);

static int broken;

static void promise(const char *what, int holds)
{
    printf("%s %s\n", holds ? "ok" : "BROKEN", what);
    broken += !holds;
}

static int64_t now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static struct pretrade_decision decide(pretrade_handle *gate, uint64_t id, uint8_t action, int64_t quantity, int *status)
{
    struct pretrade_order order = {.client_order_id = id, .ts_event = now(CLOCK_REALTIME), .price = 4800000000000, .quantity = quantity,
        .instrument_id = 1, .strategy_id = 1, .account_id = 1, .side = PRETRADE_BUY, .order_type = PRETRADE_LIMIT,
        .time_in_force = PRETRADE_DAY, .action = action, .original_client_order_id = action == PRETRADE_CANCEL ? 1 : 0};
    struct pretrade_decision decision;
    memset(&decision, 0, sizeof decision);
    *status = pretrade_decide(gate, &order, 1, now(CLOCK_MONOTONIC), now(CLOCK_REALTIME), &decision);
    return decision;
}

static pretrade_handle *open_gate(const char *run)
{
    char error[512] = "";
    struct pretrade_open_options options = {.size = sizeof options, .run_directory = run, .is_flat_at_start = 1};
    pretrade_handle *gate = pretrade_open(&options, error, sizeof error);
    if (gate == NULL)
        printf("BROKEN open: %s\n", error);
    return gate;
}

int main(int argc, char **argv)
{
    (void)argc;
    int status;
    char error[64] = "";
    struct pretrade_open_options wrong = {.size = 3};
    promise("another size of options is refused", pretrade_open(&wrong, error, sizeof error) == NULL && strstr(error, "size 3") != NULL);
    wrong.size = sizeof wrong;
    promise("a missing directory is refused", pretrade_open(&wrong, error, 8) == NULL && strlen(error) == 7);
    promise("NULL is an argument error", pretrade_poll(NULL, 0, 0) == PRETRADE_ARGUMENT);

    pretrade_handle *gate = open_gate(argv[1]);
    if (gate == NULL)
        return 1;
    struct pretrade_decision decision = decide(gate, 1, PRETRADE_NEW, 5, &status);
    promise("a sound order is accepted", status == PRETRADE_OK && decision.verdict == PRETRADE_ACCEPT);
    struct pretrade_venue_message fill = {.client_order_id = 1, .quantity = 2, .kind = PRETRADE_FILLED};
    size_t unknown = 9;
    int64_t position = 0;
    status = pretrade_on_venue(gate, &fill, 1, now(CLOCK_MONOTONIC), now(CLOCK_REALTIME), &unknown);
    promise("a fill moves the position", status == 0 && unknown == 0 && pretrade_position(gate, 1, 1, &position) == 0 && position == 2);
    promise("nobody stated this position", pretrade_position(gate, 77, 1, &position) == PRETRADE_UNKNOWN);
    promise("nobody waits", pretrade_release_hold(gate, 1, 0, 0, 1, now(CLOCK_REALTIME), 2, 0, 0, &decision) == PRETRADE_UNKNOWN);
    promise("the journal is durable", pretrade_flush(gate) == PRETRADE_OK);
    promise("the gate is sound", pretrade_is_poisoned(gate) == 0);

    pretrade_plant_panic(gate, 0);
    status = pretrade_on_venue(gate, &fill, 1, now(CLOCK_MONOTONIC), now(CLOCK_REALTIME), &unknown);
    promise("a panic while a venue message is taken comes back as a code", status == PRETRADE_INTERNAL);
    promise("and poisons the gate", pretrade_is_poisoned(gate) == 1);
    decision = decide(gate, 2, PRETRADE_NEW, 5, &status);
    promise("a poisoned gate refuses new orders", decision.verdict == PRETRADE_REJECT);
    decision = decide(gate, 3, PRETRADE_CANCEL, 0, &status);
    promise("a poisoned gate passes cancels", decision.verdict == PRETRADE_ACCEPT);
    promise("and takes nothing else", pretrade_poll(gate, 0, 0) == PRETRADE_INTERNAL);
    pretrade_close(gate);

    gate = open_gate(argv[1]);
    if (gate == NULL)
        return broken + 1;
    promise("a rebuilt gate knows the position", pretrade_position(gate, 1, 1, &position) == 0 && position >= 2);
    pretrade_plant_panic(gate, 1);
    decision = decide(gate, 4, PRETRADE_NEW, 5, &status);
    promise("a panic inside the gate comes back as a code", status == PRETRADE_INTERNAL && decision.verdict == PRETRADE_REJECT);
    pretrade_close(gate);
    pretrade_close(NULL);
    return broken;
}
