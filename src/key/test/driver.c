/* SPDX-License-Identifier: ISC */
/* For scripts: lines "ALG BLOB MSG SIG" (hex, "-" for nothing) on stdin; GOOD, BAD, or NOKEY when the blob is refused. "sign ALG KEY MSG",
 * KEY as in the inner part of a key file: the signature blob, or NOKEY. */
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

static void sign_one(void)
{
    struct wr rooms[2] = {wr_heap(1 << 16), wr_heap(1 << 16)}, sig CLEANUP(wr_clear) = wr_heap(1 << 16);
    struct privkey *k CLEANUP(privkey_drop) = NULL;
    const struct sig_alg *alg = sig_alg_find(bytes_str(strtok(NULL, " ")));
    struct rd r = rd_init(field(&rooms[0]));
    struct bytes msg = field(&rooms[1]);
    if (privkey_read(&r, &k) != ERR_NONE || privkey_sign(k, alg, msg, &sig) != ERR_NONE) fputs("NOKEY", stdout);
    for (size_t i = 0; i < sig.n; i++) printf("%02x", sig.p[i]);
    putchar('\n');
    for (size_t i = 0; i < 2; i++) wr_clear(&rooms[i]);
}

static void verify_one(const char *name)
{
    struct wr rooms[3] = {wr_heap(1 << 16), wr_heap(1 << 16), wr_heap(1 << 16)};
    const struct sig_alg *alg = sig_alg_find(bytes_str(name));
    struct bytes blob = field(&rooms[0]), msg = field(&rooms[1]), sig = field(&rooms[2]);
    struct pubkey *k = NULL;
    if (pubkey_parse(blob, &k) != ERR_NONE) puts("NOKEY");
    else puts(pubkey_verify(k, alg, msg, sig) == VERDICT_GOOD ? "GOOD" : "BAD");
    pubkey_free(k);
    for (size_t i = 0; i < 3; i++) wr_clear(&rooms[i]);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, stdin) > 0) {
        const char *word = strtok(line, " ");
        if (strcmp(word, "sign") == 0) sign_one();
        else verify_one(word);
        fflush(stdout);
    }
    free(line);
    return 0;
}
