/* SPDX-License-Identifier: ISC */
/* Groups for diffie-hellman-group-exchange (moduli(5)): -M generate sieves candidates, -M screen tests them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/moduli.h"
#include "keygen.h"
#include "moduli_line.h"

enum { BITS_DEFAULT = 3072, TRIALS_DEFAULT = 100, TRIALS_MIN = 4, SIZE_MIN = 511, LINE_CAP = 16384 };
#define CHECKPOINT_S 1          /* at most so much work is done again */

static const char *const unusable = "Option \"%s\" is unsupported for moduli %s";

/* The value when text is "name=value", else NULL. */
static const char *value_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    return strncmp(text, name, n) == 0 && text[n] == '=' ? text + n + 1 : NULL;
}

static uint64_t number_of(const char *text, uint64_t least, uint64_t most)
{
    uint64_t v = 0;
    enum err e = text_to_u64(bytes_str(text), UINT64_MAX, &v);
    const char *wrong = e == ERR_FORMAT ? "invalid" : e != ERR_NONE || v > most ? "too large" : v < least ? "too small" : NULL;
    if (wrong) fatal("Invalid number: %s (%s)", text, wrong);
    return v;
}

static FILE *out_open(const char *path, const char *mode, const char *what)
{
    if (strcmp(path, "-") == 0) return stdout;
    FILE *f = fopen(path, mode);
    if (!f) fatal("Couldn't open %s file \"%s\": %s", what, path, strerror(errno));
    return f;
}

static void out_done(FILE *f, const char *path)
{
    bool good = fflush(f) == 0 && !ferror(f) && (f == stdout || (fsync(fileno(f)) == 0 || errno == EINVAL || errno == EROFS));
    if (!good) fatal("write %s: %s", path, strerror(errno));
    if (f != stdout) fclose(f);
}

static void stamp(char out[MODULI_TIME_LEN + 1])
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, MODULI_TIME_LEN + 1, "%Y%m%d%H%M%S", &tm);
}

/* time, type, tests, tries, size, generator, modulus */
static bool line_put(FILE *f, const uint64_t field[5], struct bytes number)
{
    char when[MODULI_TIME_LEN + 1];
    struct wr hex CLEANUP(wr_clear) = wr_heap(2 * MODULI_BITS_MAX);
    stamp(when);
    hex_write(&hex, number);
    size_t skip = hex.n > 1 && hex.p[0] == '0';
    for (size_t i = 0; i < hex.n; i++)
        if (hex.p[i] >= 'a') hex.p[i] = (uint8_t)(hex.p[i] - 'a' + 'A');
    return wr_done(&hex) == ERR_NONE &&
           fprintf(f, "%s %u %u %u %u %x %.*s\n", when, (unsigned)field[0], (unsigned)field[1], (unsigned)field[2], (unsigned)field[3],
                   (unsigned)field[4], (int)(hex.n - skip), (const char *)hex.p + skip) > 0;
}

static void say_found(uint64_t found, const char *what, uint64_t of, const char *whats, time_t begun)
{
    char when[32];
    time_t now = time(NULL);
    if (!ctime_r(&now, when)) when[0] = 0;
    when[strcspn(when, "\n")] = 0;
    say("%s Found %lu %s of %lu %s in %ld seconds", when, (unsigned long)found, what, (unsigned long)of, whats, (long)(now - begun));
}

/* ---- generate ---- */

static void start_parse(const char *hex, struct wr *out)
{
    struct wr even CLEANUP(wr_clear) = wr_heap(2 * MODULI_BITS_MAX);
    if (strlen(hex) % 2) wr_u8(&even, '0');
    wr_text(&even, hex);
    if (wr_done(&even) != ERR_NONE || hex_parse(wr_bytes(&even), out) != ERR_NONE || out->n == 0) fatal("Invalid start point.");
    out->p[out->n - 1] |= 1;
}

/* Sieving on is worth it while ruling a candidate out by a prime is cheaper than by a power modulo q. */
static uint32_t sieve_limit(size_t bits)
{
    return bits <= 1024 ? 1U << 24 : bits <= 2048 ? 1U << 26 : bits <= 4096 ? 1U << 28 : 1U << 30;
}

