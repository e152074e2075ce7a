/* SPDX-License-Identifier: ISC */
#include "criteria.h"

/* "=", "=arg", "arg" behind the name, or what followed '=' in the name's own word */
static const char *take_arg(struct line *l, const char *joined)
{
    const char *arg = joined && *joined ? joined : option_word(l);
    if (!joined && arg && arg[0] == '=') arg = arg[1] ? arg + 1 : option_word(l);
    return arg;
}

enum err criteria_next(struct line *l, const struct criterion_row *rows, struct criterion *out, size_t *row)
{
    const char *word = option_word(l);
    if (!word) return ERR_NOT_FOUND;
    struct criterion c = {.negated = word[0] == '!'};
    if (c.negated) word++;
    size_t n = strcspn(word, "=");
    const char *joined = word[n] ? word + n + 1 : NULL;
    c.name = conf_pool_text(l->pool, bytes_of(word, n));
    if (!c.name) return ERR_NOMEM;
    size_t i = 0;
    while (rows[i].name && !conf_word_is(rows[i].name, c.name)) i++;
    if (rows[i].name && !rows[i].has_arg) {
        *out = c, *row = i;
        return ERR_NONE;
    }
    c.arg = take_arg(l, joined);
    if (!c.arg) {
        conf_tell(l->world, CONF_SAY_ERROR, "Missing Match criteria for %s", c.name);
        return ERR_USAGE;
    }
    if (!rows[i].name) {
        conf_tell(l->world, CONF_SAY_ERROR, "Unsupported Match attribute %s", c.name);
        return ERR_USAGE;
    }
    *out = c, *row = i;
    return ERR_NONE;
}
