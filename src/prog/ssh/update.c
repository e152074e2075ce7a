/* SPDX-License-Identifier: ISC */
/* UpdateHostKeys (draft-miller-sshm-hostkey-update): a server that we trust already names all its keys after login. Those that known_hosts
 * lacks are learned once the server has proven that it owns them; those that it has no more leave the user's files. Nothing is touched
 * where a line of this host is more than ssh itself would have written, or where a key stands under another name, too. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "crypto/sign.h"
#include "key/known_hosts.h"
#include "os/atomic_file.h"
#include "os/prompt.h"
#include "ui.h"

#define KEYS_MAX 64         /* of a server, and lines of known_hosts that are over */

enum { MATCH_HOST = 1, MATCH_ADDRESS = 2 };

static struct {
    struct pubkey *key[KEYS_MAX];       /* the server's */
    unsigned seen[KEYS_MAX];            /* under which of our names known_hosts has it: MATCH_* */
    size_t n, fresh;
    struct pubkey *old[KEYS_MAX];       /* in known_hosts, no more the server's */
    size_t old_n;
    bool asked, done;                   /* proofs were asked for; nothing more is to be done */
    const char *why_not;
} u;

static bool asks(void)
{
    return ui.conf->update_host_keys == CONF_ASK;
}

static const char *address(void)
{
    return ui.conf->check_host_ip ? hosts_address() : NULL;
}

/* ---- what the server says ---- */

static bool wanted(const struct pubkey *key)
{
    size_t at = 0;
    struct bytes name;
    if (strcmp(pubkey_type(key), "ssh-rsa") == 0 && pubkey_bits(key) < ui.conf->required_rsa_size_bits)
        return false;
    while (names_next(bytes_str(ui.conf->host_key_algorithms), &at, &name)) {
        const struct sig_alg *alg = sig_alg_find(name);
        if (alg && strcmp(alg->key_type, pubkey_type(key)) == 0)
            return true;
    }
    return false;
}

/* Certificates, keys of kinds that we do not build and those that HostKeyAlgorithms leaves out are passed over, and so, as OpenSSH has it, lines
 * with them are no longer the server's. A key named twice ends it. */
static enum err keys_take(struct bytes packed)
{
    struct rd r = rd_init(packed);
    while (r.n > 0) {
        struct bytes blob = rd_string_max(&r, PUBKEY_BLOB_MAX);
        struct pubkey *key;
        TRY(r.err);
        if (pubkey_parse(blob, &key) != ERR_NONE)
            continue;
        bool twice = false;
        for (size_t i = 0; i < u.n; i++)
            twice |= bytes_equal(pubkey_blob(u.key[i]), blob);
        if (twice || u.n == KEYS_MAX) {
            pubkey_free(key);
            return twice ? ERR_PROTOCOL : ERR_BUDGET;
        }
        if (wanted(key))
            u.key[u.n++] = key;
        else
            pubkey_free(key);
    }
    return ERR_NONE;
}

/* ---- what known_hosts says ---- */

/* Names that ssh itself never writes: patterns, and lists of more than a name and an address. */
static bool complex_hosts(const struct known_line *l)
{
    size_t commas = 0;
    if (l->hashed)
        return false;
    for (size_t i = 0; i < l->hosts.n; i++) {
        uint8_t c = l->hosts.p[i];
        commas += c == ',';
        if (c == '*' || c == '?' || c == '!')
            return true;
    }
    return commas > 1;
}

static int key_of(const struct known_line *l)
{
    for (size_t i = 0; i < u.n; i++)
        if (known_line_has_blob(l, pubkey_blob(u.key[i])))
            return (int)i;
    return -1;
}

static void old_add(const struct known_line *l)
{
    struct pubkey *key;
    if (known_line_key(l, &key) != ERR_NONE)        /* a kind that is not ours is nobody's to remove */
        return;
    if (u.old_n == KEYS_MAX) {
        u.why_not = "too many keys of this host";
        pubkey_free(key);
        return;
    }
    u.old[u.old_n++] = key;
}

static void line_look(const struct known_hit *h)
{
    int i = key_of(&h->line);
    bool list = !h->line.hashed && memchr(h->line.hosts.p, ',', h->line.hosts.n);
    if (!h->host && !h->address) {
        if (i >= 0)
            u.why_not = "host key found matching a different name/address";
    } else if (h->line.marker != KNOWN_PLAIN || complex_hosts(&h->line)) {
        u.why_not = "CA/revocation marker, manual host list or wildcard host pattern found";
    } else if (address() && list && !(h->host && h->address)) {
        u.why_not = "host key found matching a different name/address";
    } else if (i >= 0) {
        u.seen[i] |= (h->host ? MATCH_HOST : 0) | (h->address ? MATCH_ADDRESS : 0);
    } else {
        old_add(&h->line);
    }
}

static bool old_elsewhere(const struct known_hit *h)
{
    for (size_t i = 0; i < u.old_n && !h->host && !h->address; i++)
        if (known_line_has_blob(&h->line, pubkey_blob(u.old[i])))
            return true;
    return false;
}

