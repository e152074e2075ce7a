/* SPDX-License-Identifier: ISC */
/* Is this the host we think it is? The signature over the exchange hash is verified here once more: the transport, which reads what
 * the peer sends, is not believed. Then known_hosts decides, or a person. */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "look.h"
#include "os/prompt.h"

#define STARS "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
#define NAMES_SHOWN 8

const char *place_name(const struct look *l, unsigned file)
{
    return file == FROM_COMMAND ? "KnownHostsCommand-HOSTNAME" : file == FROM_ADDRESS_COMMAND ? "KnownHostsCommand-ADDRESS" : l->files->path[file];
}

enum fingerprint fingerprint_how(void)
{
    return ui.conf->fingerprint_hash == CONF_FP_MD5 ? FINGERPRINT_MD5 : FINGERPRINT_SHA256;
}

static void art(const struct look *l, struct wr *w)
{
    randomart_write(w, pubkey_blob(l->key), fingerprint_how(), l->key);
}

NORETURN void refuse(void)
{
    struct cm_hostkey_ok no = {0};
    link_send(CM_HOSTKEY_OK, &no, NULL, 0);
    fatal("Host key verification failed.");
}

/* ---- known ---- */

/* Keys are learned only into the user's own files, by a key that the user put there. */
void no_updates(const char *why)
{
    if (ui.conf->update_host_keys != CONF_NO)
        debug2("%s: UpdateHostKeys is off", why);
    ui.conf->update_host_keys = CONF_NO;
}

static void known(const struct look *l)
{
    const struct known_ref *r = &l->found.same[0];
    debug1("Host '%.200s' is known and matches the %s host key.", l->host, l->type);
    debug1("Found key in %s:%zu", place_name(l, r->file), r->line);
    if (r->file >= l->files->user_n)
        no_updates(place_name(l, r->file));
    if (l->address && !l->found.address_same && !l->found.address_other && strcmp(l->address, l->host) != 0) {
        if (hosts_add(l->address, NULL, l->key))
            say(CONF_LOG_INFO, "Warning: Permanently added the %s host key for IP address '%.128s' to the list of known hosts.",
                l->type, l->address);
    }
    if (ui.conf->visual_host_key) {
        struct wr w = wr_heap(4096);
        art(l, &w);
        say(CONF_LOG_INFO, "Host key fingerprint is %s\n%.*s", l->fingerprint, (int)w.n, (const char *)w.p);
        wr_clear(&w);
    }
}

/* ---- revoked, changed ---- */

NORETURN void revoked(const struct look *l)
{
    say(CONF_LOG_ERROR, STARS);
    say(CONF_LOG_ERROR, "@       WARNING: REVOKED HOST KEY DETECTED!               @");
    say(CONF_LOG_ERROR, STARS);
    say(CONF_LOG_ERROR, "The %s host key for %s is marked as revoked.", l->type, l->host);
    say(CONF_LOG_ERROR, "This could mean that a stolen key is being used to");
    say(CONF_LOG_ERROR, "impersonate this host.");
    say(CONF_LOG_ERROR, "%s host key for %.200s was revoked and you have requested strict checking.", l->type, l->host);
    refuse();
}

static const char *short_type(struct bytes type)
{
    static const char *const names[][2] = {{"ssh-ed25519", "ED25519"}, {"ssh-rsa", "RSA"}, {"ecdsa-sha2-nistp256", "ECDSA"},
                                           {"ecdsa-sha2-nistp384", "ECDSA"}, {"ecdsa-sha2-nistp521", "ECDSA"}, {"ssh-dss", "DSA"}};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (bytes_is(type, names[i][0]))
            return names[i][1];
    return show(type);
}

/* What a changed key takes away even where the user insists on going on. */
static void distrust(void)
{
    struct ssh_conf *c = ui.conf;
    ui.host_trusted = false;
    if (c->password_authentication)
        say(CONF_LOG_ERROR, "Password authentication is disabled to avoid man-in-the-middle attacks.");
    if (c->kbd_interactive_authentication)
        say(CONF_LOG_ERROR, "Keyboard-interactive authentication is disabled to avoid man-in-the-middle attacks.");
    c->password_authentication = c->kbd_interactive_authentication = false;
    if (c->forward_agent)
        say(CONF_LOG_ERROR, "Agent forwarding is disabled to avoid man-in-the-middle attacks.");
    c->forward_agent = false;
    if (c->local_forward.n + c->remote_forward.n + c->dynamic_forward.n > 0)
        say(CONF_LOG_ERROR, "Port forwarding is disabled to avoid man-in-the-middle attacks.");
    if (c->exit_on_forward_failure && c->local_forward.n + c->remote_forward.n > 0)
        fatal("Error: forwarding disabled due to host key check failure");
    c->local_forward.n = c->remote_forward.n = c->dynamic_forward.n = 0;
}

