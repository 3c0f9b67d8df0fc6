// The fusion kernel against its formula in double, without PyTorch and without Python.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "../csrc/multiscale_fuse.h"
#include "check.h"
#include "maps.h"

namespace {

using lookalike::Fusion;

std::vector<double> formula(const std::vector<Map>& maps, std::int64_t images, std::int64_t dimension,
                            bool normalize) {
    std::vector<double> out;
    for (std::int64_t image = 0; image < images; ++image) {
        std::vector<double> row(static_cast<std::size_t>(dimension));
        double squares = 0;
        for (std::int64_t j = 0; j < dimension; ++j) {
            double value = 0;
            for (const Map& map : maps) {
                double sum = 0;
                for (std::int64_t pixel = 0; pixel < map.pixels(); ++pixel) {
                    sum += map.data[map.index(image, j * map.channels / dimension, pixel)];
                }
                value += sum / static_cast<double>(map.pixels()) / static_cast<double>(maps.size());
            }
            row[static_cast<std::size_t>(j)] = value;
            squares += value * value;
        }
        const double norm = normalize ? std::max(std::sqrt(squares), 1e-12) : 1.0;
        for (const double value : row) {
            out.push_back(value / norm);
        }
    }
    return out;
}

// Does the blocks in the given order, `step` at a time.
std::vector<float> fused(const std::vector<Map>& maps, std::int64_t images, std::int64_t dimension, bool normalize,
                         bool backwards = false, std::int64_t step = 1) {
    const Fusion fusion(stages_of(maps), images, dimension, normalize);
    const auto sums = std::make_unique<float[]>(static_cast<std::size_t>(fusion.sums()));
    std::fill(sums.get(), sums.get() + fusion.sums(), std::numeric_limits<float>::quiet_NaN());
    in_order(fusion.blocks(), step, backwards,
             [&](std::int64_t begin, std::int64_t end) { fusion.pool(begin, end, sums.get()); });
    std::vector<float> out(static_cast<std::size_t>(images * dimension), -7.0F);
    fusion.fuse(0, images, sums.get(), out.data());
    return out;
}

void check_formula(const std::vector<Map>& maps, std::int64_t images, std::int64_t dimension) {
    for (const bool normalize : {true, false}) {
        const std::vector<double> expected = formula(maps, images, dimension, normalize);
        const std::vector<float> got = fused(maps, images, dimension, normalize);
        double worst = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            worst = std::max(worst, std::isfinite(got[i]) ? std::abs(got[i] - expected[i]) : 1e9);
        }
        CHECK(worst < 1e-6);
    }
}

void test_every_size() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        for (const std::int64_t channels : {1, 2, 3, 5, 8, 13, 16, 31, 64, 257}) {
            for (const std::int64_t pixels : {1, 2, 3, 7, 15, 16, 17, 25, 49, 100, 1600}) {
                check_formula({make_map(2, channels, pixels, layout)}, 2, 257);
            }
        }
    }
}

void test_every_repeat() {
    for (const std::int64_t dimension : {16, 17, 31, 32, 48, 64, 100, 128, 256}) {
        check_formula({make_map(1, 16, 9, Layout::planes), make_map(1, 5, 4, Layout::pixels)}, 1, dimension);
    }
}

void test_planes_and_pixels_beyond_one_block() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        check_formula({make_map(2, 3, 40000, layout), make_map(2, 5, 16385, layout)}, 2, 7);
    }
    check_formula({make_map(1, 20000, 2, Layout::pixels)}, 1, 20000);
    check_formula({make_map(1, 20000, 2, Layout::planes)}, 1, 20000);
}

void test_order_and_company_change_no_bit() {
    for (const Layout layout : {Layout::planes, Layout::pixels}) {
        const std::vector<Map> maps{make_map(5, 64, 784, layout), make_map(5, 128, 196, layout)};
        const std::vector<float> together = fused(maps, 5, 128, true);
        CHECK(fused(maps, 5, 128, true, true) == together);
        CHECK(fused(maps, 5, 128, true, false, 7) == together);
        CHECK(std::equal(together.begin() + 4 * 128, together.end(), fused(alone(maps, 4), 1, 128, true).begin()));
    }
}

void test_zeros_stay_zeros() {
    Map map = make_map(1, 4, 4, Layout::planes);
    std::fill(map.data.begin(), map.data.end(), 0.0F);
    CHECK(fused({map}, 1, 8, true) == std::vector<float>(8, 0.0F));
}

}  // namespace

int main() {
    test_every_size();
    test_every_repeat();
    test_planes_and_pixels_beyond_one_block();
    test_order_and_company_change_no_bit();
    test_zeros_stay_zeros();
    return check::failures();
}
