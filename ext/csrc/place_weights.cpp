#include "place_weights.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "clones.h"
#include "lanes.h"

namespace lookalike {
namespace {

// The totals between which weights are divided by their own; the same numbers as in lookalike/encoder/export_formats.py. One
// over a larger total would be subnormal, and energies above 3e38 are infinite.
constexpr double kLeastTotal = 1e-12;
constexpr double kLargestTotal = 1e37;

// A smaller weight becomes 0: it could change no result, and the reciprocal of a still smaller one would be infinite.
constexpr float kLeastWeight = 1e-30F;

// Vectors of kLanes numbers that are added up side by side, so that no addition waits for the one before.
constexpr std::int64_t kChains = 4;

template <int kCount>
inline float sum_squares(const float* values, std::int64_t apart) noexcept {
    if constexpr (kCount == 1) {
        return values[0] * values[0];
    } else {
        return sum_squares<kCount / 2>(values, apart) + sum_squares<kCount / 2>(values + kCount / 2 * apart, apart);
    }
}

// The sum of the squares of `rows` consecutive rows of `width` floats, column by column.
LOOKALIKE_CLONES
void sum_squares_of_columns(const float* data, std::int64_t rows, std::int64_t width, float* sums) noexcept {
    std::fill(sums, sums + width, 0.0F);
    const std::int64_t share = rows / kColumnStreams;
    const std::int64_t apart = share * width;
    for (std::int64_t row = 0; row < share; ++row) {
        const float* p = data + row * width;
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) {
            sums[c] += sum_squares<kColumnStreams>(p + c, apart);
        }
    }
    for (std::int64_t row = share * kColumnStreams; row < rows; ++row) {
        const float* p = data + row * width;
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) {
            sums[c] += p[c] * p[c];
        }
    }
}

// The sum of the squares of each of `rows` consecutive rows of `length` floats.
LOOKALIKE_CLONES
void sum_squares_of_rows(const float* data, std::int64_t rows, std::int64_t length, float* sums) noexcept {
    constexpr std::int64_t kStep = kChains * kLanes;
    const std::int64_t whole = length / kStep * kStep;
    for (std::int64_t row = 0; row < rows; ++row) {
        const float* p = data + row * length;
        float lanes[kStep] = {};
        for (std::int64_t i = 0; i < whole; i += kStep) {
#pragma omp simd
            for (std::int64_t k = 0; k < kStep; ++k) {
                lanes[k] += p[i + k] * p[i + k];
            }
        }
        for (std::int64_t k = 0; k < length - whole; ++k) {
            lanes[k] += p[whole + k] * p[whole + k];
        }
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t k = 0; k < kStep; ++k) {
            sum += lanes[k];
        }
        sums[row] = sum;
    }
}

// Brings `count` numbers, none below 0, to the sum 1.
LOOKALIKE_CLONES
void normalise(float* weights, std::int64_t count) noexcept {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = 0; i < count; ++i) {
        total += static_cast<double>(weights[i]);
    }
    if (!(total > kLeastTotal && total < kLargestTotal)) {  // so that one that is not a number is none
        std::fill(weights, weights + count, 1.0F / static_cast<float>(count));
        return;
    }
    const auto scale = static_cast<float>(1.0 / total);
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
        const float weight = weights[i] * scale;
        weights[i] = weight < kLeastWeight ? 0.0F : weight;
    }
}

// Writes the energy of the map's vector at each place of the image.
void measure(const Stage& stage, std::int64_t image, float* energies) noexcept {
    const float* data = stage.data + image * stage.image_stride;
    if (stage.layout == Layout::planes) {
        sum_squares_of_columns(data, stage.channels, stage.pixels(), energies);
    } else {
        sum_squares_of_rows(data, stage.pixels(), stage.channels, energies);
    }
}

// Writes for each place of `stage` the weight of the place of the deepest map that lies over it.
void spread(const float* weights, const Stage& deepest, const Stage& stage, const std::vector<std::int32_t>& columns,
            float* out) noexcept {
    std::int64_t last = -1;
    for (std::int64_t row = 0; row < stage.height; ++row) {
        const std::int64_t source = row * deepest.height / stage.height;
        float* own = out + row * stage.width;
        if (source == last) {
            std::copy_n(own - stage.width, stage.width, own);
            continue;
        }
        const float* above = weights + source * deepest.width;
        for (std::size_t column = 0; column < columns.size(); ++column) {
            own[column] = above[columns[column]];
        }
        last = source;
    }
}

}  // namespace

PlaceWeights::PlaceWeights(std::vector<Stage> stages) : stages_(std::move(stages)) {
    const std::int64_t deepest = stages_.back().width;
    for (const Stage& stage : stages_) {
        begins_.push_back(size_);
        size_ += stage.pixels();
        std::vector<std::int32_t>& columns = columns_.emplace_back();
        columns.reserve(static_cast<std::size_t>(stage.width));
        for (std::int64_t column = 0; column < stage.width; ++column) {
            columns.push_back(static_cast<std::int32_t>(column * deepest / stage.width));
        }
    }
}

void PlaceWeights::compute(std::int64_t image, float* weights) const noexcept {
    const Stage& deepest = stages_.back();
    float* const deepest_weights = weights + begins_.back();
    measure(deepest, image, deepest_weights);
    normalise(deepest_weights, deepest.pixels());
    for (std::size_t stage = 0; stage + 1 < stages_.size(); ++stage) {
        float* const own = weights + begins_[stage];
        spread(deepest_weights, deepest, stages_[stage], columns_[stage], own);
        normalise(own, stages_[stage].pixels());
    }
}

}  // namespace lookalike
