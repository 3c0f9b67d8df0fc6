// The weighted moments kernel against its formula in double, without PyTorch and without Python.

#include "../csrc/weighted_moments.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "../csrc/multiscale_moments.h"
#include "check.h"
#include "maps.h"

namespace {

using lookalike::WeightedMoments;

// The energies (squared lengths) of the deepest map's vectors over the places of `map`, brought to the sum 1.
std::vector<double> weights_of(const Map& deepest, const Map& map, std::int64_t image) {
    std::vector<double> weights;
    double total = 0;
    for (std::int64_t row = 0; row < map.height; ++row) {
        for (std::int64_t column = 0; column < map.width; ++column) {
            const std::int64_t above =
                row * deepest.height / map.height * deepest.width + column * deepest.width / map.width;
            double energy = 0;
            for (std::int64_t channel = 0; channel < deepest.channels; ++channel) {
                energy += std::pow(double(deepest.data[deepest.index(image, channel, above)]), 2);
            }
            weights.push_back(energy);
            total += energy;
        }
    }
    for (double& weight : weights) {
        weight = total > 1e-12 && total < 1e37 ? weight / total : 1.0 / static_cast<double>(map.pixels());
    }
    return weights;
}

std::vector<double> formula(const std::vector<Map>& maps, std::int64_t images) {
    std::vector<double> out;
    for (std::int64_t image = 0; image < images; ++image) {
        for (const Map& map : maps) {
            const std::vector<double> weights = weights_of(maps.back(), map, image);
            std::vector<double> deviations;
            for (std::int64_t channel = 0; channel < map.channels; ++channel) {
                double mean = 0;
                for (std::int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
                    mean += weights[static_cast<std::size_t>(pixel)] * map.data[map.index(image, channel, pixel)];
                }
                double variance = 0;
                for (std::int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
                    const double apart = map.data[map.index(image, channel, pixel)] - mean;
                    variance += weights[static_cast<std::size_t>(pixel)] * apart * apart;
                }
                out.push_back(mean);
                deviations.push_back(std::sqrt(variance + 1e-6));
            }
            out.insert(out.end(), deviations.begin(), deviations.end());
        }
    }
    return out;
}

std::unique_ptr<float[]> room(std::int64_t floats) {
    auto memory = std::make_unique<float[]>(static_cast<std::size_t>(floats));
    std::fill(memory.get(), memory.get() + floats, std::numeric_limits<float>::quiet_NaN());
    return memory;
}

// Does the images and then the blocks in the given order, `step` at a time.
std::vector<float> moments_of(const std::vector<Map>& maps, std::int64_t images, bool backwards = false,
                              std::int64_t step = 1) {
    const WeightedMoments moments(stages_of(maps), images);
    const auto weights = room(moments.weights());
    const auto means = room(moments.sums());
    const auto squares = room(moments.sums());
    in_order(images, step, backwards,
             [&](std::int64_t begin, std::int64_t end) { moments.weigh(begin, end, weights.get()); });
    in_order(moments.blocks(), step, backwards, [&](std::int64_t begin, std::int64_t end) {
        moments.pool(begin, end, weights.get(), means.get(), squares.get());
    });
    std::vector<float> out(static_cast<std::size_t>(images * moments.length()), -7.0F);
    moments.merge(0, images, weights.get(), means.get(), squares.get(), out.data());
    return out;
}

double largest_difference(const std::vector<float>& row, const std::vector<double>& expected) {
    CHECK(row.size() == expected.size());
    double most = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        most = std::max(most, std::isfinite(row[i]) ? std::abs(row[i] - expected[i]) : 1e9);
    }
    return most;
}

void check_formula(const std::vector<Map>& maps, std::int64_t images, double tolerance = 1e-6) {
    CHECK(largest_difference(moments_of(maps, images), formula(maps, images)) < tolerance);
}

void set_place(Map& map, std::int64_t image, std::int64_t pixel, float value) {
    for (std::int64_t channel = 0; channel < map.channels; ++channel) {
        map.data[map.index(image, channel, pixel)] = value;
    }
}

void test_every_size() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t channels : {1, 2, 5, 13, 16, 31, 64, 257}) {
            for (const std::int64_t height : {1, 2, 7, 16, 40}) {
                for (const std::int64_t width : {1, 3, 7, 17, 40}) {
                    check_formula({make_map(2, channels, height, width, layout)}, 2);
                    check_formula({make_map(2, channels, height, width, layout), make_map(2, 3, 7, 5, layout)}, 2);
                }
            }
        }
    }
}