static void warn_changed(const struct look *l)
{
    say(CONF_LOG_ERROR, STARS);
    say(CONF_LOG_ERROR, "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @");
    say(CONF_LOG_ERROR, STARS);
    say(CONF_LOG_ERROR, "IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!");
    say(CONF_LOG_ERROR, "Someone could be eavesdropping on you right now (man-in-the-middle attack)!");
    say(CONF_LOG_ERROR, "It is also possible that a host key has just been changed.");
    say(CONF_LOG_ERROR, "The fingerprint for the %s key sent by the remote host is\n%s.", l->type, l->fingerprint);
    say(CONF_LOG_ERROR, "Please contact your system administrator.");
}

static void changed(const struct look *l)
{
    const struct known_found *f = &l->found;
    const struct known_ref *r = f->changed_n ? &f->changed[0] : &f->other_type[0];
    warn_changed(l);
    say(CONF_LOG_ERROR, "Add correct host key in %.100s to get rid of this message.",
        l->files->user_n ? l->files->path[0] : place_name(l, r->file));
    say(CONF_LOG_ERROR, "Offending %s key in %s:%zu", short_type(r->type), place_name(l, r->file), r->line);
    if (ui.conf->strict_host_key_checking != SSH_STRICT_NO) {
        say(CONF_LOG_ERROR, "Host key for %.200s has changed and you have requested strict checking.", l->host);
        refuse();
    }
    distrust();
}

/* ---- new ---- */

static void other_names(const struct look *l, struct wr *w)
{
    const struct known_found *f = &l->found;
    size_t shown = f->elsewhere_n < NAMES_SHOWN ? f->elsewhere_n : NAMES_SHOWN;
    if (f->elsewhere_n == 0) {
        wr_text(w, "This key is not known by any other names.\n");
        return;
    }
    wr_text(w, "This host key is known by the following other names/addresses:\n");
    for (size_t i = 0; i < shown; i++) {
        const struct known_ref *r = &f->elsewhere[i];
        const char *path = place_name(l, r->file), *home = getenv("HOME");
        bool in_home = home && *home && strncmp(path, home, strlen(home)) == 0 && path[strlen(home)] == '/';
        wr_textf(w, "    %s%s:%zu: %s\n", in_home ? "~" : "", in_home ? path + strlen(home) : path, r->line,
                 r->hashed ? "[hashed name]" : show(r->hosts));
    }
    if (f->elsewhere_n > shown)
        wr_textf(w, "    (%zu additional names omitted)\n", f->elsewhere_n - shown);
}

/* "yes" or the fingerprint itself; "no" or nobody to ask ends it. */
static bool confirm(const char *text, const char *fingerprint)
{
    const char *ask = text;
    char answer[256];
    if (ui.conf->batch_mode)
        return false;
    for (;;) {
        struct secret got = {0};
        struct prompt p = {.text = ask, .echo = true};
        if (prompt_ask(&p, &got) != ERR_NONE)
            return false;
        size_t n = 0, i = 0;
        while (i < got.n && isspace(got.p[i]))
            i++;
        for (; i < got.n && n + 1 < sizeof answer; i++)
            answer[n++] = (char)got.p[i];
        while (n > 0 && isspace((unsigned char)answer[n - 1]))
            n--;
        answer[n] = '\0';
        secret_clear(&got);
        if (n == 0 || strcasecmp(answer, "no") == 0)
            return false;
        if (strcasecmp(answer, "yes") == 0 || strcmp(answer, fingerprint) == 0)
            return true;
        ask = "Please type 'yes', 'no' or the fingerprint: ";
    }
}

