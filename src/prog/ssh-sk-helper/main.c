/* SPDX-License-Identifier: ISC */
/* ssh-sk-helper: started by ssh, ssh-agent, ssh-add and ssh-keygen, never by hand. The one program of the suite that speaks to FIDO
 * authenticators, and that loads a provider's library. Descriptor 0 is the socket to who started it (kit/sk_wire.h). */
#include <unistd.h>

#include "helper.h"

int main(int argc, char **argv)
{
    helper_init("ssh-sk-helper", argc, argv);
    serve();
    _exit(0);       /* the answer is out, and who asked ends us at any moment: nothing that a provider left to be done at exit begins */
}
