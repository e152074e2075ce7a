/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <sys/stat.h>

#include "shell.h"

char *path_join(const char *dir, const char *name)
{
    size_t n = strlen(dir);
    char *path = NULL;
    bool slash = n && dir[n - 1] != '/';
    if (asprintf(&path, "%s%s%s", dir, slash ? "/" : "", name) < 0) path = NULL;
    return must(path);
}

char *path_absolute(const struct shell *s, const char *path)
{
    return path[0] == '/' ? must(strdup(path)) : path_join(s->cwd, path);
}

char *pattern_absolute(const struct shell *s, const char *pattern)
{
    if (pattern[0] == '/') return must(strdup(pattern));
    char *dir = must(words_escape(s->cwd)), *path = path_join(dir, pattern);
    free(dir);
    return path;
}

const char *path_base(char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') path[--n] = 0;
    if (n <= 1) return n ? path : ".";
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

const char *path_without(const char *path, const char *prefix)
{
    size_t n = prefix ? strlen(prefix) : 0;
    if (n == 0 || strncmp(path, prefix, n) != 0) return path;
    if (prefix[n - 1] != '/' && path[n] == '/') n++;
    return path + n;
}

bool local_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}
