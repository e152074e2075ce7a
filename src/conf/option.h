/* SPDX-License-Identifier: ISC */
/* The one table machinery: an option is a row; its kind knows how to parse and dump a value. Both configurations, their
 * defaults, -o, -G/-T, completion, the man page and the tests are made from these rows. */
#ifndef CONF_OPTION_H
#define CONF_OPTION_H

#include "base/text.h"
#include "conf/parse.h"
#include "conf/world.h"
#include "pool.h"

/* An option line on its way into a configuration. */
struct line {
    const char *file;
    unsigned number;
    const char *keyword;            /* as messages name it: lower case in the client, as written in the server */
    const char **word;              /* the words after the keyword */
    size_t words, used;
    const char *rest;               /* the same, unsplit */
    struct pool *pool;
    const struct conf_world *world;
    bool server;
    bool fresh;                     /* first line of a list that later lines add to */
    bool preset;                    /* not from a user: the row's default */
    bool in_match;                  /* server: below a Match line */
};

struct option;

struct kind {
    size_t size, size2;             /* of the field(s), for copying a value */
    /* Take words from the line into the field(s) of `conf`. ERR_USAGE: said why. */
    enum err (*parse)(struct line *l, const struct option *o, void *conf);
    /* Write "keyword value\n" lines; nothing where OpenSSH prints nothing. */
    void (*dump)(const struct option *o, const void *conf, struct wr *out);
    /* The default where it is no text (algorithm lists). May be NULL. */
    enum err (*fill)(struct line *l, const struct option *o, void *conf);
};

enum {
    OPT_MATCH = 1,          /* server: allowed in Match */
    OPT_APPEND = 2,         /* every line adds; otherwise the first wins */
    OPT_REST = 4,           /* the value is the rest of the line, not words */
    OPT_NONE_NULL = 8,      /* "none" is NULL or an empty list */
    OPT_SILENT = 16,        /* not dumped */
    OPT_SHOW_NONE = 32,     /* dumped as "none" when empty */
    OPT_ONE_LINE = 64,      /* a list dumped on one line */
    OPT_DUMP_AS = 128       /* dumped under the name in arg: OpenSSH's spelling differs */
};

/* What happens to an option whose effect is not built (issue: the last rule of the programs). */
enum built {
    BUILT,
    LESS,       /* its loss only removes a feature: one warning, go on */
    ABSENT,     /* the same, in the words of an OpenSSH that was built without it (GSSAPI, Kerberos) */
    MORE        /* its loss would admit or permit more: refused */
};

struct word {
    const char *text;
    int value;
};
struct words {
    const struct word *word;
    const char *bad_before, *bad_after;     /* around the bad word in the message; NULL: unsupported option "x". */
};

struct option {
    const char *name;               /* as documented: "PermitRootLogin" */
    const struct kind *kind;
    size_t at, at2;                 /* field(s) in the configuration */
    const char *preset;             /* default, as one would write it; NULL: zero, or kind->fill */
    unsigned flags;
    enum built built;
    const void *arg;                /* what the kind needs: words, lists */
    int64_t min, max;
    const char *help;
};

struct alias {
    const char *name, *stands_for;  /* NULL: deprecated, taken and ignored; "": unsupported, said so */
};

struct table {
    const struct option *rows;
    size_t n;
    const struct alias *aliases;
    size_t alias_n;
    size_t conf_size;
    bool server;
};
extern const struct table ssh_table, sshd_table;

#define FIELD(conf, type, at) ((type *)(void *)((char *)(conf) + (at)))
#define FIELD_CONST(conf, type, at) ((const __typeof__(type) *)(const void *)((const char *)(conf) + (at)))

/* What stands behind a configuration. */
struct conf_priv {
    struct pool *pool;
    bool *set;                      /* per row */
    bool *warned;
    void *scratch;                  /* a configuration for values that do not count */
};