static int generate(const char *path, size_t bits, const struct wr *from)
{
    time_t begun = time(NULL);
    struct wr base CLEANUP(wr_clear) = wr_heap(MODULI_BITS_MAX);
    uint64_t found = 0, fields[5] = {TYPE_SOPHIE_GERMAIN, TEST_SIEVE, 0, bits - 2, 0};
    uint32_t primes = 0;
    /* safe primes are about one in the square of the size: enough odd numbers to find some, as OpenSSH takes */
    size_t n = ((bits - 1) * (bits - 1) / 4) * 32;
    uint8_t *composite = calloc(n / 8, 1);
    FILE *out = out_open(path, "w", "modulus candidate");
    wr_raw(&base, wr_bytes(from));
    enum err e = from->n ? wr_done(&base) : moduli_start(bits - 1, &base);
    if (e == ERR_NONE && moduli_bits(wr_bytes(&base)) != bits - 1) fatal("Invalid start point: it must have %zu bits", bits - 1);
    if (e == ERR_NONE) e = composite ? moduli_sieve(wr_bytes(&base), sieve_limit(bits), composite, n, &primes) : ERR_NOMEM;
    fields[2] = primes;
    for (size_t i = 0; e == ERR_NONE && i < n; i++) {
        uint8_t room[MODULI_BITS_MAX / 8 + 8];
        struct wr q = wr_span((struct span){room, sizeof room});
        if (composite[i / 8] >> i % 8 & 1) continue;
        e = moduli_add(wr_bytes(&base), 2 * (uint64_t)i, &q);
        if (e == ERR_NONE && !line_put(out, fields, wr_bytes(&q))) e = ERR_SYSTEM;
        found++;
    }
    free(composite);
    if (e != ERR_NONE) fatal("modulus candidate generation failed: %s", reason(e));
    out_done(out, path);
    say_found(found, "candidates", n, "odd numbers", begun);
    return 0;
}

static int job_generate(const struct options *o, const char *path)
{
    size_t bits = o->bits ? o->bits : BITS_DEFAULT;
    struct wr start CLEANUP(wr_clear) = wr_heap(MODULI_BITS_MAX);
    for (size_t i = 0; i < o->extra_n; i++) {
        const char *v;
        if (value_of(o->extra[i], "memory")) continue;          /* it takes what it needs, as OpenSSH does since 9.4 */
        else if ((v = value_of(o->extra[i], "bits"))) bits = (size_t)number_of(v, 1, INT_MAX);
        else if ((v = value_of(o->extra[i], "start"))) start_parse(v, &start);
        else fatal(unusable, o->extra[i], "generation");
    }
    if (bits < MODULI_BITS_MIN || bits > MODULI_BITS_MAX) fatal("modulus candidate generation failed: from %d to %d bits", MODULI_BITS_MIN, MODULI_BITS_MAX);
    return generate(path, bits, &start);
}

/* ---- screen ---- */

struct screen {
    uint64_t trials, generator, first, lines;
    const char *checkpoint;
    time_t saved;
    uint64_t seen, possible, found;
    FILE *out;
};

static void line_screen(struct screen *s, struct bytes line)
{
    uint8_t room[MODULI_BITS_MAX / 8 + 16];
    uint64_t field[5];
    struct wr p = wr_span((struct span){room, sizeof room});
    if (!moduli_line_parse(line, field, &p)) return;
    if (field[3] < SIZE_MIN || moduli_bits(wr_bytes(&p)) != field[3] + 1) return;
    if (field[4] == 0) field[4] = moduli_generator(wr_bytes(&p));
    if (field[4] == 0 || (s->generator && s->generator != field[4])) return;
    s->possible++;
    if (moduli_check(wr_bytes(&p), (unsigned)s->trials) != VERDICT_GOOD) return;
    field[0] = TYPE_SAFE;
    field[2] = field[1] & TEST_MILLER_RABIN ? field[2] + s->trials : s->trials;
    field[1] |= TEST_MILLER_RABIN;
    if (!line_put(s->out, field, wr_bytes(&p)) || fflush(s->out) != 0) fatal("modulus screening failed: %s", strerror(errno));
    s->found++;
    s->saved = 0;       /* what is in the output must not come again */
}

