/* SPDX-License-Identifier: ISC */
/* Encoded terminal modes (RFC 4254 8): one row an opcode. */
#include <termios.h>
#include <unistd.h>

#include "base/rd.h"
#include "sshd/session.h"

enum mode_field { MODE_CHAR, MODE_IFLAG, MODE_LFLAG, MODE_OFLAG, MODE_CFLAG };

static const struct mode_row {
    uint8_t opcode;
    uint8_t field;              /* enum mode_field */
    tcflag_t bits;              /* CHAR: index into c_cc */
    tcflag_t mask;              /* what the bits replace; 0: the bits themselves */
} rows[] = {
    {1, MODE_CHAR, VINTR, 0},      {2, MODE_CHAR, VQUIT, 0},      {3, MODE_CHAR, VERASE, 0},     {4, MODE_CHAR, VKILL, 0},
    {5, MODE_CHAR, VEOF, 0},       {6, MODE_CHAR, VEOL, 0},       {7, MODE_CHAR, VEOL2, 0},      {8, MODE_CHAR, VSTART, 0},
    {9, MODE_CHAR, VSTOP, 0},      {10, MODE_CHAR, VSUSP, 0},     {12, MODE_CHAR, VREPRINT, 0},  {13, MODE_CHAR, VWERASE, 0},
    {14, MODE_CHAR, VLNEXT, 0},    {16, MODE_CHAR, VSWTC, 0},     {18, MODE_CHAR, VDISCARD, 0},
    {30, MODE_IFLAG, IGNPAR, 0},   {31, MODE_IFLAG, PARMRK, 0},   {32, MODE_IFLAG, INPCK, 0},    {33, MODE_IFLAG, ISTRIP, 0},
    {34, MODE_IFLAG, INLCR, 0},    {35, MODE_IFLAG, IGNCR, 0},    {36, MODE_IFLAG, ICRNL, 0},    {37, MODE_IFLAG, IUCLC, 0},
    {38, MODE_IFLAG, IXON, 0},     {39, MODE_IFLAG, IXANY, 0},    {40, MODE_IFLAG, IXOFF, 0},    {41, MODE_IFLAG, IMAXBEL, 0},
    {42, MODE_IFLAG, IUTF8, 0},
    {50, MODE_LFLAG, ISIG, 0},     {51, MODE_LFLAG, ICANON, 0},   {52, MODE_LFLAG, XCASE, 0},    {53, MODE_LFLAG, ECHO, 0},
    {54, MODE_LFLAG, ECHOE, 0},    {55, MODE_LFLAG, ECHOK, 0},    {56, MODE_LFLAG, ECHONL, 0},   {57, MODE_LFLAG, NOFLSH, 0},
    {58, MODE_LFLAG, TOSTOP, 0},   {59, MODE_LFLAG, IEXTEN, 0},   {60, MODE_LFLAG, ECHOCTL, 0},  {61, MODE_LFLAG, ECHOKE, 0},
    {62, MODE_LFLAG, PENDIN, 0},
    {70, MODE_OFLAG, OPOST, 0},    {71, MODE_OFLAG, OLCUC, 0},    {72, MODE_OFLAG, ONLCR, 0},    {73, MODE_OFLAG, OCRNL, 0},
    {74, MODE_OFLAG, ONOCR, 0},    {75, MODE_OFLAG, ONLRET, 0},
    {90, MODE_CFLAG, CS7, CSIZE},  {91, MODE_CFLAG, CS8, CSIZE},  {92, MODE_CFLAG, PARENB, 0},   {93, MODE_CFLAG, PARODD, 0},
};

static const struct {
    uint32_t baud;
    speed_t speed;
} speeds[] = {
    {0, B0},         {50, B50},         {75, B75},         {110, B110},       {134, B134},       {150, B150},       {200, B200},
    {300, B300},     {600, B600},       {1200, B1200},     {1800, B1800},     {2400, B2400},     {4800, B4800},     {9600, B9600},
    {19200, B19200}, {38400, B38400},   {57600, B57600},   {115200, B115200}, {230400, B230400}, {460800, B460800}, {500000, B500000},
    {921600, B921600}, {1000000, B1000000}, {2000000, B2000000}, {4000000, B4000000},
};

#define OPCODE_END    0
#define OPCODE_ISPEED 128
#define OPCODE_OSPEED 129
#define OPCODE_FIRST_UNDEFINED 160      /* RFC 4254 8: from here on the length of an argument is not known */
#define CHAR_DISABLED 255

static void row_apply(struct termios *t, const struct mode_row *row, uint32_t value)
{
    if (row->field == MODE_CHAR) {
        t->c_cc[row->bits] = value == CHAR_DISABLED ? _POSIX_VDISABLE : (cc_t)value;
        return;
    }
    tcflag_t *const fields[] = {[MODE_IFLAG] = &t->c_iflag, [MODE_LFLAG] = &t->c_lflag, [MODE_OFLAG] = &t->c_oflag, [MODE_CFLAG] = &t->c_cflag};
    tcflag_t *field = fields[row->field];
    if (value)
        *field = (*field & ~(row->mask ? row->mask : row->bits)) | row->bits;
    else if (!row->mask)                /* "not 8 bits" does not say how many */
        *field &= ~row->bits;
}

static void speed_apply(struct termios *t, uint8_t opcode, uint32_t baud)
{
    for (size_t i = 0; i < COUNT_OF(speeds); i++) {
        if (speeds[i].baud != baud) continue;
        if (opcode == OPCODE_ISPEED)
            cfsetispeed(t, speeds[i].speed);
        else
            cfsetospeed(t, speeds[i].speed);
    }
}

static void opcode_apply(struct termios *t, uint8_t opcode, uint32_t value)
{
    if (opcode == OPCODE_ISPEED || opcode == OPCODE_OSPEED) speed_apply(t, opcode, value);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].opcode == opcode) row_apply(t, &rows[i], value);
}

enum err tty_modes_apply(int fd, struct bytes modes)
{
    struct termios t;
    struct rd r = rd_init(modes);
    if (tcgetattr(fd, &t) != 0) return ERR_SYSTEM;
    while (r.n > 0) {
        uint8_t opcode = rd_u8(&r);
        if (opcode == OPCODE_END || opcode >= OPCODE_FIRST_UNDEFINED) break;
        uint32_t value = rd_u32(&r);
        if (r.err != ERR_NONE) break;
        opcode_apply(&t, opcode, value);
    }
    return tcsetattr(fd, TCSANOW, &t) == 0 ? ERR_NONE : ERR_SYSTEM;
}
