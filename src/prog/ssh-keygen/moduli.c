/* SPDX-License-Identifier: ISC */
/* Groups for diffie-hellman-group-exchange (moduli(5)): -M generate sieves candidates, -M screen tests them. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/text.h"
#include "crypto/moduli.h"
#include "keygen.h"
#include "moduli_line.h"
#include "os/fd.h"

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

static bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* On the disk, where there is one. */
static bool synced(int fd)
{
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS;
}

static void stamp(char out[MODULI_TIME_LEN + 1])
{
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(out, MODULI_TIME_LEN + 1, "%Y%m%d%H%M%S", &tm);
}

/* time, type, tests, tries, size, generator, modulus; the line's writer has room for LINE_CAP bytes */
static void line_write(struct wr *w, const uint64_t field[5], struct bytes number)
{
    char when[MODULI_TIME_LEN + 1];
    stamp(when);
    while (number.n && number.p[0] == 0) number.p++, number.n--;
    wr_textf(w, "%s %u %u %u %u %x ", when, (unsigned)field[0], (unsigned)field[1], (unsigned)field[2], (unsigned)field[3], (unsigned)field[4]);
    size_t at = w->n;
    hex_write(w, number);
    if (w->err == ERR_NONE && w->n > at && w->p[at] == '0') memmove(w->p + at, w->p + at + 1, --w->n - at);
    for (size_t i = at; i < w->n; i++)
        if (w->p[i] >= 'a') w->p[i] = (uint8_t)(w->p[i] - 'a' + 'A');
    wr_u8(w, '\n');
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

/* Where candidates go: a draft that takes its place when all are there; or what is open already, a device or pipe. */
struct sink {
    int fd;
    mode_t mode;
    struct draft draft;
    struct wr text;
};
static struct sink sink = {.draft = DRAFT_NONE};

/* ^C may come in the minutes that it takes. */
static void on_end(int number)
{
    if (sink.draft.path[0]) unlink(sink.draft.path);
    raise(number);          /* its own handling again: SA_RESETHAND */
}

static void sink_open(const char *path)
{
    static const int ends[] = {SIGHUP, SIGINT, SIGTERM};
    struct sigaction act = {.sa_handler = on_end, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
    static uint8_t room[1 << 16];
    struct stat st;
    bool there = !is_stdout(path) && stat(path, &st) == 0;
    mode_t mask = umask(0);
    umask(mask);
    sink.text = wr_span((struct span){room, sizeof room});
    sink.mode = there ? st.st_mode & 0777 : 0666 & ~mask;
    if (is_stdout(path)) sink.fd = STDOUT_FILENO;
    else if (there && !S_ISREG(st.st_mode)) sink.fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    else sink.fd = draft_open(path, &sink.draft) == ERR_NONE ? sink.draft.fd : -1;
    if (sink.fd < 0) fatal("Couldn't open modulus candidate file \"%s\": %s", path, strerror(errno));
    for (size_t i = 0; sink.draft.path[0] && i < COUNT_OF(ends); i++) sigaction(ends[i], &act, NULL);
}

static enum err sink_flush(void)
{
    TRY(fd_write(sink.fd, wr_bytes(&sink.text)));
    sink.text.n = 0;
    return ERR_NONE;
}

static enum err sink_place(void)
{
    TRY(sink_flush());
    if (sink.draft.path[0]) return draft_place(&sink.draft, sink.mode);
    return synced(sink.fd) ? ERR_NONE : ERR_SYSTEM;
}

static enum err candidates_write(struct bytes base, const uint8_t *composite, size_t n, uint64_t fields[5], uint64_t *found)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t room[MODULI_BITS_MAX / 8 + 8];
        struct wr q = wr_span((struct span){room, sizeof room});
        if (composite[i / 8] >> i % 8 & 1) continue;
        TRY(moduli_add(base, 2 * (uint64_t)i, &q));
        if (sink.text.cap - sink.text.n < LINE_CAP) TRY(sink_flush());
        line_write(&sink.text, fields, wr_bytes(&q));
        TRY(wr_done(&sink.text));
        ++*found;
    }
    return ERR_NONE;
}

static int generate(const char *path, size_t bits, struct bytes from)
{
    time_t begun = time(NULL);
    uint8_t base_room[MODULI_BITS_MAX / 8 + 8];
    struct wr base = wr_span((struct span){base_room, sizeof base_room});
    uint64_t found = 0, fields[5] = {TYPE_SOPHIE_GERMAIN, TEST_SIEVE, 0, bits - 2, 0};
    uint32_t primes = 0;
    /* safe primes are about one in the square of the size: enough odd numbers to find some, as OpenSSH takes */
    size_t n = ((bits - 1) * (bits - 1) / 4) * 32;
    if (from.n && moduli_bits(from) != bits - 1) fatal("Invalid start point: it must have %zu bits", bits - 1);
    wr_raw(&base, from);
    enum err e = from.n ? wr_done(&base) : moduli_start(bits - 1, &base);
    uint8_t *composite = calloc(n / 8, 1);
    sink_open(path);
    if (e == ERR_NONE) e = composite ? moduli_sieve(wr_bytes(&base), sieve_limit(bits), composite, n, &primes) : ERR_NOMEM;
    fields[2] = primes;
    if (e == ERR_NONE) e = candidates_write(wr_bytes(&base), composite, n, fields, &found);
    if (e == ERR_NONE) e = sink_place();
    free(composite);
    draft_drop(&sink.draft);
    if (e != ERR_NONE) fatal("modulus candidate generation failed: %s", reason(e));
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
    return generate(path, bits, wr_bytes(&start));
}

