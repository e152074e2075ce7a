/* SPDX-License-Identifier: ISC */
/* Sessions that only move files: which commands mean that, and the file hand's life. And the folder that a session may be shut into. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/sshd.h"
#include "conf/token.h"
#include "kit/files.h"
#include "os/jail.h"
#include "os/log.h"
#include "os/process.h"
#include "sshd/session.h"

/* ---- what sftp-server is ---- */

bool session_is_internal_sftp(const char *command)
{
    static const char name[] = "internal-sftp";
    size_t n = sizeof name - 1;
    return strncmp(command, name, n) == 0 && (command[n] == 0 || command[n] == ' ' || command[n] == '\t');
}

static bool listed(const char *text, size_t n, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == n && memcmp(list[i], text, n) == 0) return true;
    return false;
}

/* A login whose shell would not start a program must not get files either: nologin, rbash, git-shell and their like stay in charge. */
static bool shell_is_plain(const char *shell)
{
    static const char *const folders[] = {"/bin/", "/usr/bin/", "/usr/local/bin/"};
    static const char *const names[] = {"sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "ash"};
    const char *slash = strrchr(shell, '/');
    if (!slash) return false;
    return listed(shell, (size_t)(slash + 1 - shell), folders, COUNT_OF(folders)) && listed(slash + 1, strlen(slash + 1), names, COUNT_OF(names));
}

bool session_is_sftp_server(const char *command, const struct account *a)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 \t/._,-%@:+=";
    static const char *const paths[] = {NACRE_LIBEXEC "/sftp-server", "/usr/lib/openssh/sftp-server", "/usr/lib/ssh/sftp-server",
                                        "/usr/libexec/openssh/sftp-server", "/usr/libexec/ssh/sftp-server", "/usr/libexec/sftp-server",
                                        "/usr/lib/sftp-server"};
    if (command[strspn(command, plain)] != 0) return false;     /* the shell would do something with it */
    return listed(command, strcspn(command, " \t"), paths, COUNT_OF(paths)) && shell_is_plain(a->shell);
}

/* ---- ChrootDirectory ---- */

enum err session_chroot_path(const struct session_spec *spec, char *out, size_t cap, char *why, size_t why_cap)
{
    const struct account *a = spec->account;
    const char *text = spec->conf->chroot_directory;
    char uid[16], path[PATH_MAX], shown[300];
    out[0] = 0;
    if (!text) return ERR_NONE;
    if (geteuid() != 0) {
        snprintf(why, why_cap, "server lacks privileges to chroot to ChrootDirectory");
        return ERR_DENIED;
    }
    snprintf(uid, sizeof uid, "%u", (unsigned)a->uid);
    const struct tokens t = {.t = {['h'] = a->home, ['u'] = a->name, ['U'] = uid}};
    struct wr w = wr_span((struct span){(uint8_t *)path, sizeof path - 1});
    const char *bad = NULL;
    enum err e = token_expand(text, token_set_user_file, &t, 0, NULL, &w, &bad);
    if (e != ERR_NONE || wr_done(&w) != ERR_NONE || w.n == 0 || path[0] != '/' || w.n >= cap) {
        snprintf(why, why_cap, "chroot path does not begin at root, or cannot be expanded");
        return ERR_DENIED;
    }
    path[w.n] = 0;
    /* Every folder on the way is root's alone, so that nobody can change what stands at this path from now on. */
    for (size_t n = 1; n <= w.n; n++) {
        struct stat st;
        if (n > 1 && n < w.n && path[n] != '/') continue;
        char kept = path[n];
        path[n] = 0;
        int error = stat(path, &st) != 0 ? errno : 0;
        bool good = !error && st.st_uid == 0 && (st.st_mode & 022) == 0 && S_ISDIR(st.st_mode);
        escape_str(bytes_str(path), shown, sizeof shown);
        if (error) snprintf(why, why_cap, "chroot: stat(\"%s\"): %s", shown, strerror(error));
        else if (!good) snprintf(why, why_cap, "bad ownership or modes for chroot directory %s\"%s\"", n < w.n ? "component " : "", shown);
        if (!good) return ERR_DENIED;
        path[n] = kept;
    }
    memcpy(out, path, w.n + 1);
    return ERR_NONE;
}

enum err session_chroot_enter(const char *path)
{
    return chdir(path) == 0 && chroot(path) == 0 && chdir("/") == 0 ? ERR_NONE : ERR_SYSTEM;
}

/* ---- the file hand ---- */

static struct files_options options;
static char words[8192], flaw[256];

/* Before the chroot: syslog's socket is out there. Mistakes in the flags are told once the log stands. */
void session_files_log(const struct session_plan *plan)
{
    (void)fcntl(SESSION_FILES_FD, F_SETFD, FD_CLOEXEC), (void)fcntl(SESSION_LOG_FD, F_SETFD, FD_CLOEXEC);      /* sshrc gets neither */
    bool good = files_options_split(plan->command, words, sizeof words, &options, flaw, sizeof flaw) == ERR_NONE;
    struct stat st;
    if (!good) options = (struct files_options){.level = LOG_LEVEL_ERROR, .facility = LOG_AUTH};
    else flaw[0] = 0;
    log_open("internal-sftp", options.facility, fstat(SESSION_LOG_FD, &st) == 0 ? SESSION_LOG_FD : -1);
    log_set_level((enum log_level)options.level);
    if (!good && flaw[0] == 0) snprintf(flaw, sizeof flaw, "bad options");
}

void session_files_run(const struct session_spec *spec, const struct session_plan *plan, bool in_chroot)
{
    const struct files_user u = {.name = spec->account->name, .home = spec->account->home, .client = spec->link->client_addr, .in_chroot = in_chroot};
    char shown[300];
    /* Nobody looks into it, and it starts nothing: what it reads came from a process that faces the network. */
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) _exit(1);
    if (flaw[0] || options.help || options.query) {
        log_line(LOG_LEVEL_ERROR, "%s: %s", escape_str(bytes_str(plan->command), shown, sizeof shown), flaw[0] ? flaw : "not a server");
        _exit(1);
    }
    title_set("%s@internal-sftp", spec->account->name);
    struct files *f = files_new(&options, &u);
    if (!f || jail_filter(in_chroot ? JAIL_FILTER_FILES_CHROOT : JAIL_FILTER_FILES) != ERR_NONE) _exit(1);
    int status = files_serve(f, SESSION_FILES_FD);
    files_free(f);
    _exit(status);
}
