// LOOKALIKE_EXPORT marks a function that is called from outside of the library.
#pragma once

#if defined(_WIN32)
#define LOOKALIKE_EXPORT __declspec(dllexport)
#else
#define LOOKALIKE_EXPORT __attribute__((visibility("default")))
#endif