/* ---- screen ---- */

struct screen {
    uint64_t trials, generator, first, lines;
    const char *checkpoint, *path;
    time_t saved;
    uint64_t seen, possible, found;
    int out;
};

/* Appended whole, or not at all: of a line that did not fit the disk nothing stays. */
static void line_append(const struct screen *s, struct bytes line)
{
    struct stat st;
    bool regular = fstat(s->out, &st) == 0 && S_ISREG(st.st_mode);
    if (fd_write(s->out, line) == ERR_NONE) return;
    int saved = errno;
    if (regular && ftruncate(s->out, st.st_size) != 0) say("%s: a part of a line is left at its end", s->path);
    fatal("modulus screening failed: %s", strerror(saved));
}

static void line_screen(struct screen *s, struct bytes line)
{
    uint8_t room[MODULI_BITS_MAX / 8 + 16], text_room[LINE_CAP];
    uint64_t field[5];
    enum verdict safe;
    struct wr p = wr_span((struct span){room, sizeof room}), text = wr_span((struct span){text_room, sizeof text_room});
    if (!moduli_line_parse(line, field, &p)) return;
    if (field[3] < SIZE_MIN || moduli_bits(wr_bytes(&p)) != field[3] + 1) return;
    if (field[4] == 0) field[4] = moduli_generator(wr_bytes(&p));
    if (field[4] == 0 || (s->generator && s->generator != field[4])) return;
    s->possible++;
    enum err e = moduli_check(wr_bytes(&p), (unsigned)s->trials, &safe);
    if (e != ERR_NONE) fatal("modulus screening failed: %s", reason(e));
    if (safe != VERDICT_GOOD) return;
    field[0] = TYPE_SAFE;
    field[2] = field[1] & TEST_MILLER_RABIN ? field[2] + s->trials : s->trials;
    field[1] |= TEST_MILLER_RABIN;
    line_write(&text, field, wr_bytes(&p));
    need_written(&text);
    line_append(s, wr_bytes(&text));
    s->found++;
    s->saved = 0;       /* what is in the output must not come again */
}

static uint64_t checkpoint_read(const char *path)
{
    struct secret text CLEANUP(secret_clear) = {0};
    uint64_t line = 0;
    enum err e = file_read(path, 64, false, &text, NULL);
    if (e == ERR_SYSTEM && errno == ENOENT) return 0;
    if (e == ERR_SYSTEM || e == ERR_NOMEM) fatal("Failed to load checkpoint from '%s': %s", path, reason(e));
    struct bytes b = secret_bytes(&text);
    while (b.n && b.p[b.n - 1] == '\n') b.n--;
    if (e != ERR_NONE || text_to_u64(b, UINT64_MAX, &line) != ERR_NONE) say("Failed to load checkpoint from '%s'", path);
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
    /* what it says is done must be on the disk before it */
    enum err e = synced(s->out) ? atomic_file_write(s->checkpoint, bytes_str(text), 0600) : ERR_SYSTEM;
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

static int screen(struct screen *s, FILE *in)
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
    if (!synced(s->out)) fatal("write %s: %s", s->path, strerror(errno));
    if (s->checkpoint && unlink(s->checkpoint) != 0 && errno != ENOENT) fatal("%s: %s", s->checkpoint, strerror(errno));
    say_found(s->found, "safe primes", s->possible, "candidates", begun);
    return 0;
}

/* To append to; behind half a line, as a power cut leaves one, on a line of its own. */
static int output_open(const char *path)
{
    char last = '\n';
    struct stat st;
    if (is_stdout(path)) return STDOUT_FILENO;
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_NOCTTY | O_CLOEXEC, 0666);
    if (fd < 0 && errno == EACCES) fd = open(path, O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) fatal("Couldn't open moduli file \"%s\": %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n' &&
        fd_write(fd, bytes_str("\n")) != ERR_NONE)
        fatal("write %s: %s", path, strerror(errno));
    return fd;
}

static int job_screen(const struct options *o, const char *path)
{
    struct screen s = {.trials = TRIALS_DEFAULT, .path = path};
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
    s.out = output_open(path);
    int status = screen(&s, in);
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
