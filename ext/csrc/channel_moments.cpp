#include "channel_moments.h"

#include <algorithm>
#include <cstddef>

#include "clones.h"

namespace lookalike {
namespace {

// Sixteen pixels are added to 48 counters side by side; counter k belongs to channel k % 3.
constexpr std::int64_t kLanePixels = 16;
constexpr std::size_t kLanes = 3 * kLanePixels;

// The rounds after which a 32-bit counter of squares might overflow: 66 051 × 255² < 2³² ≤ 66 052 × 255².
constexpr std::int64_t kRounds = 66051;
static_assert(kRounds * 255 * 255 < (std::int64_t{1} << 32));

using Lanes = std::array<std::uint32_t, kLanes>;

LOOKALIKE_CLONES
void add_rounds(const std::uint8_t* data, std::int64_t rounds, Lanes& sums, Lanes& squares) noexcept {
    for (std::int64_t round = 0; round < rounds; ++round) {
        for (std::size_t k = 0; k < kLanes; ++k) {
            const std::uint32_t value = data[k];
            sums[k] += value;
            squares[k] += value * value;
        }
        data += kLanes;
    }
}

}  // namespace

ChannelMoments& ChannelMoments::operator+=(const ChannelMoments& other) noexcept {
    for (std::size_t channel = 0; channel < 3; ++channel) {
        sums[channel] += other.sums[channel];
        squares[channel] += other.squares[channel];
    }
    return *this;
}

ChannelMoments channel_moments(const std::uint8_t* data, std::int64_t pixels) noexcept {
    ChannelMoments total;
    std::int64_t left = pixels;
    while (left >= kLanePixels) {
        const std::int64_t rounds = std::min(left / kLanePixels, kRounds);
        Lanes sums{};
        Lanes squares{};
        add_rounds(data, rounds, sums, squares);
        for (std::size_t k = 0; k < kLanes; ++k) {
            total.sums[k % 3] += sums[k];
            total.squares[k % 3] += squares[k];
        }
        data += rounds * kLanePixels * 3;
        left -= rounds * kLanePixels;
    }
    for (std::int64_t k = 0; k < 3 * left; ++k) {
        const std::uint64_t value = data[k];
        total.sums[static_cast<std::size_t>(k % 3)] += value;
        total.squares[static_cast<std::size_t>(k % 3)] += value * value;
    }
    return total;
}

}  // namespace lookalike
