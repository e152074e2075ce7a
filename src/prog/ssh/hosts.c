/* SPDX-License-Identifier: ISC */
/* known_hosts files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "conf/parse.h"
#include "crypto/sign.h"
#include "key/cert.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"
#include "os/fd.h"
#include "os/spawn.h"
#include "ui.h"

static struct hosts hosts;

static void files_read(const struct conf_texts *list)
{
    for (size_t i = 0; i < list->n && hosts.n < HOST_FILES_MAX; i++) {
        struct wr path = wr_heap(8192);
        if (strcmp(list->v[i], "none") == 0 || strcmp(list->v[i], "/dev/null") == 0)
            continue;
        if (ssh_conf_path(ui.conf, ui.world, &ui.tokens, list->v[i], &path) != ERR_NONE)
            fatal("known_hosts file %s: cannot be expanded", list->v[i]);
        wr_u8(&path, 0);
        if (path.err)
            fatal("out of memory");
        hosts.path[hosts.n] = (char *)path.p;
        if (file_read(hosts.path[hosts.n], HOST_FILE_MAX, false, &hosts.text[hosts.n], NULL) != ERR_NONE)
            debug1("load_hostkeys: fopen %s: %s", hosts.path[hosts.n], strerror(errno));
        hosts.n++;
    }
}

/* ---- KnownHostsCommand ---- */

/* Whose tokens depend on the moment (ssh_config(5) TOKENS). */
static struct tokens command_tokens(const char *why, const char *name, const struct pubkey *key)
{
    static char fingerprint[256], base64[4 * PUBKEY_BLOB_MAX / 3 + 8];
    struct tokens t = ui.tokens;
    struct wr fp = wr_span((struct span){(uint8_t *)fingerprint, sizeof fingerprint - 1});
    struct wr text = wr_span((struct span){(uint8_t *)base64, sizeof base64 - 1});
    memset(fingerprint, 0, sizeof fingerprint);
    memset(base64, 0, sizeof base64);
    if (key) {
        fingerprint_write(&fp, pubkey_blob(pubkey_plain(key)), ui.conf->fingerprint_hash == CONF_FP_MD5 ? FINGERPRINT_MD5 : FINGERPRINT_SHA256);
        base64_write(&text, pubkey_blob(key));
    }
    t.t['H'] = name;
    t.t['I'] = why;
    t.t['t'] = key ? pubkey_type(key) : "NONE";
    t.t['f'] = key ? fingerprint : "NONE";
    t.t['K'] = key ? base64 : "NONE";
    return t;
}

/* The words of the option, expanded one by one, so that no value of a token can become a word of its own. */
static bool command_words(const struct tokens *t, struct wr *room, char **argv, size_t cap)
{
    CLEANUP(wr_clear) struct wr words = wr_heap(65536);
    size_t count, at = 0;
    if (conf_split(bytes_str(ui.conf->known_hosts_command), false, &words, &count) != ERR_NONE || count == 0 || count >= cap)
        return false;
    size_t starts[64];
    for (size_t i = 0; i < count; i++) {
        const char *bad = NULL, *word = (const char *)words.p + at;
        starts[i] = room->n;
        if (token_expand(word, token_set_known_hosts_command, t, i ? TOKEN_ENV : 0, ui.world, room, &bad) != ERR_NONE)
            fatal("KnownHostsCommand: %s", bad ? bad : "cannot be expanded");
        wr_u8(room, 0);
        at += strlen(word) + 1;
    }
    if (wr_done(room) != ERR_NONE)
        return false;
    for (size_t i = 0; i < count; i++)
        argv[i] = (char *)room->p + starts[i];
    argv[count] = NULL;
    return true;
}

struct command_run {
    char **argv;
    int out;
};

static int command_child(void *arg)
{
    const struct command_run *r = arg;
    int keep[] = {-1, r->out, STDERR_FILENO};
    spawn_signals_default();
    if (spawn_keep_fds(keep, 3) != ERR_NONE)
        return 127;
    execv(r->argv[0], r->argv);
    return 127;
}

static bool output_read(int fd, struct secret *out)
{
    CLEANUP(wr_clear) struct wr w = wr_heap(HOST_FILE_MAX);
    return fd_read(fd, HOST_FILE_MAX, &w) == ERR_NONE && secret_copy(out, wr_bytes(&w)) == ERR_NONE;
}