static void files_look(struct hosts *files)
{
    struct known_query q = {.host = bytes_str(hosts_name()), .address = bytes_str(address())};
    for (int pass = 0; pass < 2; pass++)
        for (size_t f = 0; f < files->user_n; f++) {
            struct line_walk walk = {.rest = secret_bytes(&files->text[f])};
            struct known_hit h;
            while (known_next(&walk, &q, &h)) {
                if (h.err != ERR_NONE)
                    continue;
                if (pass == 0)
                    line_look(&h);
                else if (old_elsewhere(&h))
                    u.why_not = "a key to be removed has other names";
            }
        }
}

/* ---- the files ---- */

static void names_write(struct wr *w, unsigned have, const struct pubkey *key)
{
    const char *names[2] = {have & MATCH_HOST ? NULL : hosts_name(), have & MATCH_ADDRESS ? NULL : address()};
    struct wr both = wr_heap(KNOWN_LINE_MAX);
    if (names[0] && names[1] && !ui.conf->hash_known_hosts) {
        wr_textf(&both, "%s,%s", names[0], names[1]);
        if (known_line_write(w, KNOWN_PLAIN, wr_bytes(&both), key, bytes_str("")) != ERR_NONE)
            wr_fail(w, ERR_FORMAT);
        wr_clear(&both);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        both.n = 0;
        if (!names[i])
            continue;
        hosts_text(&both, names[i]);
        if (both.err || known_line_write(w, KNOWN_PLAIN, wr_bytes(&both), key, bytes_str("")) != ERR_NONE)
            wr_fail(w, both.err ? both.err : ERR_FORMAT);
    }
    wr_clear(&both);
}

/* One file's new text: this host's lines without the keys that are over; in the first file all keys of the server. */
static bool file_rewrite(struct bytes text, bool first, struct wr *out)
{
    struct known_query q = {.host = bytes_str(hosts_name()), .address = bytes_str(address())};
    struct line_walk walk = {.rest = text};
    struct known_hit h;
    unsigned have[KEYS_MAX] = {0};
    bool changed = false;
    while (known_next(&walk, &q, &h)) {
        bool mine = h.err == ERR_NONE && (h.host || h.address) && h.line.marker == KNOWN_PLAIN;
        int i = mine ? key_of(&h.line) : -1;
        if (!first)
            i = -1;             /* it moves to the first file */
        if (mine && i < 0) {
            changed = true;
            continue;
        }
        if (i >= 0)
            have[i] |= (h.host ? MATCH_HOST : 0) | (h.address ? MATCH_ADDRESS : 0);
        wr_raw(out, h.text);
        wr_u8(out, '\n');
    }
    unsigned want = MATCH_HOST | (address() ? MATCH_ADDRESS : 0);
    for (size_t i = 0; first && i < u.n; i++)
        if ((have[i] & want) != want) {
            names_write(out, have[i], u.key[i]);
            changed = true;
        }
    return changed;
}

static void file_update(const char *name, bool first)
{
    CLEANUP(secret_clear) struct secret text = {0};
    CLEANUP(wr_clear) struct wr fresh = wr_heap(HOST_FILE_MAX + KNOWN_LINE_MAX);
    char path[PATH_MAX], backup[PATH_MAX + 8];
    struct stat st;
    /* A link stays one: what it leads to is replaced. */
    if (!realpath(name, path) || file_read(path, HOST_FILE_MAX, false, &text, &st) != ERR_NONE) {
        debug1("known hosts file %s: %s", name, strerror(errno));
        return;
    }
    if (!file_rewrite(secret_bytes(&text), first, &fresh))
        return;
    snprintf(backup, sizeof backup, "%s.old", path);
    if (wr_done(&fresh) != ERR_NONE || atomic_file_replace(path, backup, wr_bytes(&fresh), st.st_mode & 0777) != ERR_NONE)
        say(CONF_LOG_ERROR, "update of known hosts file %s failed: %s", name, strerror(errno));
}

/* New: known under none of our names. */
static bool is_fresh(size_t i)
{
    return !u.seen[i];
}

static void show_key(const char *what, const struct pubkey *key)
{
    char fp[256] = "";
    struct wr w = wr_span((struct span){(uint8_t *)fp, sizeof fp - 1});
    fingerprint_write(&w, pubkey_blob(key), ui.conf->fingerprint_hash == CONF_FP_MD5 ? FINGERPRINT_MD5 : FINGERPRINT_SHA256);
    say(asks() ? CONF_LOG_INFO : CONF_LOG_VERBOSE, "%s: %s %s", what, pubkey_short_name(key), fp);
}

static bool person_agrees(void)
{
    for (int i = 0; i < 3; i++) {
        CLEANUP(secret_clear) struct secret answer = {0};
        struct prompt p = {.text = "Accept updated hostkeys? (yes/no): ", .echo = true};
        if (prompt_ask(&p, &answer) != ERR_NONE || text_equal_fold(secret_bytes(&answer), BYTES_LIT("no")))
            return false;
        if (text_equal_fold(secret_bytes(&answer), BYTES_LIT("yes")))
            return true;
        say(CONF_LOG_INFO, "Please enter \"yes\" or \"no\"");
    }
    return false;
}

