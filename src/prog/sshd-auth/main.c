/* SPDX-License-Identifier: ISC */
/* sshd-auth: is this the password of that hash? One question, one answer, one process. The only program that links libcrypt. It is
 * started by the warden with a socket as descriptor 0, gives up all rights first (uid, groups, every system call
 * but messages and memory), and answers in a time that does not depend on whether the hash is a real one. */
#include <crypt.h>
#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/jail.h"
#include "os/message.h"
#include "os/user.h"
#include "sshd-auth/question.h"

#define NOBODY 65534

static bool rights_drop(void)
{
    const struct rlimit none = {0, 0}, seconds = {60, 60};
    const gid_t group = NOBODY;
    if (setrlimit(RLIMIT_CORE, &none) != 0 || setrlimit(RLIMIT_FSIZE, &none) != 0 || setrlimit(RLIMIT_CPU, &seconds) != 0) return false;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    if (geteuid() != 0) return true;
    if (setrlimit(RLIMIT_NPROC, &none) != 0) return false;
    if (user_become("nobody", NOBODY, NOBODY, &group, 1) != ERR_NONE) return false;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* A hash that crypt(3) could have made. Locked accounts ("!$y$..."), "*" and "" are not: no password may fit them. */
static bool hash_real(const char *hash)
{
    return hash[0] != 0 && hash[0] != '!' && hash[0] != '*' && crypt_checksalt(hash) != CRYPT_SALT_INVALID &&
           crypt_checksalt(hash) != CRYPT_SALT_METHOD_DISABLED;
}

/* What to work with where the hash is none: the setting that came, or the system's default kind and cost. */
static bool setting_fallback(const struct auth_question *q, char *out, size_t size)
{
    if (hash_real(q->setting)) return bytes_to_str(bytes_str(q->setting), out, size) == ERR_NONE;
    return crypt_gensalt_rn(NULL, 0, NULL, 0, out, (int)size) != NULL;
}

static enum verdict password_check(const struct auth_question *q)
{
    static struct crypt_data work;
    char fallback[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!setting_fallback(q, fallback, sizeof fallback)) return VERDICT_BAD;
    bool real = hash_real(q->hash);
    const char *made = crypt_rn(q->password, real ? q->hash : fallback, &work, sizeof work);
    if (!made || made[0] == '*' || !real) return VERDICT_BAD;
    size_t n = strlen(made);
    if (n != strlen(q->hash)) return VERDICT_BAD;
    return bytes_verify((const uint8_t *)made, (const uint8_t *)q->hash, n);
}

static bool text_whole(const char *text, size_t n, size_t size)
{
    return n < size && text[n] == 0 && strlen(text) == n;
}

static bool question_whole(const struct auth_question *q, size_t n)
{
    return n == sizeof *q && q->magic == AUTH_MAGIC && text_whole(q->hash, q->hash_n, sizeof q->hash) &&
           text_whole(q->setting, q->setting_n, sizeof q->setting) && text_whole(q->password, q->password_n, sizeof q->password);
}

int main(void)
{
    static struct auth_question q;
    if (!rights_drop() || jail_filter(JAIL_FILTER_VERIFIER) != ERR_NONE) return 1;
    struct message got;
    if (message_recv(0, &q, sizeof q, true, &got) != ERR_NONE || !question_whole(&q, got.n)) return 1;
    uint64_t answer = password_check(&q) == VERDICT_GOOD ? AUTH_YES : AUTH_NO;
    wipe(&q, sizeof q);
    return message_send(0, &answer, sizeof answer, NULL, 0, true) == ERR_NONE ? 0 : 1;
}
