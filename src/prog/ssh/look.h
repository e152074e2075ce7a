/* SPDX-License-Identifier: ISC */
/* One look at what known_hosts says of the host: shared by the files that judge its key. */
#ifndef LOOK_H
#define LOOK_H

#include "key/cert.h"
#include "key/known_hosts.h"
#include "ui.h"

/* Which text a line was found in: a file by its number, or what KnownHostsCommand said. */
enum { FROM_COMMAND = HOST_FILES_MAX, FROM_ADDRESS_COMMAND };

struct look {
    const struct pubkey *key;   /* plain; of a certificate the key inside */
    const char *type;           /* "ED25519" */
    char fingerprint[256];
    const char *host, *address; /* lookup forms; address NULL: not to be checked */
    struct hosts *files;
    struct secret command, address_command;     /* output of KnownHostsCommand */
    struct known_found found;
    enum dns_verdict dns;
};

/* hostkey.c */
const char *place_name(const struct look *l, unsigned file);
enum fingerprint fingerprint_how(void);
const char *bare_name(void);                    /* the host's name without its port; NULL: not looked up */
NORETURN void refuse(void);                     /* "Host key verification failed." */
NORETURN void revoked(const struct look *l);
void no_updates(const char *why);               /* UpdateHostKeys is not for this connection */

/* revoked.c: leaves when a list of RevokedHostKeys has the key (or certificate) that the host showed, or cannot be read */
void revocation_check(const struct look *l, const struct pubkey *shown);

/* hostcert.c */
void certificate_show(const struct look *l, const struct cert *c);
/* Does an authority that the user trusts for this host vouch for the key? Leaves if a line revokes key or authority. */
bool certificate_trusted(const struct look *l, const struct cert *c);

#endif
