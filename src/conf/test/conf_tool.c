/* SPDX-License-Identifier: ISC */
/* The two dumps from the command line, for the comparison with another OpenSSH: conf-tool ssh|sshd FILE [-o option] [-C spec] [host]. */
#include <stdio.h>
#include <stdlib.h>

#include "conf/ssh.h"
#include "conf/sshd.h"
#include "kit/conf_world.h"

static int dump_ssh(const struct conf_world *w, char **arg)
{
    struct ssh_conf *c = ssh_conf_new();
    struct ssh_conf_ask ask = {.config_file = *arg++, .host = "foo"};
    enum err e = c ? ERR_NONE : ERR_NOMEM;
    for (; *arg && e == ERR_NONE; arg++) {
        if (strcmp(*arg, "-o") == 0 && arg[1]) e = ssh_conf_option(c, w, *++arg);
        else if (strcmp(*arg, "-c") == 0 && arg[1]) ask.command = *++arg;
        else ask.host = *arg;
    }
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    if (e == ERR_NONE) e = ssh_conf_load(c, w, &ask);
    if (e == ERR_NONE) e = ssh_conf_finish(c, w);
    if (e == ERR_NONE) ssh_conf_dump(c, &out);
    fwrite(out.p, 1, out.n, stdout);
    ssh_conf_free(c);
    return e == ERR_NONE ? 0 : 255;
}

static int dump_sshd(const struct conf_world *w, char **arg)
{
    struct sshd_rows *rows = sshd_rows_new();
    struct sshd_peer peer = {0};
    struct sshd_conf *c = NULL;
    const char *file = *arg++;
    bool asked = false;
    enum err e = rows ? ERR_NONE : ERR_NOMEM;
    for (; *arg && e == ERR_NONE; arg++) {
        if (strcmp(*arg, "-o") == 0 && arg[1]) e = sshd_rows_option(rows, w, *++arg);
        else if (strcmp(*arg, "-C") == 0 && arg[1]) e = sshd_peer_parse(*++arg, &peer), asked = true;
    }
    struct wr out CLEANUP(wr_clear) = wr_heap(1 << 20);
    if (e == ERR_NONE) e = sshd_rows_read(rows, w, file);
    if (e == ERR_NONE) e = sshd_conf_for(rows, w, NULL, &c);
    if (e == ERR_NONE) e = sshd_conf_check(c, w);
    if (e == ERR_NONE && asked) {
        sshd_conf_free(c);
        c = NULL;
        e = sshd_conf_for(rows, w, &peer, &c);
    }
    if (e == ERR_NONE) sshd_conf_dump(c, &out);
    fwrite(out.p, 1, out.n, stdout);
    sshd_conf_free(c);
    sshd_rows_free(rows);
    return e == ERR_NONE ? 0 : 255;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    struct conf_world *w = conf_world_new(NULL, NULL);
    if (!w) return 2;
    int status = strcmp(argv[1], "ssh") == 0 ? dump_ssh(w, argv + 2) : dump_sshd(w, argv + 2);
    conf_world_free(w);
    return status;
}
