/* SPDX-License-Identifier: ISC */
/* The command line. An option is a row: a letter and the keyword it sets, or a function where there is more to it. Options set before
 * any file is read; as the first value wins, they win. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf/destination.h"
#include "conf/parse.h"
#include "ui.h"

void usage(void)
{
    fputs("usage: ssh [-46AaCfGgKkMNnqsTtVvXxYyZ] [-B bind_interface] [-b bind_address]\n"
          "           [-c cipher_spec] [-D [bind_address:]port] [-E log_file]\n"
          "           [-e escape_char] [-F configfile] [-I pkcs11] [-i identity_file]\n"
          "           [-J destination] [-L address] [-l login_name] [-m mac_spec]\n"
          "           [-O ctl_cmd] [-o option] [-P tag] [-p port] [-R address]\n"
          "           [-S ctl_path] [-W host:port] [-w local_tun[:remote_tun]]\n"
          "           destination [command [argument ...]]\n"
          "       ssh [-Q query_option]\n", stderr);
    exit(EXIT_OWN_ERROR);
}

static void set(const char *keyword, const char *value)
{
    if (ssh_conf_set(ui.conf, ui.world, keyword, value) != ERR_NONE)
        exit(EXIT_OWN_ERROR);
}

/* ---- options that are more than a keyword ---- */

static void option_dump(const char *arg)
{
    (void)arg;
    ui.dump = true;
}

static void option_version(const char *arg)
{
    (void)arg;
    version_show();
    exit(0);
}

static void option_query(const char *arg)
{
    query_run(arg);
}

/* Unlike other options these two go by the last one. */
static void level_set(int level)
{
    set("loglevel", "INFO");
    ui.conf->log_level = level;
}

static void option_verbose(const char *arg)
{
    (void)arg;
    level_set(!ui.verbosity ? CONF_LOG_DEBUG1 : ui.conf->log_level < CONF_LOG_DEBUG3 ? ui.conf->log_level + 1 : CONF_LOG_DEBUG3);
    ui.verbosity++;
}

static void option_quiet(const char *arg)
{
    (void)arg;
    level_set(CONF_LOG_QUIET);
}

static void option_tty(const char *arg)
{
    (void)arg;
    ui.tty_asked++;
}

static void option_background(const char *arg)
{
    (void)arg;
    set("forkafterauthentication", "yes");
    set("stdinnull", "yes");
}

static void option_config(const char *arg)
{
    ui.config_file = arg;
}

static void option_log(const char *arg)
{
    ui.log_file = arg;
}

static void option_option(const char *arg)
{
    if (ssh_conf_option(ui.conf, ui.world, arg) != ERR_NONE)
        exit(EXIT_OWN_ERROR);
}

static void option_identity(const char *arg)
{
    if (arg[0] != '~' && access(arg, F_OK) != 0)
        fprintf(stderr, "Warning: Identity file %s not accessible: %s.\n", arg, strerror(errno));
    else
        set("identityfile", arg);
}

/* Set a keyword; where its value is refused, in the option's own words. */
static void set_or(const char *keyword, const char *arg, const char *fmt)
{
    void (*said)(void *, enum conf_say, const char *) = ui.world->say;
    ui.world->say = NULL;
    bool ok = ssh_conf_set(ui.conf, ui.world, keyword, arg) == ERR_NONE;
    ui.world->say = said;
    if (ok)
        return;
    if (*keyword == 'p')
        fatal("%s", fmt);
    fprintf(stderr, "%s '%s'%s\n", fmt, arg, *keyword == 'e' ? "." : "");
    exit(EXIT_OWN_ERROR);
}

static void option_cipher(const char *arg)
{
    set_or("ciphers", arg, "Unknown cipher type");
}

static void option_mac(const char *arg)
{
    set_or("macs", arg, "Unknown mac type");
}

static void option_escape(const char *arg)
{
    set_or("escapechar", arg, "Bad escape character");
}

static void option_subsystem(const char *arg)
{
    (void)arg;
    set("sessiontype", "subsystem");
}

static void option_port(const char *arg)
{
    uint64_t port;
    if (text_to_u64(bytes_str(arg), 65535, &port) != ERR_NONE || port == 0) {
        fprintf(stderr, "Bad port '%s'\n", arg);
        exit(EXIT_OWN_ERROR);
    }
    set("port", arg);
}