static uint64_t checkpoint_read(const char *path)
{
    struct secret text CLEANUP(secret_clear) = {0};
    uint64_t line = 0;
    if (file_read(path, 64, false, &text, NULL) != ERR_NONE) return 0;
    struct bytes b = secret_bytes(&text);
    while (b.n && b.p[b.n - 1] == '\n') b.n--;
    if (text_to_u64(b, UINT64_MAX, &line) != ERR_NONE) say("Failed to load checkpoint from '%s'", path);
    else say("Loaded checkpoint from '%s' line %lu", path, (unsigned long)line);
    return line;
}

static void checkpoint_write(struct screen *s)
{
    char text[32];
    time_t now = time(NULL);
    if (!s->checkpoint || (s->saved && now - s->saved < CHECKPOINT_S)) return;
    s->saved = now;
    snprintf(text, sizeof text, "%lu\n", (unsigned long)s->seen);
    enum err e = atomic_file_write(s->checkpoint, bytes_str(text), 0600);
    if (e != ERR_NONE) say("failed to write checkpoint file '%s': %s", s->checkpoint, reason(e));
}

/* One line without its newline; a longer one than any modulus needs counts as an empty one. */
static bool line_read(FILE *in, char *buf, size_t cap, size_t *n)
{
    if (!fgets(buf, (int)cap, in)) return false;
    *n = strcspn(buf, "\n");
    if (buf[*n] == '\n' || *n + 1 < cap) return true;
    *n = 0;
    for (int c = fgetc(in); c != EOF && c != '\n';) c = fgetc(in);
    return true;
}

static int screen(struct screen *s, FILE *in, const char *path)
{
    time_t begun = time(NULL);
    static char line[LINE_CAP];
    size_t n;
    uint64_t from = s->checkpoint ? checkpoint_read(s->checkpoint) : 0;
    if (from < s->first) from = s->first;
    while ((s->lines == 0 || s->seen < s->first + s->lines) && line_read(in, line, sizeof line, &n)) {
        if (s->seen++ < from) continue;
        line_screen(s, bytes_of(line, n));
        checkpoint_write(s);
    }
    if (ferror(in)) fatal("modulus screening failed: %s", strerror(errno));
    out_done(s->out, path);
    if (s->checkpoint) unlink(s->checkpoint);
    say_found(s->found, "safe primes", s->possible, "candidates", begun);
    return 0;
}

static int job_screen(const struct options *o, const char *path)
{
    struct screen s = {.trials = TRIALS_DEFAULT};
    FILE *in = stdin;
    for (size_t i = 0; i < o->extra_n; i++) {
        const char *v;
        if ((v = value_of(o->extra[i], "lines"))) s.lines = number_of(v, 0, UINT32_MAX);
        else if ((v = value_of(o->extra[i], "start-line"))) s.first = number_of(v, 0, UINT32_MAX);
        else if ((v = value_of(o->extra[i], "checkpoint"))) s.checkpoint = v;
        else if ((v = value_of(o->extra[i], "generator"))) s.generator = number_of(v, 1, UINT32_MAX);
        else if ((v = value_of(o->extra[i], "prime-tests"))) s.trials = number_of(v, 1, INT_MAX);
        else fatal(unusable, o->extra[i], "screening");
    }
    if (s.trials < TRIALS_MIN) {
        say("Minimum primality trials is %d", TRIALS_MIN);
        fatal("modulus screening failed");
    }
    if (o->have_file && strcmp(o->file, "-") != 0 && !(in = fopen(o->file, "r")))
        fatal("Couldn't open modulus candidate file \"%s\": %s", o->file, strerror(errno));
    s.out = out_open(path, "a", "moduli");
    int status = screen(&s, in, path);
    if (in != stdin) fclose(in);
    return status;
}

int job_moduli(struct options *o)
{
    if (strcmp(o->moduli, "generate") != 0 && strcmp(o->moduli, "screen") != 0) fatal("Unsupported moduli option %s", o->moduli);
    if (o->rest_n < 1) fatal("No output file specified");
    if (o->rest_n > 1) fatal("Too many output files specified");
    return o->moduli[0] == 'g' ? job_generate(o, o->rest[0]) : job_screen(o, o->rest[0]);
}
