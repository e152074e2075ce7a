/* SPDX-License-Identifier: ISC */
/* The fuzzer's door: NACRE_FUZZ names the target. */
#include <stdio.h>
#include <stdlib.h>

#include "targets.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fuzz_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    target = fuzz_find(getenv("NACRE_FUZZ"));
    if (target) return 0;
    fputs("NACRE_FUZZ names no target; there are:", stderr);
    for (const struct fuzz_target *t = fuzz_targets; t->name; t++) fprintf(stderr, " %s", t->name);
    fputc('\n', stderr);
    exit(2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    target->run((struct bytes){data, size});
    return 0;
}
