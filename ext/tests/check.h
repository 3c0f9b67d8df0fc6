// CHECK(condition) counts what fails and says where; main returns failures().
#pragma once

#include <cstdio>

namespace check {

inline int failed = 0;

inline void that(bool condition, const char* text, const char* file, int line) {
    if (!condition) {
        std::fprintf(stderr, "%s:%d: not so: %s\n", file, line, text);
        ++failed;
    }
}

inline int failures() { return failed == 0 ? 0 : 1; }

}  // namespace check

#define CHECK(condition) check::that((condition), #condition, __FILE__, __LINE__)