static void end_write(struct wr *w, const char *host, const char *path, uint16_t port)
{
    if (path)
        wr_textf(w, "%s", path);
    else if (host)
        wr_textf(w, "[%s]:%u", host, port);
    else
        wr_textf(w, "%u", port);
}

static void forward(const char *keyword, const char *what, const char *arg, bool remote)
{
    struct conf_forward f;
    struct wr w = wr_heap(8192);
    char *storage = malloc(strlen(arg) + 8);
    if (!storage || conf_forward_parse(arg, false, remote, storage, &f) != ERR_NONE) {
        fprintf(stderr, "Bad %s forwarding specification '%s'\n", what, arg);
        exit(EXIT_OWN_ERROR);
    }
    wr_textf(&w, "%s ", keyword);
    end_write(&w, f.listen_host, f.listen_path, f.listen_port);
    wr_text(&w, " ");
    end_write(&w, f.connect_host, f.connect_path, f.connect_port);
    wr_u8(&w, 0);
    if (w.err == ERR_NONE)
        option_option((const char *)w.p);
    wr_clear(&w);
    free(storage);
}

static void option_local(const char *arg)
{
    forward("LocalForward", "local", arg, false);
}

static void option_remote(const char *arg)
{
    forward("RemoteForward", "remote", arg, true);
}

static void option_stdio_forward(const char *arg)
{
    struct bytes host, port;
    uint64_t number;
    if (ui.use_stdio_forward)
        fatal("stdio forward already specified");
    if (host_port_parse(bytes_str(arg), &host, &port) != ERR_NONE || text_to_u64(port, 65535, &number) != ERR_NONE || number == 0
        || bytes_to_str(host, ui.stdio_host, sizeof ui.stdio_host) != ERR_NONE) {
        fprintf(stderr, "Bad stdio forwarding specification '%s'\n", arg);
        exit(EXIT_OWN_ERROR);
    }
    ui.use_stdio_forward = true;
    ui.stdio_port = (uint16_t)number;
    set("requesttty", "no");
    set("sessiontype", "none");
    set("exitonforwardfailure", "yes");
    set("clearallforwardings", "yes");
}

static void refuse(const char *what)
{
    fprintf(stderr, "ssh: %s is not supported\r\n", what);
    exit(EXIT_OWN_ERROR);
}

static void option_jump(const char *arg)
{
    if (ssh_conf_is_set(ui.conf, "proxyjump"))
        fatal("Only a single -J option is permitted (use commas to separate multiple jump hops)");
    if (ssh_conf_is_set(ui.conf, "proxycommand"))
        fatal("Cannot specify -J with ProxyCommand");
    set_or("proxyjump", arg, "Invalid -J argument");
}

static void option_dynamic(const char *arg)
{
    (void)arg;
    refuse("-D (dynamic forwarding)");
}

static void option_tunnel(const char *arg)
{
    (void)arg;
    refuse("-w (tunnel forwarding)");
}

static void option_control(const char *arg)
{
    (void)arg;
    refuse("-O (multiplexing)");
}

static void option_obsolete(const char *arg)
{
    (void)arg;
    fatal("SSH protocol v.1 is no longer supported");
}

static void option_nothing(const char *arg)
{
    (void)arg;
}

/* ---- the table ---- */

struct option_row {
    char letter;
    bool has_arg;
    const char *keyword;        /* set to value, or to the argument where value is NULL */
    const char *value;
    void (*run)(const char *arg);
};

