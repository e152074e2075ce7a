/* SPDX-License-Identifier: ISC */
/* Compiler attributes under readable names; the only place that spells __attribute__. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define MUST_USE            __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a)   __attribute__((format(printf, f, a)))
#define CLEANUP(fn)         __attribute__((cleanup(fn)))
#define UNUSED              __attribute__((unused))
#define NORETURN            __attribute__((noreturn))
#define NO_STACK_PROTECTOR  __attribute__((optimize("no-stack-protector")))
#define ALIGNED(n)          __attribute__((aligned(n)))
#define FALLTHROUGH         __attribute__((fallthrough))
#define WEAK                __attribute__((weak))
#define COUNT_OF(a)         (sizeof(a) / sizeof((a)[0]))

#endif
