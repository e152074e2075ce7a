/* SPDX-License-Identifier: ISC */
/* VerifyHostKeyDNS. ssh-dns asks while we connect; whatever goes wrong there leaves the host key to be judged as if nobody had asked
 * (CVE-2014-2653, CVE-2025-26465: an error must never stand for a check). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/rd.h"
#include "dns_answer.h"
#include "key/sshfp.h"
#include "os/spawn.h"
#include "ui.h"

static int answer_fd = -1;
static pid_t helper;

static bool is_numeric(const char *host)
{
    struct in6_addr six;
    return inet_pton(AF_INET, host, &six) == 1 || inet_pton(AF_INET6, host, &six) == 1;
}

void dns_begin(const char *host)
{
    static char name[] = "ssh-dns", conf[4200] = "NACRE_DNS_CONF=", copy[1100];
    char *argv[] = {name, copy, NULL}, *envp[] = {NULL, NULL};
    const char *other = getenv("NACRE_DNS_CONF");
    int exe, ends[2];
    if (ui.conf->verify_host_key_dns == CONF_NO || strlen(host) >= sizeof copy)
        return;
    memcpy(copy, host, strlen(host) + 1);
    if (is_numeric(host)) {
        say(CONF_LOG_ERROR, "skipped DNS lookup for numerical hostname");
        return;
    }
    if (other && strlen(other) < sizeof conf - 20) {
        memcpy(conf + strlen(conf), other, strlen(other) + 1);
        envp[0] = conf;
    }
    if (companion_open(name, LIBEXEC_DIR, &exe) != ERR_NONE) {
        say(CONF_LOG_ERROR, "VerifyHostKeyDNS: ssh-dns is not installed");
        return;
    }
    if (pipe2(ends, O_CLOEXEC) != 0)
        fatal("pipe: %m");
    int fds[] = {-1, ends[1], SANITIZED ? STDERR_FILENO : -1};
    struct spawn s = {.exe = exe, .argv = argv, .envp = envp, .fds = fds, .fd_count = 3};
    if (spawn_exec(&s, &helper) == ERR_NONE) {
        answer_fd = ends[0];
    } else {
        debug1("ssh-dns: %m");
        close(ends[0]);
    }
    close(ends[1]);
    close(exe);
}

/* All that it says. */
static size_t answer_take(uint8_t *to, size_t cap)
{
    size_t n = 0;
    int status;
    ssize_t got = 0;
    while (n < cap && (got = read(answer_fd, to + n, cap - n)) != 0)
        if (got > 0)
            n += (size_t)got;
        else if (errno != EINTR)
            break;
    close(answer_fd);
    answer_fd = -1;
    bool fine = child_wait(helper, &status) == ERR_NONE && status == 0 && got == 0;
    return fine ? n : 0;
}

static enum dns_verdict judge(const struct pubkey *key, struct rd *r, uint32_t count, bool secure)
{
    struct sshfp_count c = {0};
    for (uint32_t i = 0; i < count; i++)
        if (sshfp_count(key, rd_string_max(r, 1024), &c) != ERR_NONE)
            return DNS_NOTHING;
    if (rd_done(r) != ERR_NONE)
        return DNS_NOTHING;
    enum sshfp_result found = sshfp_judge(&c);
    debug1("%s host key fingerprint found in DNS", found == SSHFP_MATCH ? "matching" : found == SSHFP_MISMATCH ? "mismatching" : "no");
    if (found == SSHFP_MATCH)
        return secure ? DNS_MATCHES_SECURELY : DNS_MATCHES;
    return found == SSHFP_MISMATCH ? DNS_DIFFERS : DNS_NOTHING;
}

enum dns_verdict dns_verify(const struct pubkey *key)
{
    static uint8_t room[DNS_ANSWER_MAX];
    if (answer_fd < 0)
        return DNS_NOTHING;
    struct rd r = rd_init(bytes_of(room, answer_take(room, sizeof room)));
    uint32_t status = rd_u32(&r);
    struct bytes why = rd_string_max(&r, 4096);
    uint32_t count = rd_u32(&r);
    if (r.err != ERR_NONE || count > DNS_RECORDS_MAX || status > DNS_SECURE) {
        say(CONF_LOG_VERBOSE, "DNS lookup error: no answer");
        return DNS_NOTHING;
    }
    if (status == DNS_BOGUS)
        say(CONF_LOG_ERROR, "DNS answer about the host key failed validation: %s", show(why));
    else if (status == DNS_FAILED)
        say(CONF_LOG_VERBOSE, "DNS lookup error: %s", show(why));
    if (status < DNS_NONE)
        return DNS_NOTHING;
    debug1("found %u %s fingerprints in DNS", count, status == DNS_SECURE ? "secure" : "insecure");
    return judge(key, &r, count, status == DNS_SECURE);
}
