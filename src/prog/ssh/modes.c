/* SPDX-License-Identifier: ISC */
#include "modes.h"

#include <stddef.h>
#include <unistd.h>

struct mode {
    uint8_t opcode;
    enum { CHAR, INPUT, LOCAL, OUTPUT, CONTROL } where;
    unsigned value;             /* index in c_cc, or the flag */
};

static const struct mode modes[] = {
    {1, CHAR, VINTR}, {2, CHAR, VQUIT}, {3, CHAR, VERASE}, {4, CHAR, VKILL}, {5, CHAR, VEOF}, {6, CHAR, VEOL}, {7, CHAR, VEOL2},
    {8, CHAR, VSTART}, {9, CHAR, VSTOP}, {10, CHAR, VSUSP}, {12, CHAR, VREPRINT}, {13, CHAR, VWERASE}, {14, CHAR, VLNEXT},
    {18, CHAR, VDISCARD},
    {30, INPUT, IGNPAR}, {31, INPUT, PARMRK}, {32, INPUT, INPCK}, {33, INPUT, ISTRIP}, {34, INPUT, INLCR}, {35, INPUT, IGNCR},
    {36, INPUT, ICRNL}, {37, INPUT, IUCLC}, {38, INPUT, IXON}, {39, INPUT, IXANY}, {40, INPUT, IXOFF}, {41, INPUT, IMAXBEL},
    {42, INPUT, IUTF8},
    {50, LOCAL, ISIG}, {51, LOCAL, ICANON}, {52, LOCAL, XCASE}, {53, LOCAL, ECHO}, {54, LOCAL, ECHOE}, {55, LOCAL, ECHOK},
    {56, LOCAL, ECHONL}, {57, LOCAL, NOFLSH}, {58, LOCAL, TOSTOP}, {59, LOCAL, IEXTEN}, {60, LOCAL, ECHOCTL}, {61, LOCAL, ECHOKE},
    {62, LOCAL, PENDIN},
    {70, OUTPUT, OPOST}, {71, OUTPUT, OLCUC}, {72, OUTPUT, ONLCR}, {73, OUTPUT, OCRNL}, {74, OUTPUT, ONOCR}, {75, OUTPUT, ONLRET},
    {90, CONTROL, CS7}, {91, CONTROL, CS8}, {92, CONTROL, PARENB}, {93, CONTROL, PARODD}};

enum { TTY_OP_END = 0, TTY_OP_ISPEED = 128, TTY_OP_OSPEED = 129, NO_CHAR = 255 };

static uint32_t baud(speed_t s)
{
    static const struct { speed_t s; uint32_t baud; } speeds[] = {
        {B50, 50}, {B75, 75}, {B110, 110}, {B134, 134}, {B150, 150}, {B200, 200}, {B300, 300}, {B600, 600}, {B1200, 1200},
        {B1800, 1800}, {B2400, 2400}, {B4800, 4800}, {B9600, 9600}, {B19200, 19200}, {B38400, 38400}, {B57600, 57600},
        {B115200, 115200}, {B230400, 230400}};
    for (size_t i = 0; i < COUNT_OF(speeds); i++)
        if (speeds[i].s == s)
            return speeds[i].baud;
    return 9600;
}

static void one(struct wr *w, uint8_t opcode, uint32_t value)
{
    wr_u8(w, opcode);
    wr_u32(w, value);
}

void modes_write(struct wr *w, const struct termios *t)
{
    const tcflag_t flags[] = {0, t->c_iflag, t->c_lflag, t->c_oflag, t->c_cflag};
    one(w, TTY_OP_OSPEED, baud(cfgetospeed(t)));
    one(w, TTY_OP_ISPEED, baud(cfgetispeed(t)));
    for (size_t i = 0; i < COUNT_OF(modes); i++) {
        const struct mode *m = &modes[i];
        if (m->where != CHAR)
            one(w, m->opcode, m->where == CONTROL && (m->value == CS7 || m->value == CS8) ? (flags[CONTROL] & CSIZE) == m->value
                                                                                          : (flags[m->where] & m->value) != 0);
        else
            one(w, m->opcode, t->c_cc[m->value] == _POSIX_VDISABLE ? NO_CHAR : t->c_cc[m->value]);
    }
    wr_u8(w, TTY_OP_END);
}
