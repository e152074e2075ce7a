/* SPDX-License-Identifier: ISC */
/* Preloaded by keyscan.py: names that begin with "slow" are not answered before the file SLOW_UNTIL is there; then they are 127.0.0.1. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int lookup(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);

__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    lookup *real;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    const char *until = getenv("SLOW_UNTIL");
    memcpy(&real, &symbol, sizeof real);
    if (!node || strncmp(node, "slow", 4) != 0 || !until || hints->ai_flags & AI_NUMERICHOST) return real(node, service, hints, out);
    while (access(until, F_OK) != 0) usleep(10000);
    return real("127.0.0.1", service, hints, out);
}
