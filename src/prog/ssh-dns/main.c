/* SPDX-License-Identifier: ISC */
/* ssh-dns: one question to the DNS, for ssh's VerifyHostKeyDNS. `ssh-dns NAME` asks for the name's SSHFP records (RFC 4255), validates the
 * answer by DNSSEC from the root's trust anchors down (RFC 4035, done by libunbound here, whatever the resolver claims), writes one answer to
 * descriptor 1 and ends. It holds no secret, starts no process and writes no file: what parses the network's bytes is nobody, behind a filter
 * from before the first of them on that leaves it sockets of the internet and no file. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unbound.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/wr.h"
#include "dns_answer.h"
#include "os/jail.h"

#define SSHFP_TYPE 44
#define CLASS_IN   1

/* The root's keys of 2017 and 2024 (IANA, root-anchors.xml), used where the system has no file that follows their changes. */
static const char *const root_anchors[] = {". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D",
                                           ". IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16"};
static const char *const anchor_files[] = {"/var/lib/unbound/root.key", "/usr/share/dns/root.key"};

static bool settle(void)
{
    static const struct { int what; rlim_t most; } limits[] = {
        {RLIMIT_CORE, 0}, {RLIMIT_FSIZE, 0}, {RLIMIT_NPROC, 0}, {RLIMIT_NOFILE, 64}, {RLIMIT_AS, 512UL << 20}, {RLIMIT_CPU, 20}};
    for (size_t i = 0; i < COUNT_OF(limits) - (size_t)(2 * SANITIZED); i++) {
        struct rlimit l = {limits[i].most, limits[i].most};
        if (setrlimit(limits[i].what, &l) != 0)
            return false;
    }
    alarm(DNS_PATIENCE_S);
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static int anchors_add(struct ub_ctx *ctx)
{
    for (size_t i = 0; i < COUNT_OF(anchor_files); i++)
        if (access(anchor_files[i], R_OK) == 0)
            return ub_ctx_add_ta_file(ctx, anchor_files[i]);
    int e = 0;
    for (size_t i = 0; !e && i < COUNT_OF(root_anchors); i++)
        e = ub_ctx_add_ta(ctx, root_anchors[i]);
    return e;
}

/* NACRE_DNS_CONF names a file in unbound.conf's form that says all: where to ask and what to trust. */
static int context_fill(struct ub_ctx *ctx)
{
    const char *conf = getenv("NACRE_DNS_CONF");
    int e;
    if (conf && *conf)
        return ub_ctx_config(ctx, conf);
    e = ub_ctx_resolvconf(ctx, NULL);
    return e ? e : anchors_add(ctx);
}

static void answer_write(struct wr *w, enum dns_status status, const struct ub_result *r, const char *why)
{
    uint32_t n = 0;
    while (r && r->data && r->data[n] && n < DNS_RECORDS_MAX)
        n++;
    wr_u32(w, (uint32_t)status);
    wr_cstring(w, why ? why : "");
    wr_u32(w, n);
    for (uint32_t i = 0; i < n; i++)
        wr_string(w, bytes_of(r->data[i], (size_t)r->len[i]));
}

static enum dns_status status_of(const struct ub_result *r)
{
    if (r->bogus)
        return DNS_BOGUS;
    if (!r->havedata)
        return r->rcode == 0 || r->nxdomain ? DNS_NONE : DNS_FAILED;
    return r->secure ? DNS_SECURE : DNS_INSECURE;
}

static void ask(const char *name, struct wr *w)
{
    struct ub_ctx *ctx = ub_ctx_create();
    struct ub_result *r = NULL;
    int e = ctx ? context_fill(ctx) : UB_NOMEM;
    if (!e)
        e = ub_ctx_zone_add(ctx, "nacre.invalid.", "static");       /* makes libunbound read its files now: a change that needs them read */
    if (!e && jail_filter(JAIL_FILTER_RESOLVER) != ERR_NONE)
        e = UB_INITFAIL;
    if (!e)
        e = ub_resolve(ctx, name, SSHFP_TYPE, CLASS_IN, &r);
    if (e)
        answer_write(w, DNS_FAILED, NULL, ub_strerror(e));
    else if (r->bogus)
        answer_write(w, DNS_BOGUS, NULL, r->why_bogus);     /* not even looked at */
    else
        answer_write(w, status_of(r), r, NULL);
    if (r)
        ub_resolve_free(r);
    if (ctx)
        ub_ctx_delete(ctx);
}

int main(int argc, char **argv)
{
    struct wr w = wr_heap(DNS_ANSWER_MAX);
    if (argc != 2) {
        fputs("usage: ssh-dns name\n", stderr);
        return 2;
    }
    if (!settle())
        return 1;
    ask(argv[1], &w);
    bool ok = wr_done(&w) == ERR_NONE && write(STDOUT_FILENO, w.p, w.n) == (ssize_t)w.n;
    wr_clear(&w);
    return ok ? 0 : 1;
}
