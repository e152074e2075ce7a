/* SPDX-License-Identifier: ISC */
/* ssh-keyscan: host keys of many hosts. */
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/resource.h>
#include <unistd.h>

#include "conf/parse.h"
#include "crypto/sign.h"
#include "keyscan.h"
#include "os/process.h"

#define FILES_MAX 64

struct settings settings = {.family = AF_UNSPEC, .port = 22, .timeout_s = 5};

void debug(const char *fmt, ...)
{
    va_list ap;
    if (settings.verbose == 0) return;
    va_start(ap, fmt);
    say_line(stderr, "debug1: ", "", "\r\n", fmt, ap);
    va_end(ap);
}

static NORETURN void usage(void)
{
    fputs("usage: ssh-keyscan [-46cDHqv] [-f file] [-O option] [-p port] [-T timeout]\n"
          "                   [-t type] [host | addrlist namelist]\n",
          stderr);
    exit(1);
}

static void take_port(const char *text)
{
    uint64_t v = 0;
    if (text_to_u64(bytes_str(text), 65535, &v) != ERR_NONE || v == 0) {
        fprintf(stderr, "Bad port '%s'\n", text);
        exit(1);
    }
    settings.port = (uint16_t)v;
}

static void take_timeout(const char *text)
{
    int64_t v = 0;
    if (conf_time_s(bytes_str(text), &v) != ERR_NONE || v <= 0 || v > INT32_MAX / 1000) {
        fprintf(stderr, "Bad timeout '%s'\n", text);
        usage();
    }
    settings.timeout_s = (unsigned)v;
}

static void take_kinds(const char *text)
{
    size_t pos = 0;
    struct bytes name;
    settings.kinds = 0;
    while (names_next(bytes_str(text), &pos, &name)) {
        size_t i = 0;
        /* "ed25519" in any letters, or a type's full name, "ssh-ed25519", which stands for its whole kind */
        while (i < kind_count && !text_equal_fold(name, bytes_str(kinds[i].name)) && !names_has(bytes_str(kinds[i].algs), name)) i++;
        if (i == kind_count) fatal("Unknown key type \"%.*s\"", (int)name.n, (const char *)name.p);
        settings.kinds |= 1u << i;
    }
}

static void take_option(const char *text)
{
    static const char hash[] = "hashalg=";
    if (strncmp(text, hash, sizeof hash - 1) != 0) fatal("Unsupported -O option");
    const char *name = text + sizeof hash - 1;
    if (strcasecmp(name, "sha1") == 0) settings.dns_hashes = 1u << SSHFP_SHA1;
    else if (strcasecmp(name, "sha256") == 0) settings.dns_hashes = 1u << SSHFP_SHA256;
    else fatal("Unsupported hash algorithm");
}

/* Files are read after the options, which may say what their lines mean. */
static void parse_options(int argc, char **argv)
{
    const char *files[FILES_MAX];
    size_t file_n = 0;
    int letter;
    opterr = 0;
    while ((letter = getopt(argc, argv, "+:cDHqv46O:p:T:t:f:")) != -1) {
        switch (letter) {
        case '4': settings.family = AF_INET; break;
        case '6': settings.family = AF_INET6; break;
        case 'c': settings.certs = true; break;
        case 'D': settings.dns = true; break;
        case 'f':
            if (file_n == FILES_MAX) fatal("Too many files");
            files[file_n++] = optarg;
            break;
        case 'H': settings.hashed = true; break;
        case 'O': take_option(optarg); break;
        case 'p': take_port(optarg); break;
        case 'q': settings.quiet = true; break;
        case 'T': take_timeout(optarg); break;
        case 't': take_kinds(optarg); break;
        case 'v': settings.verbose++; break;
        case ':': fprintf(stderr, "option requires an argument -- %c\n", optopt); usage();
        default: fprintf(stderr, "unknown option -- %c\n", optopt); usage();
        }
    }
    if (optind == argc && file_n == 0) usage();
    for (int i = optind; i < argc; i++) source_argument(argv[i]);
    for (size_t i = 0; i < file_n; i++) source_file(files[i]);
}

/* As many connections at once as may be, in both processes. */
static void descriptors_raise(void)
{
    struct rlimit l;
    if (getrlimit(RLIMIT_NOFILE, &l) != 0 || l.rlim_cur == l.rlim_max) return;
    l.rlim_cur = l.rlim_max;
    setrlimit(RLIMIT_NOFILE, &l);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; i < kind_count; i++) settings.kinds |= kinds[i].by_default ? 1u << i : 0;
    settings.dns_hashes = 1u << SSHFP_SHA1 | 1u << SSHFP_SHA256;
    if (fds_sanitise() != ERR_NONE) return 255;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    parse_options(argc, argv);
    descriptors_raise();
    bool found = dial_all(scanner_start());
    if (fflush(stdout) != 0 || ferror(stdout)) fatal("write to standard output failed");
    return found ? 0 : 1;
}