static const struct option_row rows[] = {
    {'1', false, NULL, NULL, option_obsolete}, {'2', false, NULL, NULL, option_nothing},
    {'4', false, "addressfamily", "inet", NULL}, {'6', false, "addressfamily", "inet6", NULL},
    {'A', false, "forwardagent", "yes", NULL}, {'a', false, "forwardagent", "no", NULL},
    {'B', true, "bindinterface", NULL, NULL}, {'b', true, "bindaddress", NULL, NULL},
    {'C', false, "compression", "yes", NULL}, {'c', true, NULL, NULL, option_cipher},
    {'D', true, NULL, NULL, option_dynamic}, {'E', true, NULL, NULL, option_log},
    {'e', true, NULL, NULL, option_escape}, {'F', true, NULL, NULL, option_config},
    {'f', false, NULL, NULL, option_background}, {'G', false, NULL, NULL, option_dump},
    {'g', false, "gatewayports", "yes", NULL}, {'I', true, "pkcs11provider", NULL, NULL},
    {'i', true, NULL, NULL, option_identity}, {'J', true, NULL, NULL, option_jump},
    {'K', false, "gssapiauthentication", "yes", NULL}, {'k', false, "gssapidelegatecredentials", "no", NULL},
    {'L', true, NULL, NULL, option_local}, {'l', true, "user", NULL, NULL},
    {'M', false, "controlmaster", "yes", NULL}, {'m', true, NULL, NULL, option_mac},
    {'N', false, "sessiontype", "none", NULL}, {'n', false, "stdinnull", "yes", NULL},
    {'O', true, NULL, NULL, option_control}, {'o', true, NULL, NULL, option_option},
    {'P', true, "tag", NULL, NULL}, {'p', true, NULL, NULL, option_port},
    {'Q', true, NULL, NULL, option_query}, {'q', false, NULL, NULL, option_quiet},
    {'R', true, NULL, NULL, option_remote}, {'S', true, "controlpath", NULL, NULL},
    {'s', false, NULL, NULL, option_subsystem}, {'T', false, "requesttty", "no", NULL},
    {'t', false, NULL, NULL, option_tty}, {'V', false, NULL, NULL, option_version},
    {'v', false, NULL, NULL, option_verbose}, {'W', true, NULL, NULL, option_stdio_forward},
    {'w', true, NULL, NULL, option_tunnel}, {'X', false, "forwardx11", "yes", NULL},
    {'x', false, "forwardx11", "no", NULL}, {'Y', false, "forwardx11trusted", "yes", NULL},
    {'y', false, NULL, NULL, option_nothing}, {'Z', false, NULL, NULL, option_nothing}};

static const struct option_row *row_find(int letter)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].letter == letter)
            return &rows[i];
    return NULL;
}

static void option_apply(const struct option_row *row, const char *arg)
{
    if (row->run)
        row->run(arg);
    else
        set(row->keyword, row->value ? row->value : arg);
}

/* Options up to the first other word. Returns the index of that word. */
static int options_run(int argc, char **argv)
{
    static char letters[2 * COUNT_OF(rows) + 3];
    int c;
    if (!letters[0]) {
        char *p = letters;
        *p++ = '+';         /* stop at the first word that is no option */
        *p++ = ':';         /* say errors ourselves */
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            *p++ = rows[i].letter;
            if (rows[i].has_arg)
                *p++ = ':';
        }
    }
    optind = 0;
    while ((c = getopt(argc, argv, letters)) != -1) {
        const struct option_row *row = row_find(c);
        if (!row) {
            fprintf(stderr, c == ':' ? "option requires an argument -- %c\r\n" : "unknown option -- %c\r\n", optopt);
            usage();
        }
        option_apply(row, optarg);
    }
    return optind;
}

static void destination(const char *text)
{
    static struct destination d;
    char port[8];
    if (destination_parse(text, &d) != ERR_NONE) {
        const char *at = strrchr(text, '@');
        if (strncmp(text, "ssh://", 6) == 0 || *text == '\0')
            usage();
        fatal(at && host_valid(at + 1) ? "remote username contains invalid characters" : "hostname contains invalid characters");
    }
    ui.host_arg = d.host;
    if (d.user[0] && !ssh_conf_is_set(ui.conf, "user"))
        set("user", d.user);
    if (d.port && !ssh_conf_is_set(ui.conf, "port")) {
        snprintf(port, sizeof port, "%u", d.port);
        set("port", port);
    }
}

static void command_join(char **words)
{
    struct wr w = wr_heap(1 << 20);
    for (; *words; words++) {
        if (w.n)
            wr_u8(&w, ' ');
        wr_text(&w, *words);
    }
    wr_u8(&w, 0);
    if (w.err != ERR_NONE)
        fatal("command too long");
    ui.command = (char *)w.p;
}

void options_parse(int argc, char **argv)
{
    int at = options_run(argc, argv);
    while (at < argc && !ui.host_arg) {
        bool ended = at > 1 && strcmp(argv[at - 1], "--") == 0;
        destination(argv[at]);
        if (ended || at + 1 >= argc) {
            at++;
            break;
        }
        /* Options may follow the destination: ssh host -p 22 command */
        at += options_run(argc - at, argv + at);
    }
    if (ui.tty_asked)
        set("requesttty", ui.tty_asked > 1 ? "force" : "yes");
    if (!ui.host_arg)
        usage();
    if (at < argc)
        command_join(argv + at);
}
