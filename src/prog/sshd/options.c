/* SPDX-License-Identifier: ISC */
/* sshd(8)'s command line. What is a setting becomes a configuration line, so that there is one place that knows settings. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/spawn.h"
#include "sshd/server.h"

NORETURN static void usage(void)
{
    fputs("usage: sshd [-46DdeGiqTtV] [-C connection_spec] [-c host_cert_file]\n"
          "            [-E log_file] [-f config_file] [-g login_grace_time]\n"
          "            [-h host_key_file] [-o option] [-p port] [-u len]\n", stderr);
    exit(1);
}

/* The version names the cryptographic library, which this program does not link: the one that does says it. */
NORETURN static void version(void)
{
    char *argv[] = {(char[]){"sshd"}, (char[]){"-V"}, NULL}, *envp[] = {NULL};
    int exe;
    if (companion_open("sshd-keys", NACRE_LIBEXEC, &exe) == ERR_NONE) fexecve(exe, argv, envp);
    fputs("Nacre_" NACRE_VERSION " (OpenSSH_10.5p1)\n", stderr);
    exit(0);
}

static void row_add(struct options *o, const char *keyword, const char *value)
{
    char line[4096];
    if (o->row_count == COUNT_OF(o->rows)) usage();
    int n = keyword ? snprintf(line, sizeof line, "%s=%s", keyword, value) : snprintf(line, sizeof line, "%s", value);
    char *row = n > 0 && (size_t)n < sizeof line ? strdup(line) : NULL;
    if (!row) usage();
    o->rows[o->row_count++] = row;
}

/* X(letter, keyword): options that are settings by another name */
static const struct {
    char letter;
    const char *keyword, *value;        /* value NULL: the option's argument */
} settings[] = {
    {'4', "AddressFamily", "inet"}, {'6', "AddressFamily", "inet6"}, {'c', "HostCertificate", NULL}, {'g', "LoginGraceTime", NULL},
    {'h', "HostKey", NULL}, {'o', NULL, NULL}, {'p', "Port", NULL},
};

static bool setting_take(struct options *o, int letter)
{
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        if (settings[i].letter != letter) continue;
        row_add(o, settings[i].keyword, settings[i].value ? settings[i].value : optarg);
        return true;
    }
    return false;
}

static void option_take(struct options *o, int letter)
{
    switch (letter) {
    case 'd': o->debug++; return;
    case 'D': o->foreground = true; return;
    case 'e': o->log_stderr = true; return;
    case 'E': o->log_file = optarg; return;
    case 'f': o->conf_file = optarg; return;
    case 'G': o->dump_only = o->dump = true; return;
    case 'i': o->inetd = true; return;
    case 'q': o->quiet = true; return;
    case 't': o->test = true; return;
    case 'T': o->dump = true; return;
    case 'C':
        if (o->dump_peer_count == COUNT_OF(o->dump_peers)) usage();
        o->dump_peers[o->dump_peer_count++] = optarg;
        return;
    case 'u': case 'R': case 'b': case 'k': case 'r': return;     /* accepted as OpenSSH accepts them, without effect */
    default: usage();
    }
}

void options_parse(int argc, char **argv, struct options *out)
{
    int letter;
    *out = (struct options){.conf_file = "/etc/ssh/sshd_config", .argv = argv};
    while ((letter = getopt(argc, argv, "46C:DE:GQRTVb:c:def:g:h:ik:o:p:qrtu:")) != -1) {
        if (letter == 'V') version();
        if (!setting_take(out, letter)) option_take(out, letter);
    }
    if (optind != argc) {
        fprintf(stderr, "Extra argument %s.\n", argv[optind]);
        exit(1);
    }
    out->restarted = getenv("NACRE_SSHD_RESTARTED") != NULL;
    unsetenv("NACRE_SSHD_RESTARTED");
}
