/* SPDX-License-Identifier: ISC */
/* What kit/sk.h and ssh-sk-helper say to each other over one SOCK_SEQPACKET pair: a byte, then fields (RFC 4251 5) in the order given here,
 * nothing left. One request a helper; every answer but NEED_PIN and RESIDENT ends it. Algorithms and flags as in the provider interface. */
#ifndef KIT_SK_WIRE_H
#define KIT_SK_WIRE_H

#define SKW_MESSAGE_MAX   160000    /* below the kernel's default for a datagram */
#define SKW_TEXT_MAX      131072    /* to be signed */
#define SKW_PIN_MAX       256
#define SKW_RESIDENTS_MAX 256
#define SKW_FIELD_MAX     16384     /* each part of an enrollment's answer */

enum skw_type {
    /* to the helper; each of the first three begins with: string provider ("": libfido2), string device ("": any), string PIN ("": none
     * yet), bool: a person can be asked for one */
    SKW_SIGN = 1,       /* u8 algorithm, string application, string handle, u8 flags, string message */
    SKW_ENROLL,         /* u8 algorithm, string application, string user ("": none), u8 flags, string challenge */
    SKW_LOAD,           /* nothing more */
    SKW_PIN,            /* string PIN: the answer to NEED_PIN; empty: none */
    /* from the helper */
    SKW_NEED_PIN = 64,  /* nothing */
    SKW_SIGNED,         /* u8 flags, u32 counter, string r (ed25519: the signature), string s */
    SKW_ENROLLED,       /* u8 flags, string public key, string handle, string signature, string certificate, string authdata */
    SKW_RESIDENT,       /* u8 algorithm, u8 flags, string application, string user, string public key, string handle */
    SKW_LOADED,         /* u32 how many keys there were */
    SKW_FAILED          /* u32 enum err, string why */
};

enum { SKW_ECDSA = 0, SKW_ED25519 = 1 };

#endif
