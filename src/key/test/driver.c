/* SPDX-License-Identifier: ISC */
/* For wycheproof.py: lines "ALG BLOB MSG SIG" (hex, "-" for nothing) on stdin; GOOD, BAD, or NOKEY when the blob is refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "key/key.h"

static struct bytes field(struct wr *room)
{
    const char *word = strtok(NULL, " \n");
    if (word && strcmp(word, "-") != 0 && hex_parse(bytes_str(word), room) != ERR_NONE) exit(2);
    return wr_bytes(room);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        struct wr rooms[3] = {wr_heap(1 << 16), wr_heap(1 << 16), wr_heap(1 << 16)};
        const struct sig_alg *alg = sig_alg_find(bytes_str(strtok(line, " ")));
        struct bytes blob = field(&rooms[0]), msg = field(&rooms[1]), sig = field(&rooms[2]);
        struct pubkey *k = NULL;
        if (pubkey_parse(blob, &k) != ERR_NONE) puts("NOKEY");
        else puts(pubkey_verify(k, alg, msg, sig) == VERDICT_GOOD ? "GOOD" : "BAD");
        fflush(stdout);
        pubkey_free(k);
        for (size_t i = 0; i < 3; i++) wr_clear(&rooms[i]);
    }
    free(line);
    return 0;
}
