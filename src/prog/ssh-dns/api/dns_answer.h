/* SPDX-License-Identifier: ISC */
/* What ssh-dns writes: u32 status, string why (for people), u32 count, then each record's RDATA as a string. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

enum dns_status {
    DNS_FAILED,         /* no answer: why */
    DNS_BOGUS,          /* validation failed: someone may have changed it; no records are given */
    DNS_NONE,           /* there are no such records */
    DNS_INSECURE,       /* records without proof */
    DNS_SECURE          /* proven from a trust anchor down */
};
#define DNS_RECORDS_MAX 64
#define DNS_ANSWER_MAX  65536
#define DNS_PATIENCE_S  20

#endif
