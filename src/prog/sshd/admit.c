/* SPDX-License-Identifier: ISC */
/* Admission: how many unauthenticated connections may be there at once (MaxStartups, PerSourceMaxStartups), and which sources
 * must wait because of what they did (PerSourcePenalties). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/wait.h>

#include "base/text.h"
#include "os/clock.h"
#include "os/log.h"
#include "sshd/server.h"

struct source {
    uint8_t net[16];
    int family;
};

struct startup {
    pid_t pid;
    uint32_t serial;
    struct source source;
};

struct penalty {
    struct source source;
    uint64_t until_us;
};

static struct startup *startups;
static size_t startup_count, startup_cap;
static struct penalty *penalties;
static size_t penalty_count, penalty_cap;

/* ---- sources ---- */

/* The address with all but the first `bits` cleared: a source is a network, not a machine. */
static void source_of(const struct address *from, const struct sshd_conf *conf, struct source *out)
{
    uint32_t bits = from->family == AF_INET6 ? conf->per_source_net_block_size_v6 : conf->per_source_net_block_size_v4;
    char text[ADDRESS_MAX];
    memset(out, 0, sizeof *out);
    out->family = from->family;
    memcpy(text, from->text, sizeof text);
    char *scope = strchr(text, '%');
    if (scope) *scope = 0;
    if (from->family == AF_UNSPEC || inet_pton(from->family, text, out->net) != 1) return;
    for (uint32_t i = 0; i < sizeof out->net; i++) {
        if (i * 8 >= bits) out->net[i] = 0;
        else if (bits - i * 8 < 8) out->net[i] &= (uint8_t)(0xff00 >> (bits - i * 8));
    }
}

static bool source_equal(const struct source *a, const struct source *b)
{
    return a->family == b->family && memcmp(a->net, b->net, sizeof a->net) == 0;
}

/* ---- penalties ---- */

static void penalties_expire(uint64_t now)
{
    for (size_t i = 0; i < penalty_count;)
        if (penalties[i].until_us <= now) penalties[i] = penalties[--penalty_count];
        else i++;
}

static size_t penalties_of_family(int family)
{
    size_t n = 0;
    for (size_t i = 0; i < penalty_count; i++) n += penalties[i].source.family == family;
    return n;
}

static bool penalty_exempt(const struct sshd_conf *conf, const struct address *from)
{
    enum match m = MATCH_NO;
    if (!conf->per_source_penalties.enabled || from->family == AF_UNSPEC) return true;
    if (!conf->per_source_penalty_exempt_list) return false;
    return address_list_match(from->text, bytes_str(conf->per_source_penalty_exempt_list), &m) == ERR_NONE && m == MATCH_YES;
}

/* A penalty counts once it is longer than the least one (penalties of the same source add up, to the longest at most). */
static const char *penalty_check(const struct sshd_conf *conf, const struct address *from, const struct source *source)
{
    const struct sshd_penalties *p = &conf->per_source_penalties;
    if (penalty_exempt(conf, from)) return NULL;
    uint64_t now = clock_us(), least = (uint64_t)p->min_ms * 1000;
    penalties_expire(now);
    for (size_t i = 0; i < penalty_count; i++)
        if (source_equal(&penalties[i].source, source) && penalties[i].until_us - now >= least) return "penalty";
    bool v6 = from->family == AF_INET6;
    if (penalties_of_family(from->family) >= (v6 ? p->max_sources6 : p->max_sources4) && (v6 ? p->overflow6_deny_all : p->overflow_deny_all))
        return "too many penalised sources";
    return NULL;
}

static void penalty_add(const struct sshd_conf *conf, const struct source *source, uint32_t ms, const char *why)
{
    const struct sshd_penalties *p = &conf->per_source_penalties;
    char text[INET6_ADDRSTRLEN] = "?";
    uint64_t now = clock_us(), add = (uint64_t)ms * 1000, most = (uint64_t)p->max_ms * 1000;
    size_t i = 0;
    if (!p->enabled || ms == 0 || source->family == AF_UNSPEC) return;
    inet_ntop(source->family, source->net, text, sizeof text);
    struct address net = {.family = source->family};
    memcpy(net.text, text, sizeof text);
    if (penalty_exempt(conf, &net)) return;
    while (i < penalty_count && !source_equal(&penalties[i].source, source)) i++;
    if (i == penalty_count) {
        size_t limit = source->family == AF_INET6 ? p->max_sources6 : p->max_sources4;
        penalties_expire(now);
        if (penalties_of_family(source->family) >= limit) return;
        if (penalty_count == penalty_cap) {
            size_t cap = penalty_cap ? penalty_cap * 2 : 64;
            struct penalty *grown = realloc(penalties, cap * sizeof *grown);
            if (!grown) return;
            penalties = grown, penalty_cap = cap;
        }
        i = penalty_count++;
        penalties[i] = (struct penalty){.source = *source, .until_us = now};
    }
    if (penalties[i].until_us < now) penalties[i].until_us = now;
    penalties[i].until_us += add;
    if (penalties[i].until_us > now + most) penalties[i].until_us = now + most;
    log_line(LOG_LEVEL_VERBOSE, "srclimit_penalise: ip %s penalty %u seconds for %s", text, ms / 1000, why);
}

