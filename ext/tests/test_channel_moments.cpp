// The moments kernel against plain sums, without PyTorch and without Python.

#include <cstdint>
#include <random>
#include <vector>

#include "../csrc/channel_moments.h"
#include "check.h"

namespace {

using lookalike::ChannelMoments;
using lookalike::channel_moments;

void check_formula(const std::vector<std::uint8_t>& data) {
    ChannelMoments expected;
    for (std::size_t i = 0; i < data.size(); ++i) {
        expected.sums[i % 3] += data[i];
        expected.squares[i % 3] += static_cast<std::uint64_t>(data[i]) * data[i];
    }
    const ChannelMoments got = channel_moments(data.data(), static_cast<std::int64_t>(data.size() / 3));
    CHECK(got.sums == expected.sums);
    CHECK(got.squares == expected.squares);
}

void test_every_length() {
    std::mt19937 generator(7);
    std::uniform_int_distribution<int> values(0, 255);
    for (std::size_t pixels = 0; pixels < 200; ++pixels) {
        std::vector<std::uint8_t> data(3 * pixels);
        for (auto& value : data) {
            value = static_cast<std::uint8_t>(values(generator));
        }
        check_formula(data);
    }
}

void test_white_overflows_no_counter() {
    check_formula(std::vector<std::uint8_t>(3 * (16 * 66051 + 5), 255));
    check_formula(std::vector<std::uint8_t>(3 * 16 * 66052, 255));
}

void test_parts_add_up() {
    const std::vector<std::uint8_t> data(3 * 50, 200);
    ChannelMoments total = channel_moments(data.data(), 20);
    total += channel_moments(data.data() + 60, 30);
    CHECK(total.sums == channel_moments(data.data(), 50).sums);
    CHECK(total.squares == channel_moments(data.data(), 50).squares);
}

}  // namespace

int main() {
    test_every_length();
    test_white_overflows_no_counter();
    test_parts_add_up();
    return check::failures();
}