/* A command that fails ends the connection: what it did not say could be that a key is revoked. */
void hosts_command(const char *why, const char *name, const struct pubkey *key, struct secret *out)
{
    CLEANUP(wr_clear) struct wr room = wr_heap(1 << 20);
    char *argv[64];
    int ends[2], status;
    pid_t pid;
    secret_clear(out);
    if (!ui.conf->known_hosts_command)
        return;
    struct tokens t = command_tokens(why, name, key);
    if (!command_words(&t, &room, argv, COUNT_OF(argv)))
        fatal("KnownHostsCommand \"%s\" contains invalid quotes or is too long", ui.conf->known_hosts_command);
    if (argv[0][0] != '/')
        fatal("KnownHostsCommand path is not absolute");
    debug2("KnownHostsCommand-%s: %s", why, argv[0]);
    if (pipe2(ends, O_CLOEXEC) != 0)
        fatal("pipe: %m");
    struct command_run r = {argv, ends[1]};
    if (spawn_call(command_child, &r, &pid) != ERR_NONE)
        fatal("fork: %m");
    close(ends[1]);
    bool whole = output_read(ends[0], out);
    close(ends[0]);
    if (child_wait(pid, &status) != ERR_NONE || !whole || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        if (WIFSIGNALED(status))
            say(CONF_LOG_ERROR, "KnownHostsCommand %s killed by signal %d", argv[0], WTERMSIG(status));
        else
            say(CONF_LOG_ERROR, "KnownHostsCommand %s failed, status %d", argv[0], WEXITSTATUS(status));
        fatal("KnownHostsCommand failed");
    }
}

/* ---- the files ---- */

struct hosts *hosts_read(void)
{
    static bool done;
    if (!done) {
        done = true;
        files_read(&ui.conf->user_known_hosts_file);
        hosts.user_n = hosts.n;
        files_read(&ui.conf->global_known_hosts_file);
    }
    return &hosts;
}

struct hosts *hosts_reread(void)
{
    hosts_read();
    for (size_t i = 0; i < hosts.user_n; i++) {
        secret_clear(&hosts.text[i]);
        if (file_read(hosts.path[i], HOST_FILE_MAX, false, &hosts.text[i], NULL) != ERR_NONE)
            debug1("load_hostkeys: fopen %s: %s", hosts.path[i], strerror(errno));
    }
    return &hosts;
}

static const char *lookup_form(const char *name, unsigned port)
{
    struct wr w = wr_heap(KNOWN_HOST_MAX + 1);
    known_host_write(&w, bytes_str(name), port);
    wr_u8(&w, 0);
    return w.err ? NULL : (const char *)w.p;
}

const char *hosts_name(void)
{
    static const char *name;
    if (!name && ui.conf->host_key_alias)
        name = lookup_form(ui.conf->host_key_alias, 0);
    else if (!name)
        name = lookup_form(ui.conf->hostname, ui.conf->port);
    if (!name)
        fatal("host name too long");
    return name;
}

const char *hosts_address(void)
{
    static const char *address;
    if (ui.proxied || !ui.address[0])
        return NULL;
    if (!address)
        address = lookup_form(ui.address, ui.conf->port);
    return address;
}

/* ---- which algorithms to ask for first ---- */

#define TYPES_MAX 32

/* What is known of this host, from one walk over all lines: hashed names cost time. */
static struct {
    struct secret output;               /* of KnownHostsCommand */
    struct bytes types[TYPES_MAX];      /* views into the texts */
    size_t n;
    bool authority;                     /* some @cert-authority line speaks of it */
} order;

static bool known(struct bytes type)
{
    for (size_t i = 0; i < order.n; i++)
        if (bytes_equal(order.types[i], type))
            return true;
    return false;
}

static void text_look(struct bytes text)
{
    struct known_query q = {.host = bytes_str(hosts_name())};
    struct line_walk walk = {.rest = text};
    struct known_hit hit;
    while (known_next(&walk, &q, &hit)) {
        if (hit.err != ERR_NONE || !hit.host)
            continue;
        order.authority |= hit.line.marker == KNOWN_CA;
        if (hit.line.marker == KNOWN_PLAIN && order.n < TYPES_MAX && !known(hit.line.type))
            order.types[order.n++] = hit.line.type;
    }
}

