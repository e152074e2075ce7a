/* SPDX-License-Identifier: ISC */
/* The lines of rcp's protocol, as scp -O speaks it: pure. */
#ifndef SCP_LINE_H
#define SCP_LINE_H

#include "base/bytes.h"

#define SCP_LINE_MAX 2048               /* with its newline, as OpenSSH's buffer */

enum scp_line_kind {
    SCP_LINE_FILE,                      /* C0644 123 name: that many bytes follow */
    SCP_LINE_FOLDER,                    /* D0755 0 name: its entries follow, up to E */
    SCP_LINE_END,                       /* E */
    SCP_LINE_TIMES,                     /* T mtime 0 atime 0: of the next file or folder */
    SCP_LINE_WARNING,                   /* \1 text */
    SCP_LINE_FATAL,                     /* \2 text: the other side ends */
    SCP_LINE_OTHER                      /* none of them: perhaps a remote shell's words */
};

struct scp_line {
    enum scp_line_kind kind;
    uint32_t mode;                      /* permission bits as sent, up to 07777 */
    uint64_t size;
    uint64_t mtime_s, atime_s;
    struct bytes name;                  /* FILE, FOLDER: not judged; WARNING, FATAL, OTHER: the text */
};

/* A line without its newline; views point into it. On failure *why is OpenSSH's word for it ("mode not delimited"). */
MUST_USE enum err scp_line_parse(struct bytes line, struct scp_line *out, const char **why);

/* May a file be made under that name, in the folder we chose? Not empty, not "." or "..", no slash, no NUL, at most 255 bytes. */
bool scp_name_valid(struct bytes name);

/* Does the name belong to what was asked for? The last part of `request`, with its {a,b} taken apart, is a shell pattern, or the very name.
 * ERR_BUDGET: braces beyond reason. */
MUST_USE enum err scp_name_asked(const char *name, const char *request, bool *out);

#endif
