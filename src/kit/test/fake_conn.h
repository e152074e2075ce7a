/* SPDX-License-Identifier: ISC */
/* A conn that only frames: clear packets, windows, EOF and CLOSE; no key exchange, no login. It keeps the contract of
 * core/conn.h, and counts what a caller does against it. */
#ifndef KIT_TEST_FAKE_CONN_H
#define KIT_TEST_FAKE_CONN_H

#include "core/conn.h"

#define FAKE_CHANNELS 8

struct conn *fake_conn_new(uint32_t window, bool compressed);
/* Both ends have this channel open from now on. */
void fake_channel(struct conn *c, uint32_t chan);
/* No chan_reserve until it is released, as in a key exchange. */
void fake_hold(struct conn *c, bool hold);
/* Bytes received but not consumed. */
size_t fake_unconsumed(const struct conn *c, uint32_t chan);
/* chan_eow() tells the peer nothing, as with peers that are not OpenSSH. */
void fake_mute_eow(struct conn *c);
bool fake_eow_sent(const struct conn *c, uint32_t chan);
unsigned fake_idled(const struct conn *c);

#endif
