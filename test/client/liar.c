/* SPDX-License-Identifier: ISC */
/* Stands as `ssh-dns` beside ssh: writes the file `answer` of its own folder to its standard output, and ends with the number in the file
 * `status`. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static FILE *beside(const char *name)
{
    char path[PATH_MAX + 20];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);
    while (n > 0 && path[n - 1] != '/')
        n--;
    snprintf(path + n, 20, "%s", name);
    return fopen(path, "r");
}

int main(void)
{
    FILE *answer = beside("answer"), *status = beside("status");
    int c, end = 1;
    if (!answer || !status || fscanf(status, "%d", &end) != 1)
        return 99;
    while ((c = fgetc(answer)) != EOF)
        putchar(c);
    return end;
}
