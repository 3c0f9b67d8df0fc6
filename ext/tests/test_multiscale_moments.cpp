// The stage moments kernel against its formula in double, without PyTorch and without Python.

#include "../csrc/multiscale_moments.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "check.h"
#include "maps.h"

namespace {

using lookalike::MultiscaleMoments;

std::vector<double> formula(const std::vector<Map>& maps, std::int64_t images) {
    std::vector<double> out;
    for (std::int64_t image = 0; image < images; ++image) {
        for (const Map& map : maps) {
            std::vector<double> deviations;
            for (std::int64_t channel = 0; channel < map.channels; ++channel) {
                double mean = 0;
                for (std::int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
                    mean += map.data[map.index(image, channel, pixel)] / static_cast<double>(map.pixels());
                }
                double variance = 0;
                for (std::int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
                    const double apart = map.data[map.index(image, channel, pixel)] - mean;
                    variance += apart * apart / static_cast<double>(map.pixels());
                }
                out.push_back(mean);
                deviations.push_back(std::sqrt(variance + 1e-6));
            }
            out.insert(out.end(), deviations.begin(), deviations.end());
        }
    }
    return out;
}

// Does the blocks in the given order, `step` at a time.
std::vector<float> moments_of(const std::vector<Map>& maps, std::int64_t images, bool backwards = false,
                              std::int64_t step = 1) {
    const MultiscaleMoments moments(stages_of(maps), images);
    const auto means = std::make_unique<float[]>(static_cast<std::size_t>(moments.sums()));
    const auto squares = std::make_unique<float[]>(static_cast<std::size_t>(moments.sums()));
    std::fill(means.get(), means.get() + moments.sums(), std::numeric_limits<float>::quiet_NaN());
    std::fill(squares.get(), squares.get() + moments.sums(), std::numeric_limits<float>::quiet_NaN());
    in_order(moments.blocks(), step, backwards,
             [&](std::int64_t begin, std::int64_t end) { moments.pool(begin, end, means.get(), squares.get()); });
    std::vector<float> out(static_cast<std::size_t>(images * moments.length()), -7.0F);
    moments.merge(0, images, means.get(), squares.get(), out.data());
    return out;
}

double worst(const std::vector<float>& got, const std::vector<double>& expected) {
    CHECK(got.size() == expected.size());
    double most = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        most = std::max(most, std::isfinite(got[i]) ? std::abs(got[i] - expected[i]) : 1e9);
    }
    return most;
}

void check_formula(const std::vector<Map>& maps, std::int64_t images) {
    CHECK(worst(moments_of(maps, images), formula(maps, images)) < 1e-6);
}

void test_every_size() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t channels : {1, 2, 3, 5, 8, 13, 16, 31, 64, 257}) {
            for (const std::int64_t pixels : {1, 2, 3, 7, 15, 16, 17, 25, 49, 100, 127, 128, 129, 1600}) {
                check_formula({make_map(2, channels, pixels, layout)}, 2);
            }
        }
    }
}

void test_stages_stand_side_by_side() {
    check_formula({make_map(3, 16, 9, Layout::planes), make_map(3, 5, 4, Layout::pixels)}, 3);
}

void test_planes_and_pixels_beyond_one_block() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        check_formula({make_map(2, 3, 40000, layout), make_map(2, 5, 16385, layout)}, 2);
    }
    check_formula({make_map(1, 20000, 2, Layout::pixels)}, 1);
    check_formula({make_map(1, 20000, 2, Layout::planes)}, 1);
}

// Squares of the numbers themselves would leave nothing of such a deviation in single precision.
void test_a_small_deviation_beside_a_large_mean() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t pixels : {9, 49, 3136, 40000}) {
            const std::vector<Map> maps{make_map(1, 7, pixels, layout, 999.8F, 1000.2F)};
            CHECK(worst(moments_of(maps, 1), formula(maps, 1)) < 5e-4);
            const std::vector<float> got = moments_of(maps, 1);
            const std::vector<double> expected = formula(maps, 1);
            for (std::size_t i = 7; i < 14; ++i) {
                CHECK(std::abs(got[i] / expected[i] - 1) < 5e-4);
            }
        }
    }
}

// A single pixel far from all others, first or last, must not cost the others their accuracy.
void test_one_pixel_far_from_the_others() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t pixels : {17, 3136, 20000}) {
            for (const std::int64_t place : {std::int64_t{0}, pixels - 1}) {
                Map map = make_map(1, 3, pixels, layout, -0.1F, 0.1F);
                map.data[map.index(0, 1, place)] = 1000.0F;
                const std::vector<float> got = moments_of({map}, 1);
                const std::vector<double> expected = formula({map}, 1);
                CHECK(std::abs(got[4] / expected[4] - 1) < 1e-5);
            }
        }
    }
}

void test_order_and_company_change_no_bit() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        const std::vector<Map> maps{make_map(5, 64, 784, layout), make_map(5, 128, 196, layout),
                                    make_map(5, 3, 20000, layout)};
        const std::vector<float> together = moments_of(maps, 5);
        CHECK(moments_of(maps, 5, true) == together);
        CHECK(moments_of(maps, 5, false, 7) == together);
        const std::vector<float> last = moments_of(alone(maps, 4), 1);
        CHECK(last.size() == 2 * (64 + 128 + 3));
        CHECK(std::equal(together.end() - 2 * (64 + 128 + 3), together.end(), last.begin()));
    }
}

// sqrt(0 + 1e-6) = 1e-3, the mean itself exactly.
void test_a_flat_channel_has_the_deviation_of_the_floor() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t pixels : {1, 16, 25, 1024}) {
            Map map = make_map(1, 4, pixels, layout);
            std::fill(map.data.begin(), map.data.end(), 0.5F);
            CHECK(worst(moments_of({map}, 1), {0.5, 0.5, 0.5, 0.5, 1e-3, 1e-3, 1e-3, 1e-3}) < 1e-7);
        }
    }
}

}  // namespace

int main() {
    test_every_size();
    test_stages_stand_side_by_side();
    test_planes_and_pixels_beyond_one_block();
    test_a_small_deviation_beside_a_large_mean();
    test_one_pixel_far_from_the_others();
    test_order_and_company_change_no_bit();
    test_a_flat_channel_has_the_deviation_of_the_floor();
    return check::failures();
}
