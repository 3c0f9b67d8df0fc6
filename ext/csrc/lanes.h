// What the kernels that read maps share: numbers that are worked on side by side, and reading ahead.
#pragma once

#include <cstdint>

namespace lookalike {

// Numbers that are worked on side by side: one register of the widest processors.
constexpr std::int64_t kLanes = 16;

// How far ahead memory is asked for; measured, on rows and on columns.
constexpr std::int64_t kRowsAhead = 1024 / sizeof(float);
constexpr std::int64_t kColumnsAhead = 512 / sizeof(float);

inline void ask_for([[maybe_unused]] const float* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#endif
}

// Writes the sum of each row of `lanes` (rows × kLanes) to `sums`. Uses up the lanes.
inline void fold_lanes(float* lanes, std::int64_t rows, float* sums) noexcept {
    for (std::int64_t count = rows * kLanes / 2; count >= rows; count /= 2) {
        float* out = count == rows ? sums : lanes;
#pragma omp simd
        for (std::int64_t k = 0; k < count; ++k) {
            out[k] = lanes[2 * k] + lanes[2 * k + 1];
        }
    }
}

}  // namespace lookalike
