/* SPDX-License-Identifier: ISC */
/* What kit/pkcs11.h and ssh-pkcs11-helper say to each other over one SOCK_SEQPACKET pair: a byte, then fields (RFC 4251 5) in the order given
 * here, nothing left. One request at a time; every answer but KEY and NEED_PIN ends it. The helper computes no hash and no key check: it
 * hands to the token what it is given, and what it says is checked by whoever asked. */
#ifndef KIT_PKCS11_WIRE_H
#define KIT_PKCS11_WIRE_H

#define P11_MESSAGE_MAX  160000     /* below the kernel's default for a datagram; an Ed25519 text of PKCS11_TEXT_MAX fits */
#define P11_KEYS_MAX     1024       /* keys listened to, of all tokens together */
#define P11_LABEL_MAX    256
#define P11_PIN_MAX      256
#define P11_ASKS_MAX     3          /* PINs asked for one request */

enum p11_type {
    /* to the helper */
    P11_LOAD = 1,       /* string provider, string PIN (may be empty), bool: a person can be asked for one */
    P11_PIN,            /* string PIN: the answer to NEED_PIN; empty: none */
    P11_SIGN,           /* u32 key, string input: RSA: a DigestInfo (RFC 8017 9.2); ECDSA: a hash; Ed25519: the text */
    /* from the helper */
    P11_KEY = 64,       /* u32 key, string key blob, string label */
    P11_LISTED,         /* u32 how many keys there were */
    P11_NEED_PIN,       /* string label of the token, bool: for this signature only */
    P11_SIGNATURE,      /* string: as the token made it (ECDSA: r and s, each as long as a coordinate) */
    P11_FAILED          /* u32 enum err, string why */
};

#endif
