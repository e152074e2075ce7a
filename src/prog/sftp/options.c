/* SPDX-License-Identifier: ISC */
/* The command line. */
#include <getopt.h>
#include <stdlib.h>
#include <strings.h>

#include "base/text.h"
#include "conf/destination.h"
#include "shell.h"

NORETURN void usage(void)
{
    fputs("usage: sftp [-46AaCfNpqrv] [-B buffer_size] [-b batchfile] [-c cipher]\n"
          "          [-D sftp_server_command] [-F ssh_config] [-i identity_file]\n"
          "          [-J destination] [-l limit] [-o ssh_option] [-P port]\n"
          "          [-R num_requests] [-S program] [-s subsystem | sftp_server]\n"
          "          [-X sftp_option] [--atomic] [--verify] destination\n", stderr);
    exit(1);
}

static void pass(struct options *o, const char *arg)
{
    if (o->ssh_arg_count + 2 > SSH_ARGS_MAX) die("Too many options");
    o->ssh_args[o->ssh_arg_count++] = must(strdup(arg));
}

static uint64_t number(const char *text, uint64_t max, const char *what)
{
    uint64_t n = 0;
    if (text_to_u64(bytes_str(text), max, &n) != ERR_NONE || n == 0) die("%s \"%s\"", what, text);
    return n;
}

/* -X buffer=64K: a number with a letter for powers of 1024. */
static uint64_t scaled(const char *text)
{
    size_t n = strlen(text);
    uint64_t v = 0;
    unsigned shift = n && ascii_lower(text[n - 1]) == 'k' ? 10 : n && ascii_lower(text[n - 1]) == 'm' ? 20 : 0;
    if (text_to_u64(bytes_of(text, n - (shift > 0)), 262144, &v) != ERR_NONE || v == 0 || v << shift > 262144)
        die("Invalid buffer size \"%s\": Invalid argument", text);
    return v << shift;
}

static void option_x(const char *arg, struct options *o)
{
    uint64_t n = 0;
    if (strncmp(arg, "buffer=", 7) == 0) {
        o->buffer = (uint32_t)scaled(arg + 7);
    } else if (strncmp(arg, "nrequests=", 10) == 0) {
        enum err e = text_to_u64(bytes_str(arg + 10), 262144, &n);
        if (e != ERR_NONE || n == 0)
            die("Invalid number of requests \"%s\": %s", arg + 10, e == ERR_RANGE ? "too large" : e == ERR_NONE ? "too small" : "invalid");
        o->requests = (unsigned)n;
    } else {
        die("Invalid -X option");
    }
}

enum { LONG_ATOMIC = 256, LONG_VERIFY };

static void option_ours(int letter, const char *arg, struct options *o)
{
    switch (letter) {
    case 'A': o->forward_agent = true; pass(o, "-A"); break;
    case 'a': o->resume = true; break;
    case 'B': o->buffer = (uint32_t)number(arg, UINT32_MAX, "Invalid buffer size"); break;
    case 'b':
        if (o->batch) die("Batch file already specified.");
        o->batch = arg;
        pass(o, "-obatchmode yes");
        break;
    case 'D': o->server = arg; break;
    case 'f': o->fsync = true; break;
    case 'l':
        if (text_to_u64(bytes_str(arg), 100ULL * 1024 * 1024, &o->limit_kbit) != ERR_NONE || o->limit_kbit == 0) usage();
        break;
    case 'N': o->noisy = true; break;
    case 'P': o->port = (uint32_t)number(arg, 65535, "Bad port"); break;
    case 'p': o->preserve = true; break;
    case 'q': o->quiet_asked = true; pass(o, "-q"); break;
    case 'R': o->requests = (unsigned)number(arg, UINT32_MAX, "Invalid number of requests"); break;
    case 'r': o->recursive = true; break;
    case 'S': o->ssh = arg; break;
    case 's': o->subsystem = arg; break;
    case 'v': o->verbose++; pass(o, "-v"); break;
    case 'X': option_x(arg, o); break;
    case LONG_ATOMIC: o->atomic = true; break;
    case LONG_VERIFY: o->verify = true; break;
    default:
        if (optopt && optopt < 256) fprintf(stderr, "%s -- %c\n", letter == ':' ? "option requires an argument" : "unknown option", optopt);
        usage();
    }
}

/* ---- the destination ---- */

static void destination_uri(const char *text, struct options *o)
{
    struct destination d;
    char path[DESTINATION_PATH_MAX];
    if (destination_parse_path(text + strlen("sftp://"), &d, path) != ERR_NONE) usage();
    o->host = must(strdup(d.host));
    if (d.user[0]) o->user = must(strdup(d.user));
    if (d.port) o->port = d.port;
    if (path[0]) o->path = must(strdup(path));
}

static void destination_plain(const char *text, struct options *o)
{
    const char *colon = destination_colon(text);
    char *s = must(strdup(text)), *host = s;
    if (colon) {
        s[colon - text] = 0;
        o->path = must(strdup(colon[1] ? colon + 1 : "."));
    }
    char *at = strrchr(s, '@');
    if (at) {
        *at = 0;
        host = at + 1;
        o->user = must(strdup(s));
    }
    size_t n = strlen(host);
    if (host[0] == '[' && n > 1 && host[n - 1] == ']') host[n - 1] = 0, host++;
    o->host = must(strdup(host));
    free(s);
}

static void destination_read(const char *text, struct options *o)
{
    if (strncasecmp(text, "sftp://", 7) == 0) destination_uri(text, o);
    else destination_plain(text, o);
    if (!*o->host) {
        fputs("Missing hostname\n", stderr);
        usage();
    }
    if (!host_valid(o->host)) die("hostname contains invalid characters");
    if (o->user && !*o->user) die("Missing username");
    if (o->user && !user_valid(o->user)) die("remote username contains invalid characters");
}

void options_parse(int argc, char **argv, struct options *out)
{
    static const struct option longs[] = {
        {"atomic", no_argument, NULL, LONG_ATOMIC}, {"verify", no_argument, NULL, LONG_VERIFY}, {NULL, 0, NULL, 0},
    };
    struct options o = {0};
    int letter;
    opterr = 0;
    pass(&o, "-oForwardX11 no"), pass(&o, "-oPermitLocalCommand no"), pass(&o, "-oClearAllForwardings yes");
    while ((letter = getopt_long(argc, argv, "+:1246AafhNpqrvCc:D:i:l:o:s:S:b:B:F:J:P:R:X:", longs, NULL)) != -1) {
        char flag[3] = {'-', (char)letter, 0};
        if (letter == '1' || letter == '2') die("SSH protocol v.%c is no longer supported", letter);
        if (letter < LONG_ATOMIC && strchr("46C", letter)) {
            pass(&o, flag);
        } else if (letter < LONG_ATOMIC && strchr("FJcio", letter)) {
            pass(&o, flag);
            pass(&o, optarg);
        } else {
            option_ours(letter, optarg, &o);
        }
    }
    pass(&o, "-oForwardAgent no");      /* the first value counts: -A and -o come before */
    if (!o.server) {
        if (optind == argc || argc > optind + 2) usage();
        destination_read(argv[optind], &o);
        o.path2 = argv[optind + 1];
    }
    *out = o;
}
