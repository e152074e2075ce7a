/* SPDX-License-Identifier: ISC */
/* What happens on this side. */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shell.h"

/* ~ and ~user at the beginning. */
static char *tilde_expand(const char *path)
{
    if (path[0] != '~') return must(strdup(path));
    size_t n = strcspn(path + 1, "/");
    char *user = must(strndup(path + 1, n));
    const struct passwd *pw = n ? getpwnam(user) : getpwuid(getuid());
    const char *home = pw ? pw->pw_dir : n ? NULL : getenv("HOME");
    free(user);
    if (!home) return must(strdup(path));
    char *out = NULL;
    if (asprintf(&out, "%s%s", home, path + 1 + n) < 0) out = NULL;
    return must(out);
}

int local_cd(struct shell *s, const struct command *c)
{
    (void)s;
    char *path = tilde_expand(c->path && *c->path ? c->path : "~");
    int status = chdir(path) == 0 ? 0 : -1;
    if (status) fail("Couldn't change local directory to \"%s\": %s", path, strerror(errno));
    free(path);
    return status;
}

int local_mkdir(struct shell *s, const struct command *c)
{
    (void)s;
    if (mkdir(c->path, 0777) == 0) return 0;
    fail("Couldn't create local directory \"%s\": %s", c->path, strerror(errno));
    return -1;
}

int local_pwd(struct shell *s, const struct command *c)
{
    (void)s, (void)c;
    char *path = getcwd(NULL, 0);
    if (path) tell("Local working directory: %s", path);
    else fail("Couldn't get local cwd: %s", strerror(errno));
    free(path);
    return path ? 0 : -1;
}

int local_umask(struct shell *s, const struct command *c)
{
    (void)s;
    umask((mode_t)(c->number & 07777));
    tell("Local umask: %03lo", c->number);
    return 0;
}

/* The user's shell, with ^C for it alone. Its status is told, not ours to fail by. */
static int shell_run(const char *command)
{
    const char *shell = getenv("SHELL");
    if (!shell || !*shell) shell = "/bin/sh";
    fflush(NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGINT, &ignore, &before);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_DFL);
        signal(SIGPIPE, SIG_DFL);
        if (command && *command) execl(shell, shell, "-c", command, (char *)NULL);
        else execl(shell, shell, (char *)NULL);
        dprintf(STDERR_FILENO, "Couldn't execute \"%s\": %s\n", shell, strerror(errno));
        _exit(1);
    }
    int status = 0;
    if (pid < 0) fail("Couldn't fork: %s", strerror(errno));
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    sigaction(SIGINT, &before, NULL);
    if (pid > 0 && !WIFEXITED(status)) fail("Shell exited abnormally");
    else if (pid > 0 && WEXITSTATUS(status)) fail("Shell exited with status %d", WEXITSTATUS(status));
    return 0;
}

int local_shell(struct shell *s, const struct command *c)
{
    (void)s;
    return shell_run(c->rest);
}

int local_ls(struct shell *s, const struct command *c)
{
    (void)s;
    char *command = NULL;
    if (asprintf(&command, "/bin/ls%s%s", *c->rest ? " " : "", c->rest) < 0) command = NULL;
    int status = shell_run(must(command));
    free(command);
    return status;
}
