/* SPDX-License-Identifier: ISC */
/* The frame of ssh.com's key files: public keys (RFC 4716) and, with another label, private ones. */
#ifndef KEY_RFC4716_H
#define KEY_RFC4716_H

#include "base/wr.h"

#define RFC4716_PUBLIC  "SSH2 PUBLIC KEY"
#define RFC4716_PRIVATE "SSH2 ENCRYPTED PRIVATE KEY"

bool rfc4716_is(struct bytes text, const char *label);
/* The decoded body; comment (may be NULL) gets the Comment header without its quotes. Lines end with LF, CR LF or CR (3.1). */
MUST_USE enum err rfc4716_parse(struct bytes text, const char *label, struct wr *out, struct wr *comment);
void rfc4716_write(struct wr *w, const char *label, struct bytes comment, struct bytes data);

#endif
