/* SPDX-License-Identifier: ISC */
/* One line: read, echoed, carried out. */
#include <stdlib.h>

#include "shell.h"

static int show_cwd(struct shell *s, const struct command *c)
{
    (void)c;
    tell("Remote working directory: %s", s->cwd);
    return 0;
}

static int show_version(struct shell *s, const struct command *c)
{
    (void)c;
    tell("SFTP protocol version %u", sftp_client_version(link_client(s->link)));
    return 0;
}

static int toggle_progress(struct shell *s, const struct command *c)
{
    (void)c;
    s->progress = !s->progress;
    tell("Progress meter %s", s->progress ? "enabled" : "disabled");
    return 0;
}

static int show_help(struct shell *s, const struct command *c)
{
    static const char text[] =
        "Available commands:\n"
        "bye                                Quit sftp\n"
        "cd path                            Change remote directory to 'path'\n"
        "chgrp [-h] grp path                Change group of file 'path' to 'grp'\n"
        "chmod [-h] mode path               Change permissions of file 'path' to 'mode'\n"
        "chown [-h] own path                Change owner of file 'path' to 'own'\n"
        "copy oldpath newpath               Copy remote file\n"
        "cp oldpath newpath                 Copy remote file\n"
        "df [-hi] [path]                    Display statistics for current directory or\n"
        "                                   filesystem containing 'path'\n"
        "exit                               Quit sftp\n"
        "get [-afpR] remote [local]         Download file\n"
        "help                               Display this help text\n"
        "lcd path                           Change local directory to 'path'\n"
        "lls [ls-options [path]]            Display local directory listing\n"
        "lmkdir path                        Create local directory\n"
        "ln [-s] oldpath newpath            Link remote file (-s for symlink)\n"
        "lpwd                               Print local working directory\n"
        "ls [-1afhlnrSt] [path]             Display remote directory listing\n"
        "lumask umask                       Set local umask to 'umask'\n"
        "mkdir path                         Create remote directory\n"
        "progress                           Toggle display of progress meter\n"
        "put [-afpR] local [remote]         Upload file\n"
        "pwd                                Display remote working directory\n"
        "quit                               Quit sftp\n"
        "reget [-fpR] remote [local]        Resume download file\n"
        "rename oldpath newpath             Rename remote file\n"
        "reput [-fpR] local [remote]        Resume upload file\n"
        "rm path                            Delete remote file\n"
        "rmdir path                         Remove remote directory\n"
        "symlink oldpath newpath            Symlink remote file\n"
        "version                            Show SFTP version\n"
        "!command                           Execute 'command' in local shell\n"
        "!                                  Escape to local shell\n"
        "?                                  Synonym for help\n";
    (void)s, (void)c;
    fputs(text, stdout);
    return 0;
}

static int (*const works[VERB_COUNT])(struct shell *, const struct command *) = {
    [VERB_CD] = remote_cd,         [VERB_CHGRP] = remote_chown,       [VERB_CHMOD] = remote_chmod,   [VERB_CHOWN] = remote_chown,
    [VERB_COPY] = remote_copy,     [VERB_DF] = remote_df,             [VERB_LS] = remote_ls,         [VERB_GET] = transfer_get,
    [VERB_HELP] = show_help,       [VERB_LCD] = local_cd,             [VERB_LLS] = local_ls,         [VERB_LMKDIR] = local_mkdir,
    [VERB_LN] = remote_link,       [VERB_LPWD] = local_pwd,           [VERB_LUMASK] = local_umask,   [VERB_MKDIR] = remote_mkdir,
    [VERB_PUT] = transfer_put,     [VERB_PROGRESS] = toggle_progress, [VERB_PWD] = show_cwd,         [VERB_REGET] = transfer_get,
    [VERB_RENAME] = remote_rename, [VERB_REPUT] = transfer_put,       [VERB_RM] = remote_rm,         [VERB_RMDIR] = remote_rmdir,
    [VERB_SYMLINK] = remote_link,  [VERB_VERSION] = show_version,     [VERB_SHELL] = local_shell,
};

enum turn line_run(struct shell *s, const char *line, bool abort_on_failure, bool echo)
{
    struct command c;
    char why[1024];
    enum err e = command_parse(line, &c, why, sizeof why);
    if (echo && !c.silent) tell("sftp> %s", line);
    int status = 0;
    if (e != ERR_NONE) {
        fail("%s", e == ERR_NOMEM ? "out of memory" : why);
        status = -1;
    } else if (works[c.verb]) {
        status = works[c.verb](s, &c);
        fflush(stdout);
    }
    bool quit = c.verb == VERB_QUIT, aborts = abort_on_failure && !c.ignore_failure;
    command_clear(&c);
    if (status != 0 && aborts) return TURN_FAILED;
    return quit ? TURN_QUIT : TURN_ON;
}
