/* SPDX-License-Identifier: ISC */
/* One error type for the whole suite. An operation returns ERR_NONE or says, by name, what went wrong;
 * each name carries a text for people and the SSH disconnect reason (RFC 4253 11.1) to send to a peer. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/attr.h"

/* X(name, disconnect reason, text) */
#define ERR_TABLE(X) \
    X(NONE, 0, "success") \
    X(AGAIN, 0, "no room now, nothing changed") \
    X(NOMEM, 11, "out of memory") \
    X(SYSTEM, 11, "system call failed") \
    X(CRYPTO, 11, "cryptographic library failed") \
    X(RANDOM, 11, "no random bytes") \
    X(TRUNCATED, 2, "message ends too early") \
    X(TRAILING, 2, "message has trailing bytes") \
    X(FORMAT, 2, "invalid format") \
    X(RANGE, 2, "value out of range") \
    X(NOSPACE, 2, "does not fit") \
    X(TOO_LONG, 2, "too long") \
    X(PROTOCOL, 2, "protocol error") \
    X(STATE, 2, "message not allowed in this state") \
    X(LENGTH, 2, "bad packet length") \
    X(PADDING, 2, "bad padding") \
    X(MAC, 5, "corrupted MAC on input") \
    X(COMPRESS, 6, "compression error") \
    X(VERSION, 8, "protocol version not supported") \
    X(NO_KEX, 3, "no matching key exchange method found") \
    X(NO_HOSTKEY, 3, "no matching host key type found") \
    X(NO_CIPHER, 3, "no matching cipher found") \
    X(NO_MAC, 3, "no matching MAC found") \
    X(NO_COMPRESSION, 3, "no matching compression method found") \
    X(KEX, 3, "key exchange failed") \
    X(STRICT_KEX, 2, "strict key exchange violation") \
    X(SIGNATURE, 3, "signature incorrect") \
    X(HOSTKEY, 9, "host key not verifiable") \
    X(KEY_TYPE, 2, "unknown or unsupported key type") \
    X(KEY_INVALID, 2, "invalid key") \
    X(KEY_TOO_SMALL, 2, "key too small") \
    X(PASSPHRASE, 0, "incorrect passphrase supplied to decrypt private key") \
    X(TOKEN, 0, "key is on a token, which must be asked") \
    X(SERVICE, 7, "service not available") \
    X(AUTH, 14, "no more authentication methods available") \
    X(AUTH_TRIES, 2, "too many authentication failures") \
    X(BUDGET, 2, "peer exceeds a limit") \
    X(TIMEOUT, 2, "timed out") \
    X(PEER_GONE, 10, "connection closed by peer") \
    X(DISCONNECTED, 0, "peer disconnected") \
    X(BY_APPLICATION, 11, "disconnected by user") \
    X(UNSUPPORTED, 2, "not supported") \
    X(NOT_FOUND, 0, "not found") \
    X(DENIED, 0, "denied") \
    X(USAGE, 0, "bad call")

enum err {
#define X(name, reason, text) ERR_##name,
    ERR_TABLE(X)
#undef X
    ERR_COUNT
};

/* The error's name without prefix ("MAC"), its English text, its SSH disconnect reason (0: none). Any value is safe. */
const char *err_name(enum err e);
const char *err_text(enum err e);
unsigned err_reason(enum err e);

/* The one control-flow macro: return the error if there is one. */
#define TRY(expr) \
    do { \
        enum err try_err_ = (expr); \
        if (try_err_ != ERR_NONE) return try_err_; \
    } while (0)

/* What a verification, decryption or comparison of secrets says. A zeroed or forgotten value, a boolean and any error
 * code all mean "no": exactly one value means yes. Compare with == VERDICT_GOOD only. */
enum verdict { VERDICT_BAD = 0, VERDICT_GOOD = 0x5ec0de1d };

#endif
