// LOOKALIKE_CLONES compiles one function for several generations of x86 and picks among them when the library
// is loaded, so that one binary runs everywhere and is fast where it can be. Elsewhere (another processor,
// another compiler, a C library without indirect functions) it says nothing and the plain function serves.
// Sanitizers are left out because they are not ready yet when the loader resolves indirect functions. Tests
// define LOOKALIKE_CLONES as nothing, and so reach each generation's code by compiling for it.
#pragma once

#include <cstdlib>  // defines __GLIBC__ where the C library is glibc

#ifndef LOOKALIKE_CLONES
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if __GNUC__ >= 12
#define LOOKALIKE_CLONES \
    __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#endif
#endif
#endif

#ifndef LOOKALIKE_CLONES
#define LOOKALIKE_CLONES
#endif
