/* SPDX-License-Identifier: ISC */
/* The provider's file. To load it is to run it, so what it is gets looked up before: a regular file, an ELF library of this machine, with
 * C_GetFunctionList among the symbols that it defines. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper.h"

#define MODULE_MAX (512UL << 20)
#define ENTRY      "C_GetFunctionList"

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

/* A part of the file, or NULL where it reaches beyond the end or is not aligned. */
static const void *part(struct bytes file, size_t at, size_t n)
{
    return at % 4 == 0 && at <= file.n && n <= file.n - at ? file.p + at : NULL;
}

static bool defines_entry(struct bytes file, const ElfW(Shdr) *table, const ElfW(Shdr) *names)
{
    const ElfW(Sym) *syms = part(file, table->sh_offset, table->sh_size);
    const char *text = names->sh_offset <= file.n && names->sh_size <= file.n - names->sh_offset ? (const char *)file.p + names->sh_offset : NULL;
    if (!syms || !text) return false;
    for (size_t i = 0; i < table->sh_size / sizeof *syms; i++) {
        size_t at = syms[i].st_name;
        if (syms[i].st_shndx != SHN_UNDEF && at < names->sh_size && names->sh_size - at >= sizeof ENTRY &&
            memcmp(text + at, ENTRY, sizeof ENTRY) == 0)
            return true;
    }
    return false;
}

static bool is_module(struct bytes file)
{
    static const unsigned char magic[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32};
    const ElfW(Ehdr) *head = part(file, 0, sizeof *head);
    if (!head || memcmp(head->e_ident, magic, sizeof magic) != 0 || head->e_type != ET_DYN || head->e_shentsize != sizeof(ElfW(Shdr)))
        return false;
    const ElfW(Shdr) *sections = part(file, head->e_shoff, head->e_shnum * sizeof *sections);
    for (size_t i = 0; sections && i < head->e_shnum; i++)
        if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < head->e_shnum &&
            defines_entry(file, &sections[i], &sections[sections[i].sh_link]))
            return true;
    return false;
}

static enum err module_check(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        because("%s: %s", path, strerror(errno));
        if (fd >= 0) close(fd);
        return ERR_NOT_FOUND;
    }
    bool fits = S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size < MODULE_MAX;
    void *p = fits ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool good = p != MAP_FAILED && is_module(bytes_of(p, (size_t)st.st_size));
    if (p != MAP_FAILED) munmap(p, (size_t)st.st_size);
    close(fd);
    if (!good) because("%s is not a PKCS#11 library", path);
    return good ? ERR_NONE : ERR_FORMAT;
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
