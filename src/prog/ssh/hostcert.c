/* SPDX-License-Identifier: ISC */
/* Host certificates (draft-ietf-sshm-cert): @cert-authority and @revoked lines, and what a certificate must say. */
#include <stdio.h>
#include <time.h>

#include "look.h"

void certificate_show(const struct look *l, const struct cert *c)
{
    struct bytes rest = c->principals, name;
    char fp[256] = "";
    struct wr w = wr_span((struct span){(uint8_t *)fp, sizeof fp - 1});
    fingerprint_write(&w, pubkey_blob(c->ca), fingerprint_how());
    debug1("Server host certificate: %s-CERT %s, serial %llu ID \"%s\" CA %s %s", l->type, l->fingerprint, (unsigned long long)c->serial,
           show(c->key_id), pubkey_short_name(c->ca), fp);
    while (cert_name_next(&rest, &name))
        debug2("Server host certificate hostname: %s", show(name));
}

enum authority { AUTHORITY_NONE, AUTHORITY_OTHER, AUTHORITY_FOUND };

/* A key of a line, or the authority that signed: marked as revoked it ends everything. */
static bool revokes(const struct known_line *line, const struct look *l, const struct cert *c)
{
    return line->marker == KNOWN_REVOKED && (known_line_has_blob(line, pubkey_blob(l->key)) || known_line_has_blob(line, pubkey_blob(c->ca)));
}

static enum authority authority_look(const struct look *l, const char *host, const struct cert *c, struct bytes text, unsigned file)
{
    struct known_query q = {.host = bytes_str(host)};
    struct line_walk walk = {.rest = text};
    struct known_hit h;
    enum authority found = AUTHORITY_NONE;
    while (known_next(&walk, &q, &h)) {
        if (h.err != ERR_NONE || !h.host)
            continue;
        if (revokes(&h.line, l, c))
            revoked(l);
        if (h.line.marker != KNOWN_CA)
            continue;
        bool same = known_line_has_blob(&h.line, pubkey_blob(c->ca));
        if (same && found != AUTHORITY_FOUND)
            debug1("Found CA key in %s:%zu", place_name(l, file), h.number);
        else if (!same && found == AUTHORITY_NONE)
            debug1("Host certificate authority does not match @cert-authority in %s:%zu", place_name(l, file), h.number);
        found = same ? AUTHORITY_FOUND : found == AUTHORITY_NONE ? AUTHORITY_OTHER : found;
    }
    return found;
}

/* All texts are looked through whatever is found first: a revocation may stand in the last. */
static enum authority authority_find(const struct look *l, const char *host, const struct cert *c)
{
    enum authority best = AUTHORITY_NONE;
    for (size_t i = 0; i <= l->files->n; i++) {
        bool file = i < l->files->n;
        enum authority a = authority_look(l, host, c, secret_bytes(file ? &l->files->text[i] : &l->command), file ? (unsigned)i : FROM_COMMAND);
        best = a > best ? a : best;
    }
    return best;
}

/* Kind, time, names and algorithm. No critical option is known of host certificates. */
static bool certificate_good(const struct cert *c)
{
    const char *why = "Certificate invalid: name is not a listed principal", *name = ui.conf->host_key_alias;
    struct wr low = wr_heap(KNOWN_HOST_MAX);
    known_host_write(&low, bytes_str(name ? name : ui.conf->hostname), 0);
    bool good = low.err == ERR_NONE
                && cert_check(c, CERT_HOST, (uint64_t)time(NULL), bytes_str(ui.conf->ca_signature_algorithms), &why) == VERDICT_GOOD
                && cert_has_principal(c, wr_bytes(&low));
    wr_clear(&low);
    if (!good)
        say(CONF_LOG_ERROR, "%s", why);
    return good;
}

/* If not, the key inside is judged as any other. */
bool certificate_trusted(const struct look *l, const struct cert *c)
{
    enum authority a = authority_find(l, l->host, c);
    if (a == AUTHORITY_NONE && bare_name())
        a = authority_find(l, bare_name(), c);
    if (a == AUTHORITY_FOUND && certificate_good(c)) {
        debug1("Host '%.200s' is known and matches the %s-CERT host certificate.", l->host, l->type);
        no_updates("certificate host key in use");
        return true;
    }
    debug1("No matching CA found. Retry with plain key");
    return false;
}
