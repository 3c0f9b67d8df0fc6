// Sums and sums of squares of the three channels of 8-bit pictures, in exact integer arithmetic. Knows no
// torch, no Python and no threads: callers add up the results of ranges in any order.
#pragma once

#include <array>
#include <cstdint>

namespace lookalike {

struct Moments {
    std::array<std::uint64_t, 3> sums{};
    std::array<std::uint64_t, 3> squares{};

    Moments& operator+=(const Moments& other) noexcept;
};

// The moments of `pixels` pixels of three bytes each. Exact up to 2^48 pixels.
Moments moments(const std::uint8_t* data, std::int64_t pixels) noexcept;

}  // namespace lookalike
