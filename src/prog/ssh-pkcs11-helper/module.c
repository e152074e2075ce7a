/* SPDX-License-Identifier: ISC */
/* The provider's file. To load it is to run it, so what it is gets looked up before: a regular file, an ELF library of this machine, with
 * C_GetFunctionList among the symbols that it defines. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "helper.h"
#include "os/library.h"

#define ENTRY "C_GetFunctionList"

static const struct {
    ck_rv_t rv;
    const char *name;
} rv_names[] = {
    {CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR"}, {CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED"}, {CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR"},
    {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED"}, {CKR_HOST_MEMORY, "CKR_HOST_MEMORY"}, {CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED"},
    {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID"}, {CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT"}, {CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE"},
    {CKR_PIN_LOCKED, "CKR_PIN_LOCKED"}, {CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED"}, {CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID"},
    {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT"}, {CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN"},
    {CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED"}, {CKR_FUNCTION_CANCELED, "CKR_FUNCTION_CANCELED"},
};

const char *rv_name(ck_rv_t rv)
{
    static char number[32];
    for (size_t i = 0; i < COUNT_OF(rv_names); i++)
        if (rv_names[i].rv == rv) return rv_names[i].name;
    snprintf(number, sizeof number, "error 0x%lx", rv);
    return number;
}

static enum err module_check(const char *path)
{
    enum err e = library_check(path, ENTRY);
    if (e == ERR_NOT_FOUND) because("%s: %s", path, strerror(errno));
    else if (e) because("%s is not a PKCS#11 library", path);
    return e;
}

enum err module_load(const char *provider, struct ck_function_list **out)
{
    char path[PATH_MAX];
    ck_rv_t (*entry)(struct ck_function_list **list);
    struct ck_function_list *f = NULL;
    if (!realpath(provider, path)) {
        because("%s: %s", provider, strerror(errno));
        return ERR_NOT_FOUND;
    }
    TRY(module_check(path));
    log_line(LOG_LEVEL_DEBUG1, "provider %s is %s", provider, path);
    void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    void *symbol = module ? dlsym(module, ENTRY) : NULL;
    if (!symbol) {
        because("dlopen %s failed: %s", path, dlerror());
        return ERR_FORMAT;
    }
    memcpy(&entry, &symbol, sizeof entry);
    ck_rv_t rv = entry(&f);
    if (rv == CKR_OK && f) rv = f->C_Initialize(NULL);
    if (!f || (rv != CKR_OK && rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
        because("C_Initialize for provider %s failed: %s", provider, rv_name(rv));
        return ERR_UNSUPPORTED;
    }
    *out = f;
    return ERR_NONE;
}