static void ask_person(const struct look *l)
{
    struct wr w = wr_heap(65536);
    wr_textf(&w, "The authenticity of host '%.200s (%s)' can't be established.\n", l->host,
             ui.proxied ? "<no hostip for proxy command>" : hosts_address() ? hosts_address() : "");
    wr_textf(&w, "%s key fingerprint is %s.\n", l->type, l->fingerprint);
    if (ui.conf->visual_host_key) {
        art(l, &w);
        wr_text(&w, "\n");
    }
    if (ui.conf->verify_host_key_dns != CONF_NO)
        wr_textf(&w, "%s host key fingerprint found in DNS.\n", l->dns == DNS_MATCHES || l->dns == DNS_MATCHES_SECURELY ? "Matching" : "No matching");
    other_names(l, &w);
    wr_text(&w, "Are you sure you want to continue connecting (yes/no/[fingerprint])? ");
    wr_u8(&w, 0);
    if (w.err != ERR_NONE || !confirm((const char *)w.p, l->fingerprint))
        refuse();
    wr_clear(&w);
}

/* The name without its port: a host on another port than 22 may be known by that. NULL: not here. */
const char *bare_name(void)
{
    static struct wr name;
    if (ui.conf->host_key_alias || ui.conf->port == 22)
        return NULL;
    if (!name.n) {
        name = wr_heap(KNOWN_HOST_MAX + 1);
        known_host_write(&name, bytes_str(ui.conf->hostname), 0);
        wr_u8(&name, 0);
    }
    return name.err ? NULL : (const char *)name.p;
}

static bool known_without_port(const struct look *l)
{
    struct known_found found = {0};
    const char *name = bare_name();
    if (!name)
        return false;
    debug1("checking without port identifier");
    struct known_query q = {.host = bytes_str(name), .blob = pubkey_blob(l->key)};
    for (size_t i = 0; i < l->files->n; i++)
        known_search(secret_bytes(&l->files->text[i]), (unsigned)i, &q, &found);
    if (found.revoked_n)
        revoked(l);
    if (found.same_n) {
        debug1("found matching key w/out port");
        if (found.same[0].file >= l->files->user_n)
            no_updates(place_name(l, found.same[0].file));
    }
    return found.same_n > 0;
}

static void new_host(const struct look *l)
{
    int strict = ui.conf->strict_host_key_checking;
    if (known_without_port(l))
        return;
    if (strict == SSH_STRICT_YES) {
        say(CONF_LOG_ERROR, "No %s host key is known for %.200s and you have requested strict checking.", l->type, l->host);
        refuse();
    }
    if (strict == SSH_STRICT_ASK)
        ask_person(l);
    else
        no_updates("a key nobody has looked at");
    const char *address = l->address && strcmp(l->address, l->host) != 0 && !l->found.address_same && !l->found.address_other
                          ? l->address : NULL;
    if (hosts_add(l->host, address, l->key))
        say(CONF_LOG_INFO, "Warning: Permanently added '%.200s%s%s' (%s) to the list of known hosts.", l->host, address ? "," : "",
            address ? address : "", l->type);
    else if (l->files->user_n > 0)
        say(CONF_LOG_ERROR, "Failed to add the host to the list of known hosts (%.500s).", l->files->path[0]);
}

/* ---- the whole ---- */

static bool is_loopback(void)
{
    struct in6_addr six;
    return strncmp(ui.address, "127.", 4) == 0
           || (inet_pton(AF_INET6, ui.address, &six) == 1 && memcmp(&six, &in6addr_loopback, sizeof six) == 0);
}

static void texts_search(struct look *l)
{
    struct known_query q = {.host = bytes_str(l->host), .address = bytes_str(l->address), .blob = pubkey_blob(l->key)};
    for (size_t i = 0; i < l->files->n; i++)
        known_search(secret_bytes(&l->files->text[i]), (unsigned)i, &q, &l->found);
    q.address = (struct bytes){0};
    known_search(secret_bytes(&l->command), FROM_COMMAND, &q, &l->found);
    q.address = bytes_str(l->address);
    q.host = (struct bytes){0};
    known_search(secret_bytes(&l->address_command), FROM_ADDRESS_COMMAND, &q, &l->found);
}

