// Sums and sums of squares of the three channels of 8-bit pictures, in exact integer arithmetic. Knows no
// torch, no Python and no threads: callers add up the results of ranges in any order.
#pragma once

#include <array>
#include <cstdint>

namespace lookalike {

struct ChannelMoments {
    std::array<std::uint64_t, 3> sums{};
    std::array<std::uint64_t, 3> squares{};

    ChannelMoments& operator+=(const ChannelMoments& other) noexcept;
};

// The moments of `pixels` pixels of three bytes each. Exact up to 2^48 pixels.
ChannelMoments channel_moments(const std::uint8_t* data, std::int64_t pixels) noexcept;

}  // namespace lookalike