/* The type of the key itself, of certificates too. */
static struct bytes plain_type(const struct sig_alg *alg)
{
    return bytes_str(sig_alg_plain(alg)->key_type);
}

static void algs_add(struct wr *out, struct bytes name)
{
    if (out->n)
        wr_u8(out, ',');
    wr_raw(out, name);
}

static bool preferred(const struct sig_alg *alg)
{
    return (sig_alg_is_cert(alg) && order.authority) || known(plain_type(alg));
}

/* Those names of the list that we build: all, or only those (not) preferred. */
static void algs_pass(struct wr *out, bool all, bool first)
{
    size_t at = 0;
    struct bytes name;
    while (names_next(bytes_str(ui.conf->host_key_algorithms), &at, &name)) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (alg && (all || preferred(alg) == first))
            algs_add(out, name);
    }
}

void hosts_order_algs(struct wr *out)
{
    size_t at = 0;
    struct bytes first;
    const struct sig_alg *best = NULL;
    while (!best && names_next(bytes_str(ui.conf->host_key_algorithms), &at, &first))
        best = sig_alg_find(first);
    if (!ui.conf->host_key_algorithms_set) {
        struct hosts *h = hosts_read();
        hosts_command("ORDER", ui.conf->hostname, NULL, &order.output);
        for (size_t i = 0; i < h->n; i++)
            text_look(secret_bytes(&h->text[i]));
        text_look(secret_bytes(&order.output));
    }
    if (ui.conf->host_key_algorithms_set || !best || known(plain_type(best))) {
        algs_pass(out, true, true);     /* as it is: the list tells an observer nothing about what we know (CVE-2020-14145) */
        return;
    }
    algs_pass(out, false, true);
    algs_pass(out, false, false);
}

/* ---- learning a host ---- */

static bool folder_make(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder)
        return true;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = '\0';
    if (mkdir(folder, 0700) != 0)
        return errno == EEXIST;
    debug1("hostfile_create_user_ssh_dir: created directory %s", folder);
    return true;
}

void hosts_text(struct wr *w, const char *host)
{
    if (!ui.conf->hash_known_hosts)
        wr_text(w, host);
    else if (known_hash_write(w, bytes_str(host), &random_libcrypto) != ERR_NONE)
        wr_fail(w, ERR_CRYPTO);
}

static bool line_append(const char *path, const char *names, const struct pubkey *key)
{
    struct wr w = wr_heap(KNOWN_LINE_MAX), hosts_part = wr_heap(KNOWN_LINE_MAX);
    struct secret *text = &hosts.text[0];
    hosts_text(&hosts_part, names);
    if (text->n > 0 && text->p[text->n - 1] != '\n')
        wr_u8(&w, '\n');        /* the last line had no end; ours must not join it */
    bool ok = hosts_part.err == ERR_NONE && known_line_write(&w, KNOWN_PLAIN, wr_bytes(&hosts_part), key, bytes_str("")) == ERR_NONE
              && w.err == ERR_NONE;
    int fd = ok ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    ok = fd >= 0 && fd_write(fd, wr_bytes(&w)) == ERR_NONE;
    if (fd >= 0 && close(fd) != 0)
        ok = false;
    wr_clear(&w);
    wr_clear(&hosts_part);
    return ok;
}

bool hosts_add(const char *host, const char *address, const struct pubkey *key)
{
    struct wr names = wr_heap(KNOWN_LINE_MAX);
    bool ok;
    hosts_read();
    if (hosts.user_n == 0 || !folder_make(hosts.path[0]))
        return false;
    if (address && ui.conf->hash_known_hosts) {
        ok = line_append(hosts.path[0], host, key) && line_append(hosts.path[0], address, key);
    } else {
        wr_textf(&names, address ? "%s,%s" : "%s", host, address);
        wr_u8(&names, 0);
        ok = names.err == ERR_NONE && line_append(hosts.path[0], (const char *)names.p, key);
    }
    wr_clear(&names);
    return ok;
}
