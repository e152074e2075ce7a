/* SPDX-License-Identifier: ISC */
/* What helpers that load a vendor's code have in common: how they start. */
#ifndef OS_HELPER_H
#define OS_HELPER_H

#define HELPER_FD 0                 /* descriptor of the socket (SOCK_SEQPACKET) to who started us */

/* Call first in main: takes the options ([-v...]), opens the log on stderr, and makes of us a process that is not dumped, ends with who
 * started it and lets ^C at a terminal to them. Ends the process with 1, and words, where it was not started as a helper. */
void helper_init(const char *name, int argc, char **argv);

#endif
