/* SPDX-License-Identifier: ISC */
/* ssh-add: puts private keys into an agent, takes them out, shows them (ssh-add(1)). This file: the command line. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "add.h"
#include "conf/parse.h"
#include "crypto/sign.h"
#include "os/hide.h"
#include "os/process.h"

struct options o = {.agent = -1};

enum action { ACT_KEYS, ACT_LIST, ACT_LIST_WHOLE, ACT_REMOVE_ALL, ACT_LOCK, ACT_UNLOCK, ACT_TEST, ACT_QUERY, ACT_TOKEN_ADD, ACT_TOKEN_REMOVE, ACT_RESIDENT };
static enum action action;
static unsigned actions;
static const char *token;               /* -s, -e */

static NORETURN void usage(void)
{
    fputs("usage: ssh-add [-CcDdKkLlNQqvXx] [-E fingerprint_hash] [-H hostkey_file]\n"
          "               [-h destination_constraint] [-S provider] [-t life] [file ...]\n"
          "       ssh-add -s pkcs11 [-Cv] [certificate ...]\n"
          "       ssh-add -e pkcs11\n"
          "       ssh-add -T pubkey ...\n", stderr);
    exit(1);
}

static void act(enum action a)
{
    actions += action != a;
    action = a;
}

static void list_take(const char **list, size_t *n)
{
    if (*n >= PATHS_MAX) fatal("too many -%c options", (char)optopt);
    list[(*n)++] = optarg;
}

static void lifetime_take(void)
{
    int64_t life;
    if (conf_time_s(bytes_str(optarg), &life) != ERR_NONE || life < 0) {
        fprintf(stderr, "Invalid lifetime\n");
        usage();
    }
    o.lifetime_s = (uint32_t)life;
}

static void option_take(int c)
{
    switch (c) {
    case 'v': o.verbose += o.verbose < 3; break;
    case 'E':
        if (!fingerprint_find(bytes_str(optarg), &o.hash)) fatal("Invalid hash algorithm \"%s\"", optarg);
        break;
    case 'H': list_take(o.host_files, &o.host_files_n); break;
    case 'h': list_take(o.destinations, &o.destinations_n); break;
    case 'k': o.keys_only = true; break;
    case 'C': o.certs_only = true; break;
    case 'N': o.keep_expired = true; break;
    case 'K': act(ACT_RESIDENT); break;
    case 'l': act(ACT_LIST); break;
    case 'L': act(ACT_LIST_WHOLE); break;
    case 'x': act(ACT_LOCK); break;
    case 'X': act(ACT_UNLOCK); break;
    case 'Q': act(ACT_QUERY); break;
    case 'c': o.confirm = true; break;
    case 'S': o.sk_provider = optarg; break;
    case 'd': o.remove = true; break;
    case 'D': act(ACT_REMOVE_ALL); break;
    case 's': act(ACT_TOKEN_ADD); token = optarg; break;
    case 'e': act(ACT_TOKEN_REMOVE); token = optarg; break;
    case 't': lifetime_take(); break;
    case 'q': o.quiet = true; break;
    case 'T': act(ACT_TEST); break;
    default:
        fprintf(stderr, c == ':' ? "option requires an argument -- %c\n" : "unknown option -- %c\n", optopt);
        usage();
    }
}

static void agent_reach(void)
{
    enum err e = agent_connect(getenv("SSH_AUTH_SOCK"), &o.agent);
    if (e == ERR_NOT_FOUND) fprintf(stderr, "Could not open a connection to your authentication agent.\n");
    else if (e != ERR_NONE) fprintf(stderr, "Error connecting to agent: %s\n", strerror(errno));
    if (e != ERR_NONE) exit(2);
}

static int one_file(const char *path)
{
    if (!o.remove) return job_add(path);
    return strcmp(path, "-") == 0 ? job_remove_stdin() : job_remove(path);
}

/* The files of a user's keys, those that are there. */
static int default_files(void)
{
    static const char *const names[] = {"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_mldsa44_ed25519"};
    const struct passwd *pw = getpwuid(getuid());
    int status = 0;
    size_t done = 0;
    if (!pw) {
        fprintf(stderr, "No user found with uid %u\n", (unsigned)getuid());
        return 1;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[PATH_MAX];
        struct stat st;
        int n = snprintf(path, sizeof path, "%s/.ssh/%s", pw->pw_dir, names[i]);
        if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) != 0) continue;
        if (one_file(path) == 0) done++;
        else status = 1;
    }
    return status || done == 0;
}

static int files(int argc, char **argv)
{
    int status = 0;
    if (argc == 0) return default_files();
    for (int i = 0; i < argc; i++)
        if (one_file(argv[i]) != 0) status = 1;
    return status;
}

static int tests(int argc, char **argv)
{
    int status = 0;
    if (argc == 0) fatal("no keys to test");
    for (int i = 0; i < argc; i++)
        if (job_test(argv[i]) != 0) status = 1;
    return status;
}

static int run(int argc, char **argv)
{
    switch (action) {
    case ACT_LIST: return job_list(false);
    case ACT_LIST_WHOLE: return job_list(true);
    case ACT_QUERY: return job_query();
    case ACT_LOCK: return job_lock(true);
    case ACT_UNLOCK: return job_lock(false);
    case ACT_REMOVE_ALL: return job_remove_all();
    case ACT_TEST: return tests(argc, argv);
    case ACT_TOKEN_ADD: return job_token_add(token, argc, argv);
    case ACT_TOKEN_REMOVE: return job_token_remove(token);
    case ACT_RESIDENT: return job_residents();
    default: return files(argc, argv);
    }
}

int main(int argc, char **argv)
{
    if (fds_sanitise() != ERR_NONE || process_hide() != ERR_NONE) fatal("cannot hide the process: %s", strerror(errno));
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (crypto_load() != ERR_NONE) fatal("cannot load libcrypto");
    agent_reach();
    o.sk_provider = getenv("SSH_SK_PROVIDER");
    /* '+': behind a file's name no word is an option, whatever a file is called */
    for (int c; (c = getopt(argc, argv, "+:vkKlLNCcdDTxXQE:e:h:H:qs:S:t:")) != -1;) option_take(c);
    if (actions > 1) fatal("Invalid combination of actions");
    if (o.keys_only && o.certs_only) fatal("Invalid combination of -C and -k");
    destinations_find();
    int status = run(argc - optind, argv + optind);
    passphrases_forget();
    return fflush(stdout) == 0 ? status : 1;
}