void test_each_stage_may_have_its_own_layout() {
    check_formula({make_map(3, 16, 9, 8, Layout::planes), make_map(3, 5, 2, 2, Layout::pixels)}, 3);
    check_formula({make_map(3, 16, 9, 8, Layout::pixels), make_map(3, 5, 2, 2, Layout::planes)}, 3);
}

void test_planes_and_pixels_beyond_one_block() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        check_formula({make_map(2, 3, 200, 201, layout), make_map(2, 5, 129, 127, layout)}, 2);
        check_formula({make_map(1, 20000, 2, 1, layout)}, 1, 2e-6);  // energies of 20000 squares in single precision
        check_formula({make_map(1, 3, 2, 20000, layout), make_map(1, 4, 1, 3, layout)}, 1);
    }
}

// The deepest map is nothing but at one place: only what lies under that place counts.
void test_places_of_nothing_count_nothing() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        std::vector<Map> maps{make_map(1, 6, 300, 200, layout), make_map(1, 9, 3, 2, layout, 0.0F, 0.0F)};
        set_place(maps[1], 0, 3, 0.25F);  // row 1, column 1: rows 100 to 199, columns 100 to 199
        check_formula(maps, 1);
        const std::vector<float> out = moments_of(maps, 1);
        double mean = 0;
        for (std::int64_t row = 100; row < 200; ++row) {
            for (std::int64_t column = 100; column < 200; ++column) {
                mean += maps[0].data[maps[0].index(0, 2, row * 200 + column)] / 10000.0;
            }
        }
        CHECK(std::abs(out[2] - mean) < 1e-6);
        CHECK(std::abs(out[12] - 0.25) < 1e-7 && std::abs(out[21] - 1e-3) < 1e-7);
    }
}

// Half of the places have energies smaller by 18 to 41 powers of ten than the others': they are as good as none, and
// one over their weight would be infinite.
void test_vanishing_places_harm_nothing() {
    struct Numbers {
        float faint;
        float other;
    };
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const auto& [faint, other] : {Numbers{1e-9F, 1.0F}, {1e-20F, 1.0F}, {4e-6F, 1e15F}}) {
            for (const std::int64_t place : {0, 1}) {
                std::vector<Map> maps{make_map(1, 5, 200, 120, layout), make_map(1, 4, 2, 1, layout, other, other)};
                set_place(maps[1], 0, place, faint);
                const std::vector<double> expected = formula(maps, 1);
                const std::vector<float> out = moments_of(maps, 1);
                CHECK(largest_difference({out.begin(), out.begin() + 10}, {expected.begin(), expected.begin() + 10}) <
                      1e-6);
            }
        }
    }
}

// All places count alike where the deepest map is 0, which is what the unweighted kernel computes.
void test_a_deepest_map_of_zeros_gives_the_unweighted_moments() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        const std::vector<Map> maps{make_map(2, 6, 40, 30, layout), make_map(2, 9, 5, 4, layout, 0.0F, 0.0F)};
        check_formula(maps, 2);
        const lookalike::MultiscaleMoments plain(stages_of(maps), 2);
        const auto means = room(plain.sums());
        const auto squares = room(plain.sums());
        std::vector<float> out(static_cast<std::size_t>(2 * plain.length()));
        plain.pool(0, plain.blocks(), means.get(), squares.get());
        plain.merge(0, 2, means.get(), squares.get(), out.data());
        CHECK(largest_difference(moments_of(maps, 2), {out.begin(), out.end()}) < 1e-6);
    }
}

// So they do where single precision cannot hold the energies (1e20), the sum of them (5e18), or one over it (1e18): the
// moments of the other map are the unweighted ones.
void test_a_deepest_map_of_huge_numbers_gives_the_unweighted_moments() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const float huge : {1e18F, 5e18F, 1e20F}) {
            std::vector<Map> maps{make_map(2, 6, 40, 30, layout), make_map(2, 9, 5, 4, layout, huge / 2, huge)};
            const std::vector<float> out = moments_of(alone(maps, 1), 1);
            std::fill(maps[1].data.begin(), maps[1].data.end(), 0.0F);
            const std::vector<double> expected = formula(alone(maps, 1), 1);
            CHECK(largest_difference({out.begin(), out.begin() + 12}, {expected.begin(), expected.begin() + 12}) <
                  1e-6);
            CHECK(std::none_of(out.begin() + 12, out.begin() + 21, [](float mean) { return std::isnan(mean); }));
        }
    }
}

