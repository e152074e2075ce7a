/* SPDX-License-Identifier: ISC */
/* ssh-pkcs11-helper: started by ssh, ssh-agent, ssh-add and ssh-keygen, never by hand. The one program of the suite that runs a token
 * vendor's code. Descriptor 0 is the socket to who started it (kit/pkcs11_wire.h). */
#include "helper.h"

int main(int argc, char **argv)
{
    helper_init("ssh-pkcs11-helper", argc, argv);
    for (;;) serve();
}
