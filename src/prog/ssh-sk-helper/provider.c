/* SPDX-License-Identifier: ISC */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#include "helper.h"
#include "os/library.h"

static enum err library_open(const char *name, void **out)
{
    char path[PATH_MAX];
    const char *file = name;
    if (strchr(name, '/')) {
        enum err e = realpath(name, path) ? library_check(path, "sk_api_version") : ERR_NOT_FOUND;
        if (e == ERR_NOT_FOUND) because("Provider \"%s\": %s", name, strerror(errno));
        else if (e) because("Provider \"%s\" is not an OpenSSH FIDO library", name);
        TRY(e);
        file = path;
    }
    *out = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (*out) return ERR_NONE;
    because("Provider \"%s\" dlopen failed: %s", name, dlerror());
    return ERR_FORMAT;
}

/* A function's address, as a pointer of its type at `out`. */
static enum err symbol(void *library, const char *provider, const char *name, void *out)
{
    void *p = dlsym(library, name);
    if (!p) {
        because("Provider \"%s\" dlsym(%s) failed: %s", provider, name, dlerror());
        return ERR_FORMAT;
    }
    memcpy(out, &p, sizeof p);
    return ERR_NONE;
}

enum err provider_load(const char *name, struct provider *out)
{
    void *library;
    uint32_t (*version_of)(void);
    struct provider p = provider_fido;
    if (!*name || strcasecmp(name, "internal") == 0) {
        *out = p;
        return ERR_NONE;
    }
    TRY(library_open(name, &library));
    TRY(symbol(library, name, "sk_api_version", &version_of));
    uint32_t version = version_of();
    log_line(LOG_LEVEL_DEBUG1, "provider %s implements version 0x%08lx", name, (unsigned long)version);
    if ((version & SSH_SK_VERSION_MAJOR_MASK) != SSH_SK_VERSION_MAJOR) {
        because("Provider \"%s\" implements unsupported version 0x%08lx (supported: 0x%08lx)", name, (unsigned long)version,
                (unsigned long)SSH_SK_VERSION_MAJOR);
        return ERR_FORMAT;
    }
    TRY(symbol(library, name, "sk_enroll", &p.enroll));
    TRY(symbol(library, name, "sk_sign", &p.sign));
    TRY(symbol(library, name, "sk_load_resident_keys", &p.residents));
    *out = p;
    return ERR_NONE;
}
