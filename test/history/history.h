/* SPDX-License-Identifier: ISC */
/* How the tests of old defects speak to a conn, and the floods, CBC and certificates, which have files of their own. */
#ifndef HISTORY_H
#define HISTORY_H

#include "impl.h"
#include "states.h"
#include "tap.h"

/* A message being written into the one buffer. */
struct wr message(uint8_t number);
/* Says one message, turns the conn, answers questions with no; drops its output. False: the connection ended. */
bool say_on(struct probe *p, const struct wr *w);
/* What the test itself keeps of the packets. */
void forget(struct duo *d);

bool openssh_2025_26466(void), dropbear_2026_rekey_queue(void), go_2025_22869(void), ignored_floods(void), empty_data_flood(void),
    erlang_2026_54886(void), request_floods(void), go_2026_3982(void), open_close_no_growth(void),
    unknown_messages_have_an_end(void), opens_without_answer_have_a_limit(void), key_exchange_leaves_nothing(void),
    openssh_2008_5161(void), cbc_etm_ends_at_once(void), openssh_2026_35414(void), vault_2024_7594(void), user_principals_are_no_patterns(void),
    teleport_2025_49825(void);

#endif
