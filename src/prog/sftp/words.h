/* SPDX-License-Identifier: ISC */
/* A command line of sftp as words: quotes, backslashes, comments, in the rules of OpenSSH's sftp. Words stay in the form that a glob takes:
 * what was quoted is behind backslashes. No system calls. */
#ifndef PROG_SFTP_WORDS_H
#define PROG_SFTP_WORDS_H

#include "base/bytes.h"

#define WORDS_MAX 128
#define WORDS_LINE_MAX 65536    /* two paths of 4096 with every byte escaped, and much room */

struct words {
    char *text;                 /* what the words lie in */
    char *v[WORDS_MAX];
    size_t at[WORDS_MAX];       /* where in the line each begins */
    size_t count;
    char quote;                 /* the quote that was open at the end, 0: none */
    bool ended;                 /* a blank or a comment ended the last word: a further one would begin anew */
};

/* ERR_FORMAT: a quote is not closed (unless `open_end`: a line that is being typed); ERR_TOO_LONG: too many words or bytes; ERR_NOMEM. */
MUST_USE enum err words_split(const char *line, bool open_end, struct words *out);
void words_clear(struct words *w);

/* Take the escapes before ? [ * and \ away again, in place: for a word that is a name, not a pattern. */
void words_unescape(char *word);
/* The reverse: a name as a pattern that matches just it. For the caller to free; NULL: out of memory. */
char *words_escape(const char *name);

/* The patterns that {a,b} in a pattern stands for, in order; "{}" is left alone. At most `max`; ERR_BUDGET beyond. */
struct patterns {
    char **v;
    size_t count;
};
MUST_USE enum err braces_expand(const char *pattern, size_t max, struct patterns *out);
void patterns_clear(struct patterns *p);

#endif
