/* SPDX-License-Identifier: ISC */
/* known_hosts files. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/sign.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"
#include "ui.h"

#define HOST_FILE_MAX (64U << 20)

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

/* Does known_hosts have a key of this type for the host? */
static bool type_known(struct bytes type)
{
    struct hosts *h = hosts_read();
    struct known_query q = {.host = bytes_str(hosts_name())};
    for (size_t i = 0; i < h->n; i++) {
        struct line_walk walk = {.rest = secret_bytes(&h->text[i])};
        struct known_hit hit;
        while (known_next(&walk, &q, &hit))
            if (hit.err == ERR_NONE && hit.host && hit.line.marker == KNOWN_PLAIN && bytes_equal(hit.line.type, type))
                return true;
    }
    return false;
}

static void algs_add(struct wr *out, struct bytes name)
{
    if (out->n)
        wr_u8(out, ',');
    wr_raw(out, name);
}

/* Host certificates are not asked for: what would check them is not built. */
static const struct sig_alg *plain_alg(struct bytes name)
{
    const struct sig_alg *alg = sig_alg_find(name);
    return alg && !sig_alg_is_cert(alg) ? alg : NULL;
}

/* Those names of the list that we build and whose key type is known (or not) for this host. */
static void algs_pass(struct wr *out, bool any, bool known)
{
    size_t at = 0;
    struct bytes name;
    while (names_next(bytes_str(ui.conf->host_key_algorithms), &at, &name)) {
        const struct sig_alg *alg = plain_alg(name);
        if (alg && (any || type_known(bytes_str(alg->key_type)) == known))
            algs_add(out, name);
    }
}

void hosts_order_algs(struct wr *out)
{
    size_t at = 0;
    struct bytes first;
    const struct sig_alg *best = NULL;
    while (!best && names_next(bytes_str(ui.conf->host_key_algorithms), &at, &first))
        best = plain_alg(first);
    if (ui.conf->host_key_algorithms_set || !best || type_known(bytes_str(best->key_type))) {
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

static void host_text(struct wr *w, const char *host)
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
    host_text(&hosts_part, names);
    if (text->n > 0 && text->p[text->n - 1] != '\n')
        wr_u8(&w, '\n');        /* the last line had no end; ours must not join it */
    bool ok = hosts_part.err == ERR_NONE && known_line_write(&w, KNOWN_PLAIN, wr_bytes(&hosts_part), key, bytes_str("")) == ERR_NONE
              && w.err == ERR_NONE;
    int fd = ok ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
    ok = fd >= 0 && write(fd, w.p, w.n) == (ssize_t)w.n;
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
