/* SPDX-License-Identifier: ISC */
#include "base/err.h"

static const struct {
    const char *name, *text;
    unsigned reason;
} rows[ERR_COUNT] = {
#define X(name, reason, text) [ERR_##name] = {#name, text, reason},
    ERR_TABLE(X)
#undef X
};

const char *err_name(enum err e)
{
    return (unsigned)e < ERR_COUNT ? rows[e].name : "?";
}

const char *err_text(enum err e)
{
    return (unsigned)e < ERR_COUNT ? rows[e].text : "unknown error";
}

unsigned err_reason(enum err e)
{
    return (unsigned)e < ERR_COUNT ? rows[e].reason : 2;
}
