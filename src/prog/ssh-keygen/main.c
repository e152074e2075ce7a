/* SPDX-License-Identifier: ISC */
/* ssh-keygen: the command line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/sign.h"
#include "keygen.h"

static NORETURN void usage(void)
{
    fputs("usage: ssh-keygen [-q] [-a rounds] [-b bits] [-C comment] [-f output_keyfile]\n"
          "                  [-m format] [-N new_passphrase] [-t ecdsa | ed25519 | rsa]\n"
          "                  [-Z cipher]\n"
          "       ssh-keygen -p [-a rounds] [-f keyfile] [-m format] [-N new_passphrase]\n"
          "                   [-P old_passphrase] [-Z cipher]\n"
          "       ssh-keygen -y [-f input_keyfile]\n"
          "       ssh-keygen -c [-a rounds] [-C comment] [-f keyfile] [-P passphrase]\n"
          "       ssh-keygen -l [-v] [-E fingerprint_hash] [-f input_keyfile]\n"
          "       ssh-keygen -F hostname [-lv] [-f known_hosts_file]\n"
          "       ssh-keygen -H [-f known_hosts_file]\n"
          "       ssh-keygen -R hostname [-f known_hosts_file]\n"
          "       ssh-keygen -A [-a rounds] [-f prefix_path]\n"
          "       ssh-keygen -V\n",
          stderr);
    exit(1);
}

/* Options of OpenSSH that need what is not built yet. */
static const struct {
    char letter;
    const char *what;
} later[] = {
    {'B', "bubblebabble digests"},    {'D', "PKCS#11 tokens"},       {'e', "export to other formats"},
    {'g', "SSHFP records"},           {'h', "certificates"},         {'i', "import of other formats"},
    {'I', "certificates"},            {'K', "FIDO authenticators"},  {'k', "key revocation lists"},
    {'L', "certificates"},            {'M', "moduli"},               {'n', "certificates"},
    {'O', "option lists"},            {'Q', "key revocation lists"}, {'r', "SSHFP records"},
    {'s', "certificates"},            {'U', "agent signatures"},     {'u', "key revocation lists"},
    {'V', "certificates"},            {'w', "FIDO authenticators"},  {'X', "import of other formats"},
    {'Y', "signatures of files"},     {'z', "certificates"},
};

static void refuse_later(int letter)
{
    for (size_t i = 0; i < COUNT_OF(later); i++)
        if (later[i].letter == letter) fatal("ssh-keygen: option -%c (%s) is not available in this version", letter, later[i].what);
}

/* A number with OpenSSH's words for what is wrong with it. */
static uint64_t number(const char *text, uint64_t least, uint64_t most, const char *fmt_before)
{
    uint64_t v = 0;
    enum err e = text_to_u64(bytes_str(text), UINT32_MAX, &v);
    const char *wrong = e == ERR_FORMAT ? "invalid" : e != ERR_NONE || v > most ? "too large" : v < least ? "too small" : NULL;
    if (wrong) fatal("%s %s (%s)", fmt_before, text, wrong);
    return v;
}

static void take_format(struct options *o, const char *name)
{
    if (strcasecmp(name, "RFC4716") == 0 || strcasecmp(name, "ssh2") == 0) return;
    if (strcasecmp(name, "PKCS8") == 0) o->format = PRIVKEY_PKCS8;
    else if (strcasecmp(name, "PEM") == 0) o->format = PRIVKEY_PEM;
    else fatal("Unsupported conversion format \"%s\"", name);
}

static void take_file(struct options *o, const char *name)
{
    if (strlen(name) >= sizeof o->file) fatal("Identity filename too long");
    snprintf(o->file, sizeof o->file, "%s", name);
    o->have_file = true;
}

static void take_cipher(struct options *o, const char *name)
{
    if (!file_cipher_find(bytes_str(name))) fatal("Invalid OpenSSH-format cipher '%s'", name);
    o->cipher = name;
}

static void take_host(struct options *o, bool *which, const char *name)
{
    *which = true;
    o->host = name;
}

