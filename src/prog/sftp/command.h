/* SPDX-License-Identifier: ISC */
/* A line at the prompt or in a batch file as a command. One table: a command's word, its flags, what follows. No system calls. */
#ifndef PROG_SFTP_COMMAND_H
#define PROG_SFTP_COMMAND_H

#include "words.h"

enum shape {            /* what follows the flags */
    SHAPE_NONE,
    SHAPE_PATH_OR_NOT,  /* a name */
    SHAPE_GLOB_OR_NOT,  /* a pattern */
    SHAPE_PATH,
    SHAPE_GLOB,
    SHAPE_FROM_TO,      /* a pattern, and perhaps a name */
    SHAPE_TWO,          /* two names */
    SHAPE_NUMBER,       /* octal */
    SHAPE_OCTAL_GLOB,
    SHAPE_DECIMAL_GLOB,
    SHAPE_LINE          /* the rest of the line */
};

/* Which side a path is on, for completion: l local, r remote, - none; one letter each argument. */
#define COMMAND_TABLE(X) \
    X("bye", QUIT, "", NONE, "--") \
    X("cd", CD, "", PATH_OR_NOT, "r-") \
    X("chdir", CD, "", PATH_OR_NOT, "r-") \
    X("chgrp", CHGRP, "h", DECIMAL_GLOB, "-r") \
    X("chmod", CHMOD, "h", OCTAL_GLOB, "-r") \
    X("chown", CHOWN, "h", DECIMAL_GLOB, "-r") \
    X("copy", COPY, "", TWO, "rr") \
    X("cp", COPY, "", TWO, "rr") \
    X("df", DF, "hi", PATH_OR_NOT, "r-") \
    X("dir", LS, "1aSfhlnrt", GLOB_OR_NOT, "r-") \
    X("exit", QUIT, "", NONE, "--") \
    X("get", GET, "afPpRr", FROM_TO, "rl") \
    X("help", HELP, "", NONE, "--") \
    X("lcd", LCD, "", PATH_OR_NOT, "l-") \
    X("lchdir", LCD, "", PATH_OR_NOT, "l-") \
    X("lls", LLS, "", LINE, "l-") \
    X("lmkdir", LMKDIR, "", PATH, "l-") \
    X("ln", LN, "s", TWO, "rr") \
    X("lpwd", LPWD, "", NONE, "--") \
    X("ls", LS, "1aSfhlnrt", GLOB_OR_NOT, "r-") \
    X("lumask", LUMASK, "", NUMBER, "--") \
    X("mget", GET, "afPpRr", FROM_TO, "rl") \
    X("mkdir", MKDIR, "", PATH, "r-") \
    X("mput", PUT, "afPpRr", FROM_TO, "lr") \
    X("progress", PROGRESS, "", NONE, "--") \
    X("put", PUT, "afPpRr", FROM_TO, "lr") \
    X("pwd", PWD, "", NONE, "--") \
    X("quit", QUIT, "", NONE, "--") \
    X("reget", REGET, "afPpRr", FROM_TO, "rl") \
    X("rename", RENAME, "l", TWO, "rr") \
    X("reput", REPUT, "afPpRr", FROM_TO, "lr") \
    X("rm", RM, "", GLOB, "r-") \
    X("rmdir", RMDIR, "", PATH, "r-") \
    X("symlink", SYMLINK, "", TWO, "rr") \
    X("version", VERSION, "", NONE, "--") \
    X("!", SHELL, "", LINE, "--") \
    X("?", HELP, "", NONE, "--")

enum verb {
    VERB_NOTHING, VERB_QUIT, VERB_CD, VERB_CHGRP, VERB_CHMOD, VERB_CHOWN, VERB_COPY, VERB_DF, VERB_LS, VERB_GET, VERB_HELP, VERB_LCD, VERB_LLS,
    VERB_LMKDIR, VERB_LN, VERB_LPWD, VERB_LUMASK, VERB_MKDIR, VERB_PUT, VERB_PROGRESS, VERB_PWD, VERB_REGET, VERB_RENAME, VERB_REPUT, VERB_RM,
    VERB_RMDIR, VERB_SYMLINK, VERB_VERSION, VERB_SHELL, VERB_COUNT
};

struct command_row {
    const char *word;
    enum verb verb;
    const char *flags;
    enum shape shape;
    const char *sides;
};
extern const struct command_row command_rows[];     /* ended by a NULL word */
/* Without regard to letter case; NULL: no such command. */
const struct command_row *command_find(const char *word);

struct command {
    enum verb verb;             /* NOTHING: an empty line or a comment */
    bool ignore_failure;        /* "-" before it */
    bool silent;                /* "@" before it: it is not echoed */
    bool flags[128];            /* by letter */
    char *path, *path2;         /* NULL: not given. In words */
    unsigned long number;
    const char *rest;           /* SHAPE_LINE: in the line given */
    const char *line;           /* the line without its prefixes */
    struct words words;
};

/* Any error: `why` says what is wrong with the line in a sentence ("" for ERR_NOMEM), and the prefixes in *out are set. */
MUST_USE enum err command_parse(const char *line, struct command *out, char *why, size_t cap);
void command_clear(struct command *c);

#endif
