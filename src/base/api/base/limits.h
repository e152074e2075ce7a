/* SPDX-License-Identifier: ISC */
/* Every maximum of the suite, with its reason. Nothing is allocated or looped over by a peer's number before that number
 * was held against one of these. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* ---- transport ---- */
#define IDENT_MAX             255        /* RFC 4253 4.2: with CR LF */
#define IDENT_PRE_LINES_MAX   1024       /* lines a server may send before its ident line (RFC 4253 4.2); OpenSSH takes 1024 */
#define PACKET_PREAUTH_MAX    35000      /* RFC 4253 6.1: what every peer must take */
#define PACKET_MAX            262144     /* after login; OpenSSH's own limit */
#define PACKET_PADDING_MAX    255
#define NAME_LIST_MAX         8192       /* one KEXINIT list; OpenSSH's longest is below 1 KB */
#define CHANNEL_PACKET_MAX    32768      /* data in a channel packet that we announce, as OpenSSH does */
#define IN_BUFFER             524288     /* two reads of 256 KiB and the largest packet's rest */
#define OUT_BUFFER            393216     /* one write of 256 KiB, plus the control part that bulk never takes */
#define OUT_CONTROL           65536      /* that part: largest reply plus one reserved reply an open question */
#define REKEY_QUEUE_MAX       65536      /* control replies that wait for our NEWKEYS */
#define REKEY_BYTES_MAX       (1ULL << 40) /* never more under one key even where the cipher would allow it */
#define PEER_GONE_GRACE_US    30000000ULL /* server: how long a question may outlive the peer's end of the connection */
#define REKEY_PACKETS_MAX     (1U << 31) /* RFC 4344 3.1 */

/* ---- authentication ---- */
#define USER_NAME_MAX         1024
#define PASSWORD_MAX          1024       /* OpenSSH refuses longer ones: crypt cost grows with length (CVE-2016-6515) */
#define PROMPTS_MAX           16         /* keyboard-interactive prompts a round */
#define BANNER_MAX            1048576    /* as OpenSSH; sent in pieces */
#define PUBKEY_BLOB_MAX       16384      /* an RSA 16384 key or a certificate with many principals */
#define SIGNATURE_MAX         8192
#define EXT_INFO_MAX          1024       /* extensions in one EXT_INFO; a peer's count above is an error */

/* ---- connection ---- */
#define CHANNELS_MAX          1024       /* open at once a connection */
#define OPENS_PENDING_MAX     64         /* channel opens of the peer without an answer */
#define REQUESTS_PENDING_MAX  64         /* own requests that wait for a reply, a connection */
#define WINDOW_START          2097152    /* 64 packets of 32 KiB, as OpenSSH */
#define WINDOW_TOTAL_MAX      67108864   /* all channels of a connection together */
#define TERM_MODES_MAX        1024       /* bytes of encoded terminal modes */

/* ---- keys and files ---- */
#define RSA_BITS_MAX          16384
#define RSA_BITS_MIN          1024       /* RequiredRSASize's floor; what we make is 3072 or more */
#define KEY_FILE_MAX          1048576    /* a private or public key file */
#define KEY_COMMENT_MAX       1024
#define BCRYPT_ROUNDS_MAX     65536      /* a file's number; OpenSSH's default is 24 */
#define PBKDF2_ROUNDS_MAX     10000000   /* a file's number: seconds; openssl writes 2048, the largest advised in 2026 is 1.3 million */
#define SCRYPT_BYTES_MAX      1073741824ULL /* 128 * N * r; openssl writes files of 16 MiB */
#define SCRYPT_WORK_MAX       (1ULL << 25) /* N * r * p; openssl's is 2^17 */
#define ARGON2_KIB_MAX        1048576    /* 1 GiB; PuTTY's default is 8 MiB */
#define ARGON2_LANES_MAX      64
#define ARGON2_WORK_MAX       (1ULL << 26) /* KiB times passes: under a minute; PuTTY's default is about 2^17 */
#define KDF_SALT_MAX          1024
#define CONF_LINE_MAX         65536
#define CONF_FILE_MAX         16777216
#define CONF_INCLUDE_DEPTH    16         /* as OpenSSH */

#endif
