/* SPDX-License-Identifier: ISC */
/* ssh-keygen: the command line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/memory.h"
#include "crypto/sign.h"
#include "keygen.h"

enum { OPTION_AUDIT = 256 };     /* what is no letter */

NORETURN void usage(void)
{
    fputs("usage: ssh-keygen [-q] [-a rounds] [-b bits] [-C comment] [-f output_keyfile]\n"
          "                  [-m format] [-N new_passphrase] [-O option]\n"
          "                  [-t ecdsa | ecdsa-sk | ed25519 | ed25519-sk | mldsa44-ed25519 | rsa]\n"
          "                  [-w provider] [-Z cipher]\n"
          "       ssh-keygen -p [-a rounds] [-f keyfile] [-m format] [-N new_passphrase]\n"
          "                   [-O option] [-P old_passphrase] [-Z cipher]\n"
          "       ssh-keygen -y [-f input_keyfile]\n"
          "       ssh-keygen -c [-a rounds] [-C comment] [-f keyfile] [-P passphrase]\n"
          "       ssh-keygen -i [-f input_keyfile] [-m key_format]\n"
          "       ssh-keygen -e [-f input_keyfile] [-m key_format]\n"
          "       ssh-keygen -l [-v] [-E fingerprint_hash] [-f input_keyfile]\n"
          "       ssh-keygen -B [-f input_keyfile]\n"
          "       ssh-keygen -F hostname [-lv] [-f known_hosts_file]\n"
          "       ssh-keygen -H [-f known_hosts_file]\n"
          "       ssh-keygen -R hostname [-f known_hosts_file]\n"
          "       ssh-keygen -I certificate_identity -s ca_key [-hU] [-n principals]\n"
          "                  [-O option] [-V validity_interval] [-z serial_number] file ...\n"
          "       ssh-keygen -K [-a rounds] [-w provider]\n"
          "       ssh-keygen -L [-f input_keyfile]\n"
          "       ssh-keygen -r hostname [-g] [-f input_keyfile] [-O hashalg=name]\n"
          "       ssh-keygen -M generate [-O option] output_file\n"
          "       ssh-keygen -M screen [-f input_file] [-O option] output_file\n"
          "       ssh-keygen -A [-a rounds] [-f prefix_path]\n"
          "       ssh-keygen -k -f krl_file [-u] [-s ca_public] [-z version_number] file ...\n"
          "       ssh-keygen -Q [-l] -f krl_file [file ...]\n"
          "       ssh-keygen -Y sign -f key_file -n namespace [-U] [-O hashalg=name] [file ...]\n"
          "       ssh-keygen -Y verify -f allowed_signers_file -I signer_identity\n"
          "                  -n namespace -s signature_file [-r krl_file] [-O option]\n"
          "       ssh-keygen -Y check-novalidate -n namespace -s signature_file [-O option]\n"
          "       ssh-keygen -Y find-principals -s signature_file -f allowed_signers_file\n"
          "       ssh-keygen -Y match-principals -I signer_identity -f allowed_signers_file\n"
          "       ssh-keygen --audit [-q] [-E fingerprint_hash] [-O krl=file] [-O max-age=days]\n"
          "                  [-O blacklist=file] file|folder ...\n"
          "       ssh-keygen -V\n",
          stderr);
    exit(1);
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

static void take_extra(struct options *o, const char *text)
{
    if (o->extra_n == OPTION_EXTRA_MAX) fatal("Too many -O options");
    o->extra[o->extra_n++] = text;
}

static void take_option(struct options *o, int letter, const char *arg)
{
    switch (letter) {
    case OPTION_AUDIT: o->audit = true; break;
    case 'A': o->host_keys = true; break;
    case 'a': o->rounds = (uint32_t)number(arg, 1, BCRYPT_ROUNDS_MAX, "Invalid number:"); break;
    case 'b': o->bits = (size_t)number(arg, 1, UINT32_MAX, "Bits has bad value"); break;
    case 'B': o->bubblebabble = true; break;
    case 'C': o->comment = arg; break;
    case 'c': o->change_comment = true; break;
    case 'D': o->pkcs11 = arg; break;
    case 'E':
        if (!fingerprint_find(bytes_str(arg), &o->hash)) fatal("Invalid hash algorithm \"%s\"", arg);
        break;
    case 'e': o->export = true; break;
    case 'F': take_host(o, &o->find_host, arg); break;
    case 'f': take_file(o, arg); break;
    case 'g': o->dns_generic = true; break;
    case 'H': o->hash_hosts = true; break;
    case 'h': o->host_cert = true; break;
    case 'I': o->key_id = arg; break;
    case 'i':
    case 'X': o->import = true; break;
    case 'K': o->download = true; break;
    case 'k': o->krl_make = true; break;
    case 'L': o->show_cert = true; break;
    case 'l': o->fingerprint = true; break;
    case 'm': format_take(o, arg); break;
    case 'M': o->moduli = arg; break;
    case 'N': o->new_passphrase = arg; break;
    case 'n': o->principals = arg; break;
    case 'O': take_extra(o, arg); break;
    case 'o': break; /* the format it once asked for is the only one now */
    case 'P': o->passphrase = arg; break;
    case 'p': o->change_passphrase = true; break;
    case 'Q': o->krl_query = true; break;
    case 'q': o->quiet = true; break;
    case 'R': take_host(o, &o->remove_host, arg); break;
    case 'r': o->dns_host = arg; break;
    case 's': o->ca_key = arg; break;
    case 't': o->type = arg; break;
    case 'U': o->agent_ca = true; break;
    case 'u': o->krl_update = true; break;
    case 'V': o->validity = arg; break;
    case 'v': o->verbose++; break;
    case 'w': o->sk_provider = arg; break;
    case 'Y': o->signature = arg; break;
    case 'y': o->print_public = true; break;
    case 'Z': take_cipher(o, arg); break;
    case 'z': o->serial = arg; break;
    default: usage();
    }
}

static void parse_options(struct options *o, int argc, char **argv)
{
    static const struct option words[] = {{"audit", no_argument, NULL, OPTION_AUDIT}, {0}};     /* the one that OpenSSH has not */
    int letter;
    opterr = 0;
    /* '+': what stands behind a file's name is a file, too, whatever it is called (keygen -s CA *.pub) */
    while ((letter = getopt_long(argc, argv, "+:ABHKLQUXceghiklopquvyC:D:E:F:I:M:N:O:P:R:V:Y:Z:a:b:f:m:n:r:s:t:w:z:", words, NULL)) != -1) {
        if (letter == '?') fprintf(stderr, "unknown option -- %c\n", optopt ? optopt : '-');
        if (letter == ':') fprintf(stderr, "option requires an argument -- %c\n", optopt);
        if (letter == '?' || letter == ':') usage();
        take_option(o, letter, optarg);
    }
    o->rest = argv + optind;
    o->rest_n = argc - optind;
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

static bool wants_audit(const struct options *o) { return o->audit; }
static bool wants_hosts(const struct options *o) { return o->find_host || o->remove_host || o->hash_hosts; }
static bool wants_fingerprint(const struct options *o) { return o->fingerprint || o->bubblebabble; }
static bool wants_export(const struct options *o) { return o->export; }
static bool wants_moduli(const struct options *o) { return o->moduli; }
static bool wants_import(const struct options *o) { return o->import; }
static bool wants_passphrase(const struct options *o) { return o->change_passphrase; }
static bool wants_comment(const struct options *o) { return o->change_comment; }
static bool wants_public(const struct options *o) { return o->print_public; }
static bool wants_host_keys(const struct options *o) { return o->host_keys; }
static bool wants_signature(const struct options *o) { return o->signature; }
static bool wants_krl(const struct options *o) { return o->krl_make; }
static bool wants_krl_query(const struct options *o) { return o->krl_query; }
static bool wants_dns(const struct options *o) { return o->dns_host; }
static bool wants_certify(const struct options *o) { return o->ca_key; }
static bool wants_show_cert(const struct options *o) { return o->show_cert; }
static bool wants_download(const struct options *o) { return o->download; }
static bool wants_new(const struct options *o) { (void)o; return true; }
static bool wants_token(const struct options *o) { return o->pkcs11; }

/* In order: the first row that is wanted does its job. Rows that do not take arguments refuse them. */
static const struct job {
    bool (*wanted)(const struct options *o);
    int (*run)(struct options *o);
    bool takes_arguments;
} jobs[] = {
    {wants_audit, job_audit, true},
    {wants_signature, job_signature, true},
    {wants_krl, job_krl_make, true},
    {wants_krl_query, job_krl_query, true},
    {wants_certify, job_certify, true},
    {wants_show_cert, job_show_cert, false},
    {wants_moduli, job_moduli, true},
    {wants_token, job_token, false},
    {wants_hosts, job_known_hosts, false},
    {wants_fingerprint, job_fingerprint, false},
    {wants_export, job_export, false},
    {wants_import, job_import, false},
    {wants_passphrase, job_change_passphrase, false},
    {wants_comment, job_change_comment, false},
    {wants_public, job_print_public, false},
    {wants_dns, job_dns, false},
    {wants_download, job_download, false},
    {wants_host_keys, job_host_keys, false},
    {wants_new, job_make, false},
};

static int job(struct options *o)
{
    const struct job *j = jobs;
    while (!j->wanted(o)) j++;
    if (o->rest_n > 0 && !j->takes_arguments) {
        say("Too many arguments.");
        usage();
    }
    return j->run(o);
}

int main(int argc, char **argv)
{
    static struct options o;
    (void)crypto_memory_watch();
    harden();
    if (argc == 2 && strcmp(argv[1], "-V") == 0) {
        fprintf(stderr, "Nacre_" NACRE_VERSION " (OpenSSH_10.5p1), %s\n", crypto_version());
        return 0;
    }
    know_user(&o);
    parse_options(&o, argc, argv);
    int status = job(&o);
    bool is_answer = (status == 0 && !o.moduli) || (status == 1 && (o.audit || o.find_host));
    if (is_answer && crypto_memory_refused()) fatal("memory allocation failed");      /* it may have been taken for a bad key or signature */
    if (fflush(stdout) != 0 || ferror(stdout)) fatal("write to standard output: %s", strerror(errno));
    return status;
}
