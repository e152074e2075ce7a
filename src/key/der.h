/* SPDX-License-Identifier: ISC */
/* As much of DER (X.690) as private key files need, on the sticky reader and writer. */
#ifndef KEY_DER_H
#define KEY_DER_H

#include "base/rd.h"
#include "base/wr.h"

enum der_tag { DER_INTEGER = 0x02, DER_BITS = 0x03, DER_OCTETS = 0x04, DER_NULL = 0x05, DER_OID = 0x06, DER_SEQUENCE = 0x30,
               DER_CONTEXT_0 = 0xa0, DER_CONTEXT_1 = 0xa1 };

/* The content of the next element, which must have this tag and a length in its shortest form (else ERR_FORMAT). */
struct bytes der_take(struct rd *r, enum der_tag tag);
/* The same where the element may be missing: empty then. */
struct bytes der_take_optional(struct rd *r, enum der_tag tag);
/* A positive integer without its sign byte, at most max bytes. */
struct bytes der_number(struct rd *r, size_t max);

void der_put(struct wr *w, enum der_tag tag, struct bytes content);
/* A SEQUENCE of what was written to another writer, as the last that is written: wr_done() of both. */
MUST_USE enum err der_sequence_write(struct wr *w, const struct wr *parts);
void der_put_number(struct wr *w, struct bytes unsigned_be);
void der_put_small(struct wr *w, uint8_t v);

#endif