static void take_option(struct options *o, int letter, const char *arg)
{
    switch (letter) {
    case 'A': o->host_keys = true; break;
    case 'a': o->rounds = (uint32_t)number(arg, 1, BCRYPT_ROUNDS_MAX, "Invalid number:"); break;
    case 'b': o->bits = (size_t)number(arg, 1, UINT32_MAX, "Bits has bad value"); break;
    case 'C': o->comment = arg; break;
    case 'c': o->change_comment = true; break;
    case 'E':
        if (!fingerprint_find(bytes_str(arg), &o->hash)) fatal("Invalid hash algorithm \"%s\"", arg);
        break;
    case 'F': take_host(o, &o->find_host, arg); break;
    case 'f': take_file(o, arg); break;
    case 'H': o->hash_hosts = true; break;
    case 'l': o->fingerprint = true; break;
    case 'm': take_format(o, arg); break;
    case 'N': o->new_passphrase = arg; break;
    case 'o': break; /* the format it once asked for is the only one now */
    case 'P': o->passphrase = arg; break;
    case 'p': o->change_passphrase = true; break;
    case 'q': o->quiet = true; break;
    case 'R': take_host(o, &o->remove_host, arg); break;
    case 't': o->type = arg; break;
    case 'v': o->verbose++; break;
    case 'y': o->print_public = true; break;
    case 'Z': take_cipher(o, arg); break;
    default: refuse_later(letter); usage();
    }
}

static void parse_options(struct options *o, int argc, char **argv)
{
    int letter;
    opterr = 0;
    while ((letter = getopt(argc, argv, ":ABHKLQUXceghiklopquvyC:D:E:F:I:M:N:O:P:R:V:Y:Z:a:b:f:m:n:r:s:t:w:z:")) != -1) {
        if (letter == '?') fprintf(stderr, "unknown option -- %c\n", optopt);
        if (letter == ':') fprintf(stderr, "option requires an argument -- %c\n", optopt);
        if (letter == '?' || letter == ':') usage();
        take_option(o, letter, optarg);
    }
    if (optind < argc) {
        say("Too many arguments.");
        usage();
    }
    if (o->change_passphrase && o->change_comment) {
        say("Can only have one of -p and -c.");
        usage();
    }
    if (o->fingerprint && (o->remove_host || o->hash_hosts)) {
        say("Cannot use -l with -H or -R.");
        usage();
    }
}

static void know_user(struct options *o)
{
    const struct passwd *pw = getpwuid(getuid());
    if (!pw) fatal("No user exists for uid %lu", (unsigned long)getuid());
    snprintf(o->user, sizeof o->user, "%s", pw->pw_name);
    snprintf(o->home, sizeof o->home, "%s", pw->pw_dir);
    if (gethostname(o->machine, sizeof o->machine) != 0) fatal("gethostname: %s", strerror(errno));
    o->machine[sizeof o->machine - 1] = 0;
}

/* Secrets pass through here: no core files, no tracing by other processes; and the three descriptors must be ours. */
static void harden(void)
{
    struct rlimit none = {0, 0};
    prctl(PR_SET_DUMPABLE, 0);
    setrlimit(RLIMIT_CORE, &none);
    for (int fd = open("/dev/null", O_RDWR); fd >= 0; fd = dup(fd))
        if (fd > STDERR_FILENO) {
            close(fd);
            break;
        }
}

static int job(struct options *o)
{
    if (o->find_host || o->remove_host || o->hash_hosts) return job_known_hosts(o);
    if (o->fingerprint) return job_fingerprint(o);
    if (o->change_passphrase) return job_change_passphrase(o);
    if (o->change_comment) return job_change_comment(o);
    if (o->print_public) return job_print_public(o);
    if (o->host_keys) return job_host_keys(o);
    return job_make(o);
}

int main(int argc, char **argv)
{
    static struct options o;
    harden();
    if (argc == 2 && strcmp(argv[1], "-V") == 0) {
        fprintf(stderr, "Nacre_" NACRE_VERSION " (OpenSSH_10.5p1), %s\n", crypto_version());
        return 0;
    }
    know_user(&o);
    parse_options(&o, argc, argv);
    int status = job(&o);
    if (fflush(stdout) != 0 || ferror(stdout)) fatal("write to standard output: %s", strerror(errno));
    return status;
}
