/* SPDX-License-Identifier: ISC */
/* Bring a conn into a named state, say one message to it, see what it does. The peer is a real conn whose keys and sequence
 * number are borrowed (core's private header) to seal what no conn would say. */
#ifndef GATE_STATES_H
#define GATE_STATES_H

#include "duo.h"

struct probe {
    struct duo *d;
    enum role dut;
    struct conn *c, *peer;
    uint8_t reply31[1024];      /* client: what a server would answer, made when asked for */
    size_t reply31_n;
    size_t sent;                /* bytes it said; the caller counts */
};

/* The key exchange of all probes; NULL: the cheap one. */
extern const struct kex_alg *probe_kex;

/* False: no such state, or it could not be reached. `need31`: also make the valid KEX_REPLY. */
bool probe_open(struct probe *p, const char *state, bool need31);
/* C1 with a channel in a named sub-state; its number to *chan. */
bool probe_open_channel(struct probe *p, const char *substate, enum role dut, uint32_t *chan);
void probe_close(struct probe *p);

/* 'P', 'I', 'U' or 'D', see expect.txt. `why` gets a word for people. */
char probe_say(struct probe *p, struct bytes payload, const char **why);

/* The payload arrives sealed; nothing is turned. */
void probe_inject(struct probe *p, struct bytes payload);

/* A minimal valid body for the state, number included, appended to w. chan: what channel messages speak of. */
void probe_body(const struct probe *p, uint8_t number, uint32_t chan, struct wr *w);

#endif
