/* SPDX-License-Identifier: ISC */
/* Host keys as SSHFP records for the DNS (-r). */
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "base/limits.h"
#include "base/text.h"
#include "key/sshfp.h"
#include "keygen.h"

static const struct {
    const char *name;
    enum sshfp_hash hash;
} hashes[] = {{"sha1", SSHFP_SHA1}, {"sha256", SSHFP_SHA256}};

/* -O hashalg=NAME; all where there is none. */
static bool hash_wanted(const struct options *o, size_t which)
{
    bool wanted = true;
    for (size_t i = 0; i < o->extra_n; i++) {
        if (strncasecmp(o->extra[i], "hashalg=", 8) != 0) fatal("Invalid option \"%s\"", o->extra[i]);
        const char *name = o->extra[i] + 8;
        bool known = false;
        for (size_t k = 0; k < COUNT_OF(hashes); k++) known |= strcasecmp(name, hashes[k].name) == 0;
        if (!known) fatal("Unsupported hash algorithm");
        wanted = strcasecmp(name, hashes[which].name) == 0;
    }
    return wanted;
}

static void records_print(const struct options *o, const char *path)
{
    struct pubkey *key CLEANUP(pubkey_drop) = NULL;
    struct wr comment CLEANUP(wr_clear) = wr_heap(KEY_FILE_MAX), text CLEANUP(wr_clear) = wr_heap(4096);
    enum err e = public_load(path, &key, &comment);
    if (e != ERR_NONE) fatal("Failed to read v2 public key from \"%s\": %s", path, reason(e));
    if (sshfp_algorithm(key) == 0) fatal("%s: there are no SSHFP records for keys of type %s", path, pubkey_short_name(key));
    for (size_t i = 0; i < COUNT_OF(hashes) && e == ERR_NONE; i++)
        if (hash_wanted(o, i)) e = sshfp_write(key, o->dns_host, hashes[i].hash, o->dns_generic, &text);
    if (e != ERR_NONE) fatal("\"%s\": %s", o->dns_host, reason(e));
    fwrite(text.p, 1, text.n, stdout);
}

int job_dns(struct options *o)
{
    static const char *const host_keys[] = {"rsa", "ecdsa", "ed25519"};
    struct stat st;
    bool any = false;
    if (o->have_file) {
        if (stat(o->file, &st) != 0) fatal("%s: %s", o->file, strerror(errno));
        records_print(o, o->file);
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(host_keys); i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, NACRE_SYSCONFDIR "/ssh/ssh_host_%s_key", host_keys[i]);
        if (stat(path, &st) != 0 && errno == ENOENT) continue;
        any = true;
        records_print(o, path);
    }
    if (!any) fatal("no keys found.");
    return 0;
}
