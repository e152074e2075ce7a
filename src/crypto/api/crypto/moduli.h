/* SPDX-License-Identifier: ISC */
/* Number theory for ssh-keygen -M: primes p = 2q + 1 with q prime, for RFC 4419's groups. Numbers are unsigned big endian, and public. */
#ifndef CRYPTO_MODULI_H
#define CRYPTO_MODULI_H

#include "base/wr.h"

#define MODULI_BITS_MIN 512
#define MODULI_BITS_MAX 16384

/* A random odd number of this many bits, the highest two set. */
MUST_USE enum err moduli_start(size_t bits, struct wr *out);

/* Bit i of composite[] (n bits, zero before): base + 2i or twice that plus one has a prime factor below `limit`. base: odd, larger than
 * limit. *primes: how many primes that were. Takes n / 8 bytes and some seconds for each 2^26 of limit. */
MUST_USE enum err moduli_sieve(struct bytes base, uint32_t limit, uint8_t *composite, size_t n, uint32_t *primes);

/* base + add. */
MUST_USE enum err moduli_add(struct bytes base, uint64_t add, struct wr *out);

/* 2q + 1, without leading zeros. */
MUST_USE enum err moduli_double(struct bytes q, struct wr *out);

size_t moduli_bits(struct bytes number);

/* A generator that p's residues tell without knowing its primality: 2 or 5; 0: neither. */
unsigned moduli_generator(struct bytes p);

/* Are p and (p - 1) / 2 prime? `trials` rounds of Miller and Rabin at least, after one of Fermat that rules out nearly all. ERR_CRYPTO: nobody
 * knows. */
MUST_USE enum err moduli_check(struct bytes p, unsigned trials, enum verdict *out);

#endif
