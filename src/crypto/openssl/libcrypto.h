/* SPDX-License-Identifier: ISC */
/* libcrypto's headers. Its typedef ERR_STATE has the name of one of our errors, so it gets another one here. */
#ifndef OSSL_LIBCRYPTO_H
#define OSSL_LIBCRYPTO_H

#define ERR_STATE libcrypto_err_state
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#undef ERR_STATE

#endif
