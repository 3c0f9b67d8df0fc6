#include "weighted_pool.h"

#include <algorithm>
#include <cmath>

#include "clones.h"
#include "lanes.h"
#include "block_plan.h"

namespace lookalike {
namespace {

// Added to the variance, as in multiscale_moments.cpp.
constexpr float kVarianceFloor = 1e-6F;

// Rows whose lanes are folded at a time.
constexpr std::int64_t kRowBatch = 32;

// What dividing by a sum of weights is done with. A part without weight counts for nothing and has the mean 0.
inline float reciprocal(float weight) noexcept { return weight > 0.0F ? 1.0F / weight : 0.0F; }

// Weighted sums of kStreams rows of `length` floats, `apart` floats apart, in kLanes lanes each; the lanes of the rows
// are `lanes_apart` floats apart.
template <int kStreams>
inline void sum_lanes(const float* data, std::int64_t apart, const float* weights, std::int64_t length, float* lanes,
                      std::int64_t lanes_apart) noexcept {
    float sums[kStreams][kLanes] = {};
    const std::int64_t whole = length / kLanes * kLanes;
    for (std::int64_t i = 0; i < whole; i += kLanes) {
        for (int s = 0; s < kStreams; ++s) {
            ask_for(data + s * apart + i + kRowsAhead);
        }
#pragma omp simd
        for (std::int64_t k = 0; k < kLanes; ++k) {
            for (int s = 0; s < kStreams; ++s) {
                sums[s][k] += weights[i + k] * data[s * apart + i + k];
            }
        }
    }
    const auto rest = static_cast<int>(length - whole);
    for (int s = 0; s < kStreams; ++s) {
        const float* tail = data + s * apart + whole;
        float* out = lanes + s * lanes_apart;
#pragma omp simd
        for (int k = 0; k < kLanes; ++k) {
            out[k] = sums[s][k] + (k < rest ? weights[whole + k] * tail[k] : 0.0F);
        }
    }
}

// Weighted sums of the distances from each row's mean, which are small and tell how far off the mean itself was
// rounded, and of the squares of the distances; otherwise as sum_lanes. The means are `means_apart` floats apart.
template <int kStreams>
inline void sum_distances(const float* data, std::int64_t apart, const float* weights, std::int64_t length,
                          const float* means, std::int64_t means_apart, float* lane_distances,
                          float* lane_squares) noexcept {
    float distances[kStreams][kLanes] = {};
    float squares[kStreams][kLanes] = {};
    float mean[kStreams];
    for (int s = 0; s < kStreams; ++s) {
        mean[s] = means[s * means_apart];
    }
    const std::int64_t whole = length / kLanes * kLanes;
    for (std::int64_t i = 0; i < whole; i += kLanes) {
#pragma omp simd
        for (std::int64_t k = 0; k < kLanes; ++k) {
            for (int s = 0; s < kStreams; ++s) {
                const float distance = data[s * apart + i + k] - mean[s];
                const float weighted = weights[i + k] * distance;
                distances[s][k] += weighted;
                squares[s][k] += weighted * distance;
            }
        }
    }
    const auto rest = static_cast<int>(length - whole);
    for (int s = 0; s < kStreams; ++s) {
        const float* tail = data + s * apart + whole;
        const std::int64_t own = s * means_apart * kLanes;
#pragma omp simd
        for (int k = 0; k < kLanes; ++k) {
            const float distance = k < rest ? tail[k] - mean[s] : 0.0F;
            const float weighted = k < rest ? weights[whole + k] * distance : 0.0F;
            lane_distances[own + k] = distances[s][k] + weighted;
            lane_squares[own + k] = squares[s][k] + weighted * distance;
        }
    }
}

// Means and squared deviations of `rows` (at most kRowBatch) rows of `length` floats, `stride` floats apart. The
// weights sum to `total`.
LOOKALIKE_CLONES
void pool_row_batch(const float* data, std::int64_t rows, std::int64_t stride, const float* weights,
                    std::int64_t length, float total, float* means, float* squares) noexcept {
    float lanes[kRowBatch * kLanes];
    float lane_squares[kRowBatch * kLanes];
    float distances[kRowBatch];
    const float scale = reciprocal(total);
    const std::int64_t share = rows / kRowStreams;
    for (std::int64_t row = 0; row < share; ++row) {
        sum_lanes<kRowStreams>(data + row * stride, share * stride, weights, length, lanes + row * kLanes,
                               share * kLanes);
    }
    for (std::int64_t row = share * kRowStreams; row < rows; ++row) {
        sum_lanes<1>(data + row * stride, 0, weights, length, lanes + row * kLanes, 0);
    }
    fold_lanes(lanes, rows, means);
    for (std::int64_t row = 0; row < rows; ++row) {
        means[row] *= scale;
    }
    for (std::int64_t row = 0; row < share; ++row) {
        sum_distances<kRowStreams>(data + row * stride, share * stride, weights, length, means + row, share,
                                   lanes + row * kLanes, lane_squares + row * kLanes);
    }
    for (std::int64_t row = share * kRowStreams; row < rows; ++row) {
        sum_distances<1>(data + row * stride, 0, weights, length, means + row, 0, lanes + row * kLanes,
                         lane_squares + row * kLanes);
    }
    fold_lanes(lanes, rows, distances);
    fold_lanes(lane_squares, rows, squares);
    for (std::int64_t row = 0; row < rows; ++row) {
        const float error = distances[row] * scale;
        means[row] += error;
        squares[row] -= std::min(distances[row] * error, squares[row]);
    }
}

// What merging kCount weighted numbers into others takes: their weights, one over the sum of them, the share of the new
// numbers in the new mean, and the weight of the squared distance between the two means.
template <int kCount>
struct Merge {
    // The weights are `apart` floats apart; `total`, that of the others, becomes that of all.
    Merge(const float* all, std::int64_t apart, float& total) noexcept {
        float own = 0;
        for (int i = 0; i < kCount; ++i) {
            weights[i] = all[i * apart];
            own += weights[i];
        }
        scale = reciprocal(own);
        share = own * reciprocal(total + own);
        between = share * total;
        total += own;
    }