/* ---- lines (line.c) ---- */
void conf_tell(const struct conf_world *w, enum conf_say what, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A folder that the pattern of an Include matches: it is left out, with a line for who looks closely. */
bool conf_is_folder(const struct conf_world *w, const char *path);
/* Why a configuration file could not be read, in words for it. */
const char *conf_file_error(enum err e);
/* Say "FILE line N: text" and return ERR_USAGE. */
enum err option_bad(const struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The next word, or NULL. */
const char *option_word(struct line *l);
/* The next word; without one an error is said. */
enum err option_need(struct line *l, const char **out);
/* Divide a text line into keyword and rest: *keyword is empty for blank lines and comments. ERR_FORMAT: holds a NUL. */
enum err option_split(struct bytes text, struct pool *pool, char **keyword, char **rest);
/* Words of l->rest into l->word. */
enum err option_words(struct line *l);
enum err conf_texts_add(struct pool *p, struct conf_texts *t, const char *s);
bool conf_word_is(const char *a, const char *b);     /* equal, any letter case */

/* ---- tables (table.c) ---- */
const struct option *options_find(const struct table *t, const char *name);
const struct alias *options_alias(const struct table *t, const char *name);
enum err conf_priv_new(const struct table *t, struct pool *parent, struct conf_priv **out);
void conf_priv_free(struct conf_priv *p);
/* One line into a configuration. active: it counts; else it is only checked. */
enum err options_apply(const struct table *t, void *conf, struct conf_priv *priv, const struct option *o, struct line *l, bool active);
/* Default of one row, of all unset rows. */
/* Warn of, or refuse, what has no effect here; a value that asks for nothing is passed over. */
enum err options_check_built(const struct table *t, const void *conf, struct conf_priv *priv, const struct option *o, const struct line *l);
enum err options_fill_row(const struct table *t, void *conf, struct conf_priv *priv, const struct option *o, const struct conf_world *w);
enum err options_fill(const struct table *t, void *conf, struct conf_priv *priv, const struct conf_world *w);
/* Copy what is set in `from` over `to`. */
void options_copy_set(const struct table *t, void *to, struct conf_priv *to_priv, const void *from, const struct conf_priv *from_priv);
void options_dump(const struct table *t, const void *conf, struct wr *out);
void options_list(const struct table *t, struct wr *out);
/* Say what an unknown or retired keyword deserves. ERR_NONE: it is to be ignored. */
enum err options_unknown(const struct table *t, struct line *l, const char *ignore);
void option_dump_name(const struct option *o, struct wr *out);
void option_dump_value(const struct option *o, const char *text, struct wr *out);          /* "name text\n" */
void option_dump_text_field(const struct option *o, const void *conf, struct wr *out);     /* the same of a text field */

/* ---- kinds ---- */
extern const struct kind kind_flag, kind_word, kind_number, kind_port, kind_time, kind_mask, kind_text, kind_path, kind_texts, kind_list,
    kind_command, kind_log_level, kind_facility, kind_fingerprint, kind_addendum;               /* kind_basic.c, kind_text.c */
extern const struct kind kind_algs;                                                             /* kind_algs.c; arg: struct algs_arg */
extern const struct kind kind_rekey, kind_ipqos, kind_set_env, kind_channel_timeout;            /* kind_shared.c */
extern const struct kind kind_forward, kind_escape, kind_add_keys, kind_forward_agent, kind_persist, kind_cnames, kind_domains,
    kind_send_env, kind_remote_open, kind_obscure, kind_tunnel_device, kind_jump, kind_identity;    /* kind_ssh.c */
extern const struct kind kind_ports, kind_listen, kind_exempt, kind_users, kind_methods, kind_subsystem, kind_startups, kind_net_block, kind_penalties,
    kind_permits, kind_user_env, kind_pubkey_options, kind_max_per_source, kind_paths, kind_absolute_command;  /* kind_sshd.c, kind_sshd_lists.c */

enum algs_which { ALGS_CIPHERS, ALGS_MACS, ALGS_KEX, ALGS_KEYS, ALGS_CA };
struct algs_arg {
    enum algs_which which;
    bool server;
};

/* Small parsers shared by kinds. */
enum err option_number(struct line *l, const char *word, int64_t min, int64_t max, int64_t *out);
enum err option_words_find(struct line *l, const struct words *ws, int *out);     /* the next word, looked up */
const char *option_words_name(const struct words *ws, int value);
enum err option_path(struct line *l, const char *word, const char **out);
const struct conf_algs *conf_world_algs(const struct conf_world *w);

#endif
