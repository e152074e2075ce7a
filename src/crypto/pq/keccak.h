/* SPDX-License-Identifier: ISC */
/* Keccak-f[1600] and the four FIPS 202 functions that ML-KEM and ML-DSA need. Time depends on lengths only. */
#ifndef PQ_KECCAK_H
#define PQ_KECCAK_H

#include "base/bytes.h"

enum { SHAKE128_RATE = 168, SHAKE256_RATE = 136, SHA3_256_RATE = 136, SHA3_512_RATE = 72 };

struct keccak {
    uint64_t lane[25];
    unsigned rate, pos;     /* bytes */
};

/* Absorb any number of parts, then end (suffix 0x1f: SHAKE, 0x06: SHA3), then squeeze as often as wanted. */
void keccak_init(struct keccak *k, unsigned rate);
void keccak_absorb(struct keccak *k, struct bytes in);
void keccak_end(struct keccak *k, uint8_t suffix);
void keccak_squeeze(struct keccak *k, struct span out);

void sha3_256(struct bytes in, uint8_t out[32]);
void sha3_512(struct bytes a, struct bytes b, uint8_t out[64]);
void shake256(struct bytes a, struct bytes b, struct span out);

#endif
