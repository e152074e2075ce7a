/* SPDX-License-Identifier: ISC */
/* The kept corpora through every target, in any build: `replay CORPUS_DIR`. `replay --seed DIR` writes the seeds that targets make
 * of valid messages; `replay --list` names the targets. */
#include <dirent.h>
#include <sys/stat.h>

#include "tap.h"
#include "targets.h"

#define INPUT_MAX 1048576

static bool run_file(const struct fuzz_target *t, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = f ? malloc(INPUT_MAX) : NULL;
    if (p) {
        size_t n = fread(p, 1, INPUT_MAX, f);
        uint8_t *exact = malloc(n ? n : 1);     /* an overread shows at the edge */
        if (exact) memcpy(exact, p, n), t->run((struct bytes){exact, n});
        free(exact);
    }
    free(p);
    if (f) fclose(f);
    return p != NULL;
}

static void run_target(const struct fuzz_target *t, const char *corpus)
{
    char path[4096];
    unsigned files = 0, seeds = 0;
    snprintf(path, sizeof(path), "%s/%s", corpus, t->name);
    DIR *d = opendir(path);
    for (struct dirent *e = NULL; d && (e = readdir(d));) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/%s/%s", corpus, t->name, e->d_name);
        files += run_file(t, path);
    }
    if (d) closedir(d);
    for (unsigned i = 0; t->seed; i++) {
        struct wr w CLEANUP(wr_clear) = wr_heap(INPUT_MAX);
        if (!t->seed(i, &w)) break;
        t->run(wr_bytes(&w));
        seeds++;
    }
    t->run((struct bytes){(const uint8_t *)"", 0});
    tap_ok(files + seeds > 0, "%s: %u files, %u seeds of valid messages", t->name, files, seeds);
}

static int write_seeds(const char *dir)
{
    for (const struct fuzz_target *t = fuzz_targets; t->name; t++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", dir, t->name);
        (void)mkdir(path, 0755);
        for (unsigned i = 0; t->seed; i++) {
            struct wr w CLEANUP(wr_clear) = wr_heap(INPUT_MAX);
            if (!t->seed(i, &w)) break;
            snprintf(path, sizeof(path), "%s/%s/seed-%u", dir, t->name, i);
            FILE *f = fopen(path, "wb");
            if (!f || fwrite(w.p, 1, w.n, f) != w.n || fclose(f)) return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) return write_seeds(argv[2]);
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (const struct fuzz_target *t = fuzz_targets; t->name; t++) puts(t->name);
        return 0;
    }
    for (const struct fuzz_target *t = fuzz_targets; t->name; t++) run_target(t, argc > 1 ? argv[1] : "corpus");
    return tap_end();
}