/* What DNS says never replaces the check but where the user wants just that and the answer was proven by DNSSEC. */
static bool vouched_by_dns(struct look *l)
{
    if (ui.conf->verify_host_key_dns == CONF_NO)
        return false;
    l->dns = dns_verify(l->key);
    if (l->dns == DNS_DIFFERS) {
        warn_changed(l);
        say(CONF_LOG_ERROR, "Update the SSHFP RR in DNS with the new host key to get rid of this message.");
    }
    if (ui.conf->verify_host_key_dns != CONF_YES || l->dns != DNS_MATCHES_SECURELY)
        return false;
    texts_search(l);
    if (l->found.revoked_n)         /* OpenSSH would not look */
        revoked(l);
    no_updates("DNS vouches for the host key");
    return true;
}

static void look_end(struct look *l)
{
    secret_clear(&l->command);
    secret_clear(&l->address_command);
}

/* Comes back only if the host is to be trusted. `shown`: the key or certificate it showed. */
static void judge(const struct pubkey *shown)
{
    const struct cert *cert = pubkey_cert(shown);
    CLEANUP(look_end) struct look l = {.key = pubkey_plain(shown), .host = hosts_name(), .files = hosts_read()};
    struct wr w = wr_span((struct span){(uint8_t *)l.fingerprint, sizeof l.fingerprint - 1});
    l.type = pubkey_short_name(l.key);
    fingerprint_write(&w, pubkey_blob(l.key), fingerprint_how());
    if (cert)
        certificate_show(&l, cert);
    else
        debug1("Server host key: %s %s", pubkey_type(l.key), l.fingerprint);
    revocation_check(&l, shown);
    if (vouched_by_dns(&l))
        return;
    if (ui.conf->no_host_authentication_for_localhost && !ui.proxied && is_loopback()) {
        debug1("Forcing accepting of host key for loopback/localhost.");
        no_updates("localhost");
        return;
    }
    if (ui.conf->host_key_alias || !hosts_address() || is_loopback())
        ui.conf->check_host_ip = false;         /* for UpdateHostKeys, too */
    if (ui.conf->check_host_ip)
        l.address = hosts_address();
    hosts_command("HOSTNAME", l.host, shown, &l.command);
    if (cert && certificate_trusted(&l, cert))
        return;
    if (l.address)
        hosts_command("ADDRESS", l.address, shown, &l.address_command);
    texts_search(&l);
    if (l.found.revoked_n)
        revoked(&l);
    else if (l.found.same_n)
        known(&l);
    else if (l.found.changed_n || l.found.other_type_n)
        changed(&l);
    else
        new_host(&l);
}

static void key_drop(struct pubkey **k)
{
    pubkey_free(*k);
}

/* RequiredRSASize guards host keys too. */
static void size_check(const struct pubkey *key)
{
    if (strcmp(pubkey_type(key), "ssh-rsa") == 0 && pubkey_bits(key) < ui.conf->required_rsa_size_bits) {
        say(CONF_LOG_ERROR, "Bad server host key: Invalid key length");
        refuse();
    }
}

void hostkey_check(const struct cm_hostkey *h)
{
    CLEANUP(key_drop) struct pubkey *key = NULL;
    const struct sig_alg *alg = sig_alg_find(h->alg);
    bool offered = names_has(bytes_str(ui.conf->host_key_algorithms), h->alg);
    struct cm_hostkey_ok yes = {1};
    if (!alg || !offered || h->hash.n < 32 || pubkey_parse_any(h->blob, &key) != ERR_NONE || strcmp(pubkey_type(key), alg->key_type) != 0
        || pubkey_verify_facts(key, alg, h->hash, h->sig, NULL) != VERDICT_GOOD)
        fatal("%s: signature incorrect", "Host key");
    size_check(pubkey_plain(key));
    if (ui.session_id_n > 0) {      /* a rekey: the same host, and the first hash stays the session id */
        if (!bytes_equal(h->blob, secret_bytes(&ui.hostkey)))
            judge(key);
    } else {
        ui.host_trusted = true;
        judge(key);
        memcpy(ui.session_id, h->hash.p, h->hash.n);
        ui.session_id_n = h->hash.n;
        ui.state = CM_AT_AUTH;
        if (secret_copy(&ui.hostkey, h->blob) != ERR_NONE || secret_copy(&ui.hostkey_sig, h->sig) != ERR_NONE)
            fatal("out of memory");
        agent_forward_plan();
        auth_prepare();             /* ahead of the answer: it leaves in one flight with NEWKEYS */
    }
    link_send(CM_HOSTKEY_OK, &yes, NULL, 0);
}