/* ---- startups ---- */

static size_t startups_of(const struct source *source)
{
    size_t n = 0;
    for (size_t i = 0; i < startup_count; i++) n += source_equal(&startups[i].source, source);
    return n;
}

/* MaxStartups begin:rate:full: from `begin` on a growing share is turned away at random, from `full` on all are. */
static bool startups_full(const struct sshd_max_startups *m)
{
    uint8_t dice[4];
    if (startup_count < m->begin) return false;
    if (startup_count >= m->full || m->rate_percent >= 100) return true;
    uint64_t percent = m->rate_percent + (uint64_t)(100 - m->rate_percent) * (startup_count - m->begin) / (m->full - m->begin);
    if (getrandom(dice, sizeof dice, 0) != (ssize_t)sizeof dice) return true;
    return get_u32(dice) % 100 < percent;
}

const char *admit_check(const struct sshd_conf *conf, const struct address *from, bool *penalty)
{
    struct source source;
    source_of(from, conf, &source);
    const char *why = penalty_check(conf, from, &source);
    *penalty = why != NULL;
    if (why) return why;
    if (startups_full(&conf->max_startups)) return "past MaxStartups";
    if (conf->per_source_max_startups != UINT32_MAX && startups_of(&source) >= conf->per_source_max_startups)
        return "past PerSourceMaxStartups";
    return NULL;
}

void admit_begin(pid_t pid, uint32_t serial, const struct address *from, const struct sshd_conf *conf)
{
    if (startup_count == startup_cap) {
        size_t cap = startup_cap ? startup_cap * 2 : 64;
        struct startup *grown = realloc(startups, cap * sizeof *grown);
        if (!grown) return;
        startups = grown, startup_cap = cap;
    }
    struct startup *s = &startups[startup_count++];
    *s = (struct startup){.pid = pid, .serial = serial};
    source_of(from, conf, &s->source);
}

void admit_authenticated(uint32_t serial)
{
    for (size_t i = 0; i < startup_count; i++) {
        if (startups[i].serial != serial) continue;
        startups[i] = startups[--startup_count];
        return;
    }
}

bool admit_end(pid_t pid, int status, const struct sshd_conf *conf)
{
    const struct sshd_penalties *p = &conf->per_source_penalties;
    size_t i = 0;
    while (i < startup_count && startups[i].pid != pid) i++;
    if (i == startup_count) return false;
    struct source source = startups[i].source;
    startups[i] = startups[--startup_count];
    switch (WIFEXITED(status) ? WEXITSTATUS(status) : WARDEN_FATAL) {
    case WARDEN_CRASH: penalty_add(conf, &source, p->crash_ms, "caused crash"); break;
    case WARDEN_GRACE: penalty_add(conf, &source, p->grace_exceeded_ms, "exceeded LoginGraceTime"); break;
    case WARDEN_NOAUTH: penalty_add(conf, &source, p->noauth_ms, "connections without attempting authentication"); break;
    case WARDEN_AUTHFAIL: penalty_add(conf, &source, p->authfail_ms, "failed authentication"); break;
    case WARDEN_INVALID_USER: penalty_add(conf, &source, p->invaliduser_ms, "invalid user"); break;
    case WARDEN_REFUSED: penalty_add(conf, &source, p->refuseconnection_ms, "connection refused by configuration"); break;
    default: break;
    }
    return true;
}

size_t admit_count(void)
{
    return startup_count;
}

void admit_forget(void)
{
    free(startups), free(penalties);
    startups = NULL, penalties = NULL, startup_count = penalty_count = startup_cap = penalty_cap = 0;
}
