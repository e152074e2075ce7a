/* SPDX-License-Identifier: ISC */
/* scp: the command line. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "os/process.h"
#include "os/say.h"
#include "scp.h"

struct options opt = {.progress = true};

PRINTF_LIKE(1, 0) static void line_write(const char *fmt, va_list ap)
{
    char name[1024], before[sizeof name + 2];
    snprintf(before, sizeof before, "%s: ", escape_str(bytes_str(opt.name), name, sizeof name));
    say_line(stderr, before, "", "\r\n", fmt, ap);
}

void scp_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_write(fmt, ap);
    va_end(ap);
    if (!opt.status) opt.status = 1;
}

void scp_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say_line(stderr, "", "", "\r\n", fmt, ap);
    va_end(ap);
    if (!opt.status) opt.status = 1;
}

NORETURN void scp_fatal(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    line_write(fmt, ap);
    va_end(ap);
    exit(255);
}

NORETURN static void usage(void)
{
    fputs("usage: scp [-346ABCOpqRrsTv] [-c cipher] [-D sftp_server_path] [-F ssh_config]\n"
          "           [-i identity_file] [-J destination] [-l limit] [-o ssh_option]\n"
          "           [-P port] [-S program] [-X sftp_option] [--resume] [--verify]\n"
          "           [--atomic] source ... target\n", stderr);
    exit(1);
}

/* ---- what ssh is given ---- */

static void arg_to(char **list, size_t *n, const char *a)
{
    char *copy = strdup(a);
    if (!copy) scp_fatal("out of memory");
    if (*n + 2 > ARGS_MAX) scp_fatal("too many options");
    list[(*n)++] = copy;
    list[*n] = NULL;
}

static void arg_add(const char *a)
{
    arg_to(opt.ssh_args, &opt.ssh_arg_count, a);
}

/* Also for the scp that -R runs at the source's host. */
static void arg_add_both(const char *a)
{
    arg_add(a);
    arg_to(opt.both_args, &opt.both_arg_count, a);
}

static void arg_add_value(int letter, const char *value)
{
    char flag[3] = {'-', (char)letter, 0};
    arg_add_both(flag);
    arg_add_both(value);
}

bool scp_connect(const struct place *p, const char *command, bool subsystem, struct remote *out)
{
    struct remote_setup s = {.program = opt.ssh, .args = opt.ssh_args, .user = p->user, .host = p->host, .port = p->port ? p->port : opt.port,
        .command = command, .subsystem = subsystem, .server = subsystem ? opt.server : NULL, .lane = subsystem};
    if (opt.verbose)
        fprintf(stderr, "Executing: program %s host %s, user %s, command %s\n", opt.ssh ? opt.ssh : "ssh", p->host,
                p->user ? p->user : "(unspecified)", command);
    if (remote_start(&s, out) == ERR_NONE) return true;
    scp_error("%s: %s", s.server ? s.server : opt.ssh ? opt.ssh : "ssh", strerror(errno));
    return false;
}