    float weights[kCount];
    float scale;
    float share;
    float between;
};

// Merges kCount numbers, `apart` floats apart, into a mean and its squared deviations.
template <int kCount>
inline void merge_numbers(const float* values, std::int64_t apart, const Merge<kCount>& merge, float& mean,
                          float& squares) noexcept {
    float sum = 0;
    for (int i = 0; i < kCount; ++i) {
        sum += merge.weights[i] * values[i * apart];
    }
    const float own = sum * merge.scale;
    const float distance = own - mean;
    mean += distance * merge.share;
    float within = distance * distance * merge.between;
    for (int i = 0; i < kCount; ++i) {
        const float past = values[i * apart] - own;
        within += merge.weights[i] * past * past;
    }
    squares += within;
}

}  // namespace

void pool_weighted_rows(const float* data, std::int64_t rows, std::int64_t stride, const float* weights, std::int64_t length,
               float total, float* means, float* squares) noexcept {
    for (std::int64_t row = 0; row < rows; row += kRowBatch) {
        pool_row_batch(data + row * stride, std::min(kRowBatch, rows - row), stride, weights, length, total,
                       means + row, squares + row);
    }
}

LOOKALIKE_CLONES
void pool_weighted_columns(const float* data, std::int64_t rows, std::int64_t width, const float* weights, float* means,
                  float* squares) noexcept {
    std::fill(means, means + width, 0.0F);
    std::fill(squares, squares + width, 0.0F);
    const std::int64_t share = rows / kColumnStreams;
    const std::int64_t apart = share * width;
    float total = 0;
    for (std::int64_t row = 0; row < share; ++row) {
        const Merge<kColumnStreams> merge(weights + row, share, total);
        const float* p = data + row * width;
        std::int64_t column = 0;
        for (; column + kLanes <= width; column += kLanes) {
            for (int s = 0; s < kColumnStreams; ++s) {
                ask_for(p + s * apart + column + kColumnsAhead);
            }
#pragma omp simd
            for (std::int64_t c = column; c < column + kLanes; ++c) {
                merge_numbers(p + c, apart, merge, means[c], squares[c]);
            }
        }
        for (; column < width; ++column) {
            merge_numbers(p + column, apart, merge, means[column], squares[column]);
        }
    }
    for (std::int64_t row = share * kColumnStreams; row < rows; ++row) {
        const Merge<1> merge(weights + row, 0, total);
        const float* p = data + row * width;
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) {
            merge_numbers(p + c, 0, merge, means[c], squares[c]);
        }
    }
}

LOOKALIKE_CLONES
void merge_weighted_slices(const float* means, const float* squares, const float* totals, std::int64_t slices,
                  std::int64_t channels, float* out) noexcept {
    float total = 0;
    for (std::int64_t slice = 0; slice < slices; ++slice) {
        total += totals[slice];
    }
    const float scale = reciprocal(total);
    float* deviations = out + channels;
    std::fill(out, out + 2 * channels, 0.0F);
    for (std::int64_t slice = 0; slice < slices; ++slice) {
        const float share = totals[slice] * scale;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
            out[c] += share * means[slice * channels + c];
        }
    }
    for (std::int64_t slice = 0; slice < slices; ++slice) {
        const float weight = totals[slice];
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
            const float distance = means[slice * channels + c] - out[c];
            deviations[c] += squares[slice * channels + c] + weight * distance * distance;
        }
    }
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) {
        deviations[c] = std::sqrt(deviations[c] * scale + kVarianceFloor);
    }
}

}  // namespace lookalike