// Squares of the numbers themselves would leave nothing of such a deviation in single precision.
void test_a_small_deviation_beside_a_large_mean() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t side : {3, 7, 56, 200}) {
            const std::vector<Map> maps{make_map(1, 7, side, side, layout, 999.8F, 1000.2F),
                                        make_map(1, 5, 3, 3, layout)};
            const std::vector<float> out = moments_of(maps, 1);
            const std::vector<double> expected = formula(maps, 1);
            CHECK(largest_difference(out, expected) < 5e-4);
            for (std::size_t i = 7; i < 14; ++i) {
                CHECK(std::abs(out[i] / expected[i] - 1) < 5e-4);
            }
        }
    }
}

// A single pixel far from all others, first or last, must not cost the others their accuracy.
void test_one_pixel_far_from_the_others() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t side : {5, 56, 150}) {
            for (const std::int64_t place : {std::int64_t{0}, side * side - 1}) {
                std::vector<Map> maps{make_map(1, 3, side, side, layout, -0.1F, 0.1F),
                                      make_map(1, 5, 5, 5, layout)};
                maps[0].data[maps[0].index(0, 1, place)] = 1000.0F;
                const std::vector<float> out = moments_of(maps, 1);
                const std::vector<double> expected = formula(maps, 1);
                CHECK(std::abs(out[1] / expected[1] - 1) < 1e-5);
                CHECK(std::abs(out[4] / expected[4] - 1) < 1e-5);
            }
        }
    }
}

void test_order_and_company_change_no_bit() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        const std::vector<Map> maps{make_map(5, 64, 28, 28, layout), make_map(5, 3, 160, 125, layout),
                                    make_map(5, 128, 7, 7, layout)};
        constexpr std::int64_t kLength = 2 * (64 + 3 + 128);
        const std::vector<float> together = moments_of(maps, 5);
        CHECK(moments_of(maps, 5, true) == together);
        CHECK(moments_of(maps, 5, false, 7) == together);
        const std::vector<float> last = moments_of(alone(maps, 4), 1);
        CHECK(last.size() == kLength);
        CHECK(std::equal(together.end() - kLength, together.end(), last.begin()));
    }
}

// sqrt(0 + 1e-6) = 1e-3, the mean itself to the last bit but one, whatever the weights.
void test_a_flat_channel_has_the_deviation_of_the_floor() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t side : {1, 4, 5, 32}) {
            const std::vector<Map> maps{make_map(1, 2, side, side, layout, 0.5F, 0.5F),
                                        make_map(1, 1, 3, 3, layout)};
            const std::vector<float> out = moments_of(maps, 1);
            CHECK(largest_difference({out.begin(), out.begin() + 4}, {0.5, 0.5, 1e-3, 1e-3}) < 1e-7);
        }
    }
}

// One that is not a number in the deepest map leaves the places without weights, and its own channel without a mean.
void test_a_number_that_is_none_stays_in_its_own_channel() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        std::vector<Map> maps{make_map(2, 3, 8, 8, layout), make_map(2, 4, 2, 2, layout)};
        maps[1].data[maps[1].index(1, 2, 3)] = std::numeric_limits<float>::quiet_NaN();
        const std::vector<float> out = moments_of(maps, 2);
        for (std::size_t i = 0; i < out.size(); ++i) {
            CHECK(std::isnan(out[i]) == (i == 14 + 6 + 2 || i == 14 + 6 + 4 + 2));
        }
    }
}

}  // namespace

int main() {
    test_every_size();
    test_each_stage_may_have_its_own_layout();
    test_planes_and_pixels_beyond_one_block();
    test_places_of_nothing_count_nothing();
    test_vanishing_places_harm_nothing();
    test_a_deepest_map_of_zeros_gives_the_unweighted_moments();
    test_a_deepest_map_of_huge_numbers_gives_the_unweighted_moments();
    test_a_small_deviation_beside_a_large_mean();
    test_one_pixel_far_from_the_others();
    test_order_and_company_change_no_bit();
    test_a_flat_channel_has_the_deviation_of_the_floor();
    test_a_number_that_is_none_stays_in_its_own_channel();
    return check::failures();
}