bool scp_run(char *const *argv)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        execvp(argv[0], argv);
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        _exit(1);
    }
    if (pid < 0) {
        scp_error("fork: %s", strerror(errno));
        return false;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- options ---- */

static uint64_t number(const char *text, uint64_t min, uint64_t max, const char *bad)
{
    uint64_t n;
    if (text_to_u64(bytes_str(text), max, &n) != ERR_NONE || n < min) scp_fatal("%s \"%s\"", bad, text);
    return n;
}

/* 32k, 1m as OpenSSH's scan_scaled takes them. */
static uint32_t scaled(const char *text)
{
    char digits[32];
    size_t n = strlen(text);
    uint64_t unit = 1, value;
    char last = n ? ascii_lower(text[n - 1]) : 0;
    if (last == 'k') unit = 1024;
    else if (last == 'm') unit = 1048576;
    if (unit > 1) n--;
    if (bytes_to_str(bytes_of(text, n), digits, sizeof digits) != ERR_NONE ||
        text_to_u64(bytes_str(digits), UINT32_MAX / unit, &value) != ERR_NONE || value == 0)
        scp_fatal("Invalid buffer size \"%s\": Invalid argument", text);
    return (uint32_t)(value * unit);
}

static void sftp_option(const char *text)
{
    if (strncmp(text, "buffer=", 7) == 0) opt.buffer = scaled(text + 7);
    else if (strncmp(text, "nrequests=", 10) == 0) opt.requests = (unsigned)number(text + 10, 1, 4096, "Invalid number of requests");
    else scp_fatal("Invalid -X option");
}

struct mode {
    bool source, sink;                  /* -f, -t */
};

static void option_take(int letter, struct mode *mode)
{
    char flag[3] = {'-', (char)letter, 0};
    switch (letter) {
    case '1': scp_fatal("SSH protocol v.1 is no longer supported");
    case '2': break;
    case 'A': case '4': case '6': case 'C': arg_add_both(flag); break;
    case '3': opt.third_party = false; break;
    case 'R': opt.third_party = true; break;
    case 'o': case 'c': case 'i': case 'F': case 'J': arg_add_value(letter, optarg); break;
    case 'O': opt.legacy = true; break;
    case 's': opt.legacy = false; break;
    case 'P': opt.port = (uint32_t)number(optarg, 1, 65535, "bad port"); break;
    case 'B': arg_add_both("-oBatchmode=yes"); break;
    case 'l':
        if (text_to_u64(bytes_str(optarg), 100 * 1024 * 1024, &opt.limit_kbit) != ERR_NONE || opt.limit_kbit == 0) usage();
        break;
    case 'p': opt.preserve = true; break;
    case 'r': opt.recursive = true; break;
    case 'S': opt.ssh = optarg; break;
    case 'D': opt.server = optarg; break;
    case 'v': arg_add_both("-v"); opt.verbose = true; break;
    case 'q': arg_add_both("-q"); opt.progress = false; break;
    case 'X': sftp_option(optarg); break;
    case 'T': opt.lax = true; break;
    case 'M': opt.legacy = strcmp(optarg, "scp") == 0; break;
    case 'd': opt.to_folder = true; break;
    case 'f': mode->source = true; break;
    case 't': mode->sink = true; break;
    case 256: opt.resume = true; break;
    case 257: opt.verify = true; break;
    case 258: opt.atomic = true; break;
    case ':':
    case '?':
        if (optopt) fprintf(stderr, "%s: %s -- %c\n", opt.name, letter == '?' ? "unknown option" : "option requires an argument", optopt);
        usage();
    default: usage();
    }
}

static struct mode options_parse(int argc, char **argv)
{
    static const struct option words[] = {{"resume", no_argument, NULL, 256}, {"verify", no_argument, NULL, 257}, {"atomic", no_argument, NULL, 258}, {0}};
    struct mode mode = {0};
    static const char *const first[] = {"-x", "-oPermitLocalCommand=no", "-oClearAllForwardings=yes", "-oRemoteCommand=none", "-oRequestTTY=no"};
    for (size_t i = 0; i < COUNT_OF(first); i++) arg_add(first[i]);
    opterr = 0;
    setenv("POSIXLY_CORRECT", "1", 0);  /* options end at the first name, as on OpenSSH's home system */
    for (int c; (c = getopt_long(argc, argv, ":12346ABCTdfOpqRrstvD:F:J:M:P:S:c:i:l:o:X:", words, NULL)) != -1;) option_take(c, &mode);
    arg_add("-oForwardAgent=no");       /* last, so that -A and -o win */
    if (!isatty(1)) opt.progress = false;
    return mode;
}

/* ---- what is copied where ---- */

static void local_copy(const struct place *source, const char *target)
{
    char *argv[8];
    size_t n = 0;
    argv[n++] = (char *)(uintptr_t)"cp";
    if (opt.recursive) argv[n++] = (char *)(uintptr_t)"-r";
    if (opt.preserve) argv[n++] = (char *)(uintptr_t)"-p";
    argv[n++] = (char *)(uintptr_t)"--";
    argv[n++] = source->path;
    argv[n++] = (char *)(uintptr_t)target;
    argv[n] = NULL;
    if (!scp_run(argv)) opt.status = opt.status ? opt.status : 1;
}

/* -R: ssh to the source's host and let scp there do it. */
static void third_party(const struct place *source, const struct place *target)
{
    char *argv[ARGS_MAX + 20], port[16], to[8192], flags[16];
    size_t n = 0;
    argv[n++] = (char *)(uintptr_t)(opt.ssh ? opt.ssh : "ssh");
    static const char *const first[] = {"-x", "-oClearAllForwardings=yes", "-n"};
    for (size_t i = 0; i < COUNT_OF(first); i++) argv[n++] = (char *)(uintptr_t)first[i];
    for (size_t i = 0; i < opt.both_arg_count; i++) argv[n++] = opt.both_args[i];
    if (source->port || opt.port) {
        snprintf(port, sizeof port, "%u", source->port ? source->port : opt.port);
        argv[n++] = (char *)(uintptr_t)"-p";
        argv[n++] = port;
    }
    if (source->user) argv[n++] = (char *)(uintptr_t)"-l", argv[n++] = source->user;
    argv[n++] = (char *)(uintptr_t)"--";
    argv[n++] = source->host;
    snprintf(flags, sizeof flags, "scp%s%s%s", opt.verbose ? " -v" : "", opt.recursive ? " -r" : "", opt.preserve ? " -p" : "");
    argv[n++] = flags;
    argv[n++] = source->path;
    bool brackets = strchr(target->host, ':') != NULL;
    snprintf(to, sizeof to, "%s%s%s%s%s:%s", target->user ? target->user : "", target->user ? "@" : "", brackets ? "[" : "", target->host,
             brackets ? "]" : "", target->path);
    argv[n++] = to;
    argv[n] = NULL;
    if (!scp_run(argv)) opt.status = opt.status ? opt.status : 1;
}

static void copy_to_remote(struct place *sources, size_t n, const struct place *target)
{
    for (size_t i = 0, m; i < n; i += m) {      /* runs of sources of one kind share a connection */
        for (m = 1; i + m < n && sources[i + m].remote == sources[i].remote; m++) {}
        if (!sources[i].remote) {
            (opt.legacy ? legacy_upload : files_upload)(sources + i, m, target);
        } else if (opt.third_party) {
            if (target->port && target->port != 22) scp_fatal("target port not supported with two remote hosts and the -R option");
            for (size_t k = i; k < i + m; k++) third_party(&sources[k], target);
        } else {
            (opt.legacy ? legacy_cross : files_cross)(sources + i, m, target);
        }
    }
}

static void copy_to_local(struct place *sources, size_t n, const char *target)
{
    for (size_t i = 0, m; i < n; i += m) {
        m = 1;
        if (!sources[i].remote) {
            local_copy(&sources[i], target);
            continue;
        }
        while (i + m < n && place_same_login(&sources[i], &sources[i + m])) m++;
        (opt.legacy ? legacy_download : files_download)(sources + i, m, target);
    }
}

static void copy_all(char **names, size_t n)
{
    struct place *sources = calloc(n, sizeof *sources), target;
    if (!sources) scp_fatal("out of memory");
    size_t good = 0;
    if (place_parse(names[n - 1], &target) != ERR_NONE) exit(1);
    for (size_t i = 0; i + 1 < n; i++)
        if (place_parse(names[i], &sources[good]) == ERR_NONE) good++;
    struct stat st;
    if (target.remote) {
        copy_to_remote(sources, good, &target);
    } else if (opt.to_folder && (stat(target.path, &st) != 0 || !S_ISDIR(st.st_mode))) {
        errno = stat(target.path, &st) == 0 ? ENOTDIR : errno;
        fprintf(stderr, "%s: %s\n", names[n - 1], strerror(errno));
        opt.status = 1;
    } else {
        copy_to_local(sources, good, target.path);
    }
    files_end();
    for (size_t i = 0; i < good; i++) place_done(&sources[i]);
    place_done(&target);
    free(sources);
}

int main(int argc, char **argv)
{
    if (fds_sanitise() != ERR_NONE) return 1;
    opt.name = argc ? argv[0] : "scp";
    struct mode mode = options_parse(argc, argv);
    argc -= optind, argv += optind;
    if (mode.source) {
        legacy_serve_source(argv, (size_t)argc);
    } else if (mode.sink) {
        if (argc != 1) usage();
        legacy_serve_sink(argv[0]);
    } else {
        if (argc < 2) usage();
        if (argc > 2) opt.to_folder = true;
        copy_all(argv, (size_t)argc);
    }
    return opt.status;
}