static void apply(void)
{
    struct hosts *files = hosts_read();
    if (asks()) {
        session_terminal(false);
        say(CONF_LOG_INFO, "The server has updated its host keys.");
        say(CONF_LOG_INFO, "These changes were verified by the server's existing trusted key.");
    }
    for (size_t i = 0; i < u.n; i++)
        if (is_fresh(i))
            show_key("Learned new hostkey", u.key[i]);
    for (size_t i = 0; i < u.old_n; i++)
        show_key("Deprecating obsolete hostkey", u.old[i]);
    bool go_on = !asks() || person_agrees();
    if (asks())
        session_terminal(true);
    for (size_t i = 0; go_on && i < files->user_n; i++)
        file_update(files->path[i], i == 0);
}

/* ---- the order of things ---- */

/* The transport waits for a word, unless that was the question for proofs. */
static void over(void)
{
    static const struct cm_prove nothing = {0};
    for (size_t i = 0; i < u.n; i++)
        pubkey_free(u.key[i]);
    for (size_t i = 0; i < u.old_n; i++)
        pubkey_free(u.old[i]);
    u.n = u.old_n = 0;
    u.done = true;
    if (!u.asked)
        link_send(CM_PROVE, &nothing, NULL, 0);
}

static void ask_proofs(void)
{
    CLEANUP(wr_clear) struct wr keys = wr_heap(CM_TEXT_MAX);
    for (size_t i = 0; i < u.n; i++)
        if (is_fresh(i))
            wr_string(&keys, pubkey_blob(u.key[i]));
    struct cm_prove p = {.wait = asks(), .keys = wr_bytes(&keys)};
    if (wr_done(&keys) != ERR_NONE) {
        debug1("UpdateHostKeys: too many keys");
        over();
        return;
    }
    u.asked = true;
    link_send(CM_PROVE, &p, NULL, 0);
}

static void plan(void)
{
    files_look(hosts_reread());
    for (size_t i = 0; i < u.n; i++)
        u.fresh += is_fresh(i);
    if (u.fresh == 0 && u.old_n == 0) {
        debug1("client_input_hostkeys: no new or deprecated keys from server");
        over();
    } else if (u.why_not) {
        debug1("client_input_hostkeys: %s, skipping UserKnownHostsFile update", u.why_not);
        over();
    } else if (u.fresh || asks()) {
        ask_proofs();
    } else {
        apply();
        over();
    }
}

void update_told(const struct cm_hostkeys *h)
{
    if (u.done || u.asked)
        fatal("ssh-transport: HOSTKEYS twice");
    if (ui.conf->update_host_keys == CONF_NO || !ui.host_trusted || hosts_read()->user_n == 0 || (asks() && ui.conf->batch_mode)) {
        over();
        return;
    }
    enum err e = keys_take(h->keys);
    if (e != ERR_NONE || u.n == 0) {
        debug1("client_input_hostkeys: %s", e ? err_text(e) : "server sent no hostkeys");
        over();
        return;
    }
    plan();
}

/* PROTOCOL 2.5: the name of the request, the session id and the key, signed by that key. */
static bool proof_good(const struct pubkey *key, struct bytes sig)
{
    CLEANUP(wr_clear) struct wr text = wr_heap(PUBKEY_BLOB_MAX + 256);
    struct rd r = rd_init(sig);
    struct bytes name = rd_string(&r);
    const struct sig_alg *alg = r.err ? NULL : sig_alg_find(name);
    wr_cstring(&text, "hostkeys-prove-00@openssh.com");
    wr_string(&text, bytes_of(ui.session_id, ui.session_id_n));
    wr_string(&text, pubkey_blob(key));
    return alg && wr_done(&text) == ERR_NONE && strcmp(alg->key_type, pubkey_type(key)) == 0
           && names_has(bytes_str(ui.conf->host_key_algorithms), name) && pubkey_verify_facts(key, alg, wr_bytes(&text), sig, NULL) == VERDICT_GOOD;
}

static bool proofs_good(const struct cm_proved *p)
{
    struct rd r = rd_init(p->sigs);
    for (size_t i = 0; i < u.n; i++) {
        if (!is_fresh(i))
            continue;
        struct bytes sig = rd_string_max(&r, SIGNATURE_MAX);
        if (r.err || !proof_good(u.key[i], sig)) {
            say(CONF_LOG_ERROR, "client_global_hostkeys_prove_confirm: server gave bad signature for %s key %zu", pubkey_short_name(u.key[i]), i);
            return false;
        }
    }
    return rd_done(&r) == ERR_NONE;
}

void update_proved(const struct cm_proved *p)
{
    struct cm_none none = {0};
    if (!u.asked || u.done)
        fatal("ssh-transport: PROVED that was not asked for");
    if (!p->ok)
        say(CONF_LOG_ERROR, "Server failed to confirm ownership of private host keys");
    else if (proofs_good(p))
        apply();
    bool waits = asks();
    over();
    if (waits)
        link_send(CM_RESUME, &none, NULL, 0);
}
