/* SPDX-License-Identifier: ISC */
#include "os/library.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LIBRARY_MAX (512UL << 20)

/* A part of the file, or NULL where it reaches beyond the end or is not aligned. */
static const void *part(struct bytes file, size_t at, size_t n)
{
    return at % 4 == 0 && at <= file.n && n <= file.n - at ? file.p + at : NULL;
}

static bool defines(struct bytes file, const ElfW(Shdr) *table, const ElfW(Shdr) *names, const char *symbol)
{
    const ElfW(Sym) *syms = part(file, table->sh_offset, table->sh_size);
    const char *text = names->sh_offset <= file.n && names->sh_size <= file.n - names->sh_offset ? (const char *)file.p + names->sh_offset : NULL;
    size_t n = strlen(symbol) + 1;
    if (!syms || !text) return false;
    for (size_t i = 0; i < table->sh_size / sizeof *syms; i++) {
        size_t at = syms[i].st_name;
        if (syms[i].st_shndx != SHN_UNDEF && at < names->sh_size && names->sh_size - at >= n &&
            memcmp(text + at, symbol, n) == 0)
            return true;
    }
    return false;
}

static bool is_library(struct bytes file, const char *symbol)
{
    static const unsigned char magic[] = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32};
    const ElfW(Ehdr) *head = part(file, 0, sizeof *head);
    if (!head || memcmp(head->e_ident, magic, sizeof magic) != 0 || head->e_type != ET_DYN || head->e_shentsize != sizeof(ElfW(Shdr)))
        return false;
    const ElfW(Shdr) *sections = part(file, head->e_shoff, head->e_shnum * sizeof *sections);
    for (size_t i = 0; sections && i < head->e_shnum; i++)
        if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < head->e_shnum &&
            defines(file, &sections[i], &sections[sections[i].sh_link], symbol))
            return true;
    return false;
}

enum err library_check(const char *path, const char *symbol)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return ERR_NOT_FOUND;
    bool fits = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && (uint64_t)st.st_size < LIBRARY_MAX;
    void *p = fits ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    bool good = p != MAP_FAILED && is_library(bytes_of(p, (size_t)st.st_size), symbol);
    if (p != MAP_FAILED) munmap(p, (size_t)st.st_size);
    close(fd);
    return good ? ERR_NONE : ERR_FORMAT;
}
