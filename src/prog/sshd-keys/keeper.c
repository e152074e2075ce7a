/* SPDX-License-Identifier: ISC */
/* Host keys on authenticators. The jail has no devices and starts no programs, so that a process beside it, forked before, does: it has no
 * other host key, and takes nothing but the fixed-size questions of the jailed one, who got them from a warden. */
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keys.h"
#include "kit/sk.h"
#include "os/message.h"

#define PATIENCE_S 10       /* an authenticator that says nothing must not hold up more than a few logins */

static int keeper = -1;     /* the jailed process's end of the line */
static struct sk_how how = {.timeout_s = PATIENCE_S};

static NORETURN void keeper_run(int line)
{
    static union { struct keys_ask ask; uint8_t room[sizeof(struct keys_ask) + 1]; } in;
    struct message m;
    for (size_t i = 0; i < slot_count; i++) {
        if (slots[i].is_sk) continue;
        if (!slots[i].is_cert) privkey_drop(&slots[i].priv);        /* wiped; a certificate's slot only points to it */
        slots[i] = (struct slot){0};
    }
    close(KEYS_FD_ASK), close(KEYS_FD_START), close(KEYS_FD_AGENT);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) _exit(1);
    while (message_recv(line, &in, sizeof in, true, &m) == ERR_NONE) {
        message_close_fds(&m);
        if (m.n != sizeof in.ask) break;
        answer(&in.ask, line);
    }
    _exit(0);
}

enum err keeper_start(const char *provider)
{
    int pair[2];
    bool wanted = false;
    for (size_t i = 0; i < slot_count; i++) wanted |= slots[i].is_sk;
    if (!wanted) return ERR_NONE;
    TRY(message_pair(pair));
    how.provider = provider;
    pid_t pid = fork();
    if (pid == 0) {
        close(pair[0]);
        keeper_run(pair[1]);
    }
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return ERR_SYSTEM;
    }
    keeper = pair[0];
    return ERR_NONE;
}

bool keeper_is_asked(void)
{
    return keeper >= 0;
}

enum err keeper_ask(const struct keys_ask *ask, struct wr *sig)
{
    static struct keys_say say;
    struct message m;
    if (message_send(keeper, ask, sizeof *ask, NULL, 0, true) != ERR_NONE) _exit(1);
    if (message_recv(keeper, &say, sizeof say, true, &m) != ERR_NONE || m.n != sizeof say) _exit(1);
    struct bounded b = FIELD(&say, sig);
    TRY(b.err);
    if (say.ok != 1) return ERR_DENIED;
    wr_raw(sig, b.b);
    return wr_done(sig);
}

enum err keeper_sign(const struct privkey *k, const struct sig_alg *alg, struct bytes msg, struct wr *sig)
{
    return sk_sign(&how, k, alg, msg, sig);
}
