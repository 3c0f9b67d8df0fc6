// Resizing against the same weighted means taken one number at a time, without PyTorch and without Python.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "../csrc/resize.h"
#include "check.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

// The mean of `from` bytes, `step` apart, below the triangle of `place` of `to`.
double mean_below(const std::uint8_t* data, std::int64_t from, std::int64_t to, std::int64_t place, std::int64_t step) {
    const double scale = static_cast<double>(from) / static_cast<double>(to), half_width = std::max(scale, 1.0);
    const double centre = (static_cast<double>(place) + 0.5) * scale;
    double sum = 0.0, weights = 0.0;
    for (std::int64_t at = 0; at < from; ++at) {
        const double weight = std::max(0.0, 1.0 - std::abs(static_cast<double>(at) + 0.5 - centre) / half_width);
        sum += weight * data[at * step];
        weights += weight;
    }
    return sum / weights;
}

// The largest distance of the result from the means; rounding after either pass moves it by half a level each.
double worst(const Bytes& in, std::int64_t height, std::int64_t width, std::int64_t out_height,
             std::int64_t out_width) {
    Bytes out(static_cast<std::size_t>(out_height * out_width * 3), 1);
    CHECK(lookalike_resize_bilinear(in.data(), height, width, out.data(), out_height, out_width) == 0);
    Bytes low(static_cast<std::size_t>(out_height * width * 3));
    for (std::int64_t row = 0; row < out_height; ++row) {
        for (std::int64_t j = 0; j < width * 3; ++j) {
            const double mean = mean_below(in.data() + j, height, out_height, row, width * 3);
            low[static_cast<std::size_t>(row * width * 3 + j)] = static_cast<std::uint8_t>(std::lround(mean));
        }
    }
    double most = 0.0;
    for (std::int64_t row = 0; row < out_height; ++row) {
        for (std::int64_t place = 0; place < out_width; ++place) {
            for (std::int64_t colour = 0; colour < 3; ++colour) {
                const double mean = mean_below(low.data() + row * width * 3 + colour, width, out_width, place, 3);
                const double got = out[static_cast<std::size_t>((row * out_width + place) * 3 + colour)];
                most = std::max(most, std::abs(got - mean));
            }
        }
    }
    return most;
}

void test_the_means_whatever_the_sizes() {
    std::mt19937 generator(7);
    std::uniform_int_distribution<int> values(0, 255), sizes(1, 70);
    for (int number = 0; number < 150; ++number) {
        const int height = sizes(generator), width = sizes(generator);
        const int out_height = sizes(generator), out_width = sizes(generator);
        Bytes in(static_cast<std::size_t>(3 * height * width));
        for (auto& value : in) {
            value = static_cast<std::uint8_t>(values(generator));
        }
        // A mean so close to a half that the first pass rounds it the other way shifts the second by up to a level.
        CHECK(worst(in, height, width, out_height, out_width) < 1.51);
    }
}

void test_one_colour_stays_that_colour() {
    for (const int value : {0, 1, 127, 254, 255}) {
        for (const std::int64_t length : {1, 2, 17, 3000, 60000}) {
            const Bytes in(static_cast<std::size_t>(3 * length), static_cast<std::uint8_t>(value));
            Bytes out(3 * 40 * 9, 7);
            CHECK(lookalike_resize_bilinear(in.data(), length, 1, out.data(), 40, 9) == 0);
            CHECK(out == Bytes(out.size(), static_cast<std::uint8_t>(value)));
            CHECK(lookalike_resize_bilinear(in.data(), 1, length, out.data(), 9, 40) == 0);
            CHECK(out == Bytes(out.size(), static_cast<std::uint8_t>(value)));
        }
    }
}

void test_the_same_size_is_the_same_picture() {
    Bytes in(3 * 31 * 45), out(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
        in[i] = static_cast<std::uint8_t>(i * 37);
    }
    CHECK(lookalike_resize_bilinear(in.data(), 31, 45, out.data(), 31, 45) == 0);
    CHECK(out == in);
}

}  // namespace

int main() {
    test_the_means_whatever_the_sizes();
    test_one_colour_stays_that_colour();
    test_the_same_size_is_the_same_picture();
    return check::failures();
}
