/* SPDX-License-Identifier: ISC */
/* get and put: which file goes where; kit/copy carries them. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "shell.h"

static bool recursive(const struct shell *s, const struct command *c)
{
    return s->options->recursive || c->flags['r'] || c->flags['R'];
}

static struct copy *copy_begin(struct shell *s, const struct command *c, bool resume)
{
    const struct options *o = s->options;
    struct copy_setup setup = {
        .prefix = "", .recursive = recursive(s, c), .preserve = o->preserve || c->flags['p'] || c->flags['P'],
        .resume = resume, .resume_trust = resume, .verify = o->verify, .atomic = o->atomic, .fsync = o->fsync || c->flags['f'],
        .requests = o->requests, .buffer = o->buffer, .limit_kbit = o->limit_kbit, .progress = s->progress,
        .tell_folders = true, .stop = &interrupted,
    };
    bool get = c->verb == VERB_GET || c->verb == VERB_REGET;
    setup.from = get ? s->link : NULL;
    setup.to = get ? NULL : s->link;
    return must(copy_new(&setup));
}

static bool resumes(const struct shell *s, const struct command *c)
{
    return s->options->resume || c->flags['a'] || c->verb == VERB_REGET || c->verb == VERB_REPUT;
}

static int copy_end(struct shell *s, struct copy *copy)
{
    struct copy_outcome out = {0};
    enum err e = copy_run(copy, &out);
    copy_free(copy);
    if (e != ERR_NONE) line_broke(s, e);
    return out.failed || out.stopped ? -1 : 0;
}

static void job_add(struct copy *copy, const struct copy_job *job)
{
    if (copy_add(copy, job) != ERR_NONE) (void)must(NULL);
}

/* ".." and "/" have no name of their own: what is in them is copied into the target. */
static const char *target_name(char *path)
{
    const char *name = path_base(path);
    return strcmp(name, "..") == 0 || strcmp(name, "/") == 0 ? "." : name;
}

/* ---- get ---- */

/* A whole folder is fetched under its real name, as it is told then. */
static char *source_name(struct shell *s, const struct command *c, const char *path, bool dir)
{
    uint32_t status = SSH_FX_OK;
    char *real = NULL;
    if (!dir || !recursive(s, c)) return must(strdup(path));
    enum err e = link_realpath(s->link, path, &status, &real);
    if (e != ERR_NONE) line_broke(s, e);
    return real ? real : must(strdup(path));
}

/* A match becomes a job; false: it cannot. `typed`: the path as the user wrote it, when it is no pattern. */
static bool get_add(struct shell *s, const struct command *c, struct copy *copy, const char *path, const struct sftp_attrs *known, const char *typed,
                    bool into)
{
    struct sftp_attrs a = {0};
    bool chosen = strcmp(path, typed) != 0, found = remote_match_attrs(s, path, known, &a);
    if (!found) {
        fail("File \"%s\" not found.", path);
        return false;
    }
    bool dir = attrs_dir(&a);
    char *copy_of = must(strdup(path)), *shown = dir && path[strlen(path) - 1] != '/' ? path_join(path, "") : must(strdup(path));
    char *from = source_name(s, c, shown, dir);
    const char *name = target_name(copy_of);
    bool good = !chosen || sftp_name_plain(bytes_str(name));
    char *to = !c->path2 ? must(strdup(name)) : into ? path_join(c->path2, name) : must(strdup(c->path2));
    if (!good) fail("\"%s\" is not a name that a file here can have", path);
    else if (!s->quiet) tell(resumes(s, c) ? "Resuming %s to %s" : "Fetching %s to %s", shown, to);
    if (good) job_add(copy, &(struct copy_job){.from = from, .to = to, .attrs = &a, .to_chosen = chosen && (!c->path2 || into)});
    free(copy_of);
    free(shown);
    free(from);
    free(to);
    return good;
}

/* The matches of a pattern; false: there are none, or too many, which was told. */
static bool get_glob(struct shell *s, const char *pattern, struct link_glob *out)
{
    enum err e = link_glob(s->link, pattern, false, out);
    if (e != ERR_NONE && e != ERR_BUDGET) line_broke(s, e);
    if (e == ERR_BUDGET) fail("Too many matches for \"%s\".", pattern);
    else if (out->count == 0) fail("File \"%s\" not found.", pattern);
    return e == ERR_NONE && out->count;
}

int transfer_get(struct shell *s, const struct command *c)
{
    struct link_glob g = {0};
    char *pattern = pattern_absolute(s, c->path), *typed = must(strdup(pattern));
    bool into = c->path2 && local_is_dir(c->path2);
    int status = -1;
    words_unescape(typed);
    if (!get_glob(s, pattern, &g)) {
        status = -1;
    } else if (g.count > 1 && c->path2 && !into) {
        fail("Multiple source paths, but destination \"%s\" is not a directory", c->path2);
    } else {
        struct copy *copy = copy_begin(s, c, resumes(s, c));
        status = 0;
        for (size_t i = 0; i < g.count && !interrupted; i++)
            if (!get_add(s, c, copy, g.paths[i], &g.attrs[i], typed, into)) status = -1;
        if (copy_end(s, copy) != 0) status = -1;
    }
    link_glob_done(&g);
    free(pattern);
    free(typed);
    return status;
}

/* ---- put ---- */

static bool put_add(struct shell *s, const struct command *c, struct copy *copy, char *path, const char *target, bool into)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fail("stat %s: %s", path, strerror(errno));
        return false;
    }
    size_t n = strlen(path);
    while (n > 2 && path[n - 1] == '/' && path[n - 2] == '/') path[--n] = 0;    /* glob's mark behind one that was typed */
    char *copy_of = must(strdup(path));
    const char *name = target_name(copy_of);
    char *to = !target ? path_absolute(s, name) : into ? path_join(target, name) : must(strdup(target));
    if (!s->quiet) tell(resumes(s, c) ? "Resuming upload of %s to %s" : "Uploading %s to %s", path, to);
    job_add(copy, &(struct copy_job){.from = path, .to = to});
    free(copy_of);
    free(to);
    return true;
}

int transfer_put(struct shell *s, const struct command *c)
{
    char *target = c->path2 ? path_absolute(s, c->path2) : NULL;
    bool into = target && remote_is_dir(s, target);
    int status = -1;
    glob_t g = {0};
    if (glob(c->path, GLOB_NOCHECK | GLOB_MARK, NULL, &g) != 0) {
        fail("File \"%s\" not found.", c->path);
    } else if (g.gl_pathc > 1 && target && !into) {
        fail("Multiple paths match, but destination \"%s\" is not a directory", target);
    } else {
        struct copy *copy = copy_begin(s, c, resumes(s, c));
        status = 0;
        for (size_t i = 0; i < g.gl_pathc && !interrupted; i++)
            if (!put_add(s, c, copy, g.gl_pathv[i], target, into)) status = -1;
        if (copy_end(s, copy) != 0) status = -1;
    }
    globfree(&g);
    free(target);
    return status;
}
