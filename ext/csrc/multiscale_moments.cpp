#include "multiscale_moments.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "clones.h"
#include "lanes.h"

namespace lookalike {
namespace {

// Added to the variance, so that the formula has a gradient where a channel is flat; the same number as in
// lookalike/encoder/network/operators.py.
constexpr float kVarianceFloor = 1e-6F;

// Numbers that are merged into a lane at a time.
constexpr int kGroup = 8;

// Rows whose lanes are merged at a time, so that lanes and rows stay in L1 meanwhile.
constexpr std::int64_t kRowBatch = 32;

// What merging `group` numbers into `count` others takes: the share of the new numbers in the new mean, and the
// weight of the squared distance between the two means.
struct Merge {
    Merge(std::int64_t count, std::int64_t group) noexcept
        : share(static_cast<float>(group) / static_cast<float>(count + group)),
          weight(share * static_cast<float>(count)) {}

    float share;
    float weight;
};

template <int kCount>
inline float sum(const float* values, std::int64_t apart) noexcept {
    if constexpr (kCount == 1) {
        return values[0];
    } else {
        return sum<kCount / 2>(values, apart) + sum<kCount / 2>(values + kCount / 2 * apart, apart);
    }
}

template <int kCount>
inline float sum_squares(const float* values, std::int64_t apart, float mean) noexcept {
    if constexpr (kCount == 1) {
        return (values[0] - mean) * (values[0] - mean);
    } else {
        return sum_squares<kCount / 2>(values, apart, mean) +
               sum_squares<kCount / 2>(values + kCount / 2 * apart, apart, mean);
    }
}

// Merges kCount numbers, `apart` floats apart, into a mean and its squared deviations.
template <int kCount>
inline void take_in(const float* values, std::int64_t apart, const Merge& merge, float& mean,
                    float& squares) noexcept {
    const float own = sum<kCount>(values, apart) / kCount;
    const float distance = own - mean;
    mean += distance * merge.share;
    squares += distance * distance * merge.weight;
    if constexpr (kCount > 1) {
        squares += sum_squares<kCount>(values, apart, own);
    }
}

// Takes in the floats [begin, end) of each of kStreams rows, kCount in each lane at a time.
template <int kStreams, int kCount>
inline void take_in_rows(const float* data, std::int64_t apart, std::int64_t begin, std::int64_t end,
                         float (&means)[kStreams][kLanes], float (&squares)[kStreams][kLanes]) noexcept {
    for (std::int64_t i = begin; i < end; i += kCount * kLanes) {
        const Merge merge(i / kLanes, kCount);
        for (int s = 0; s < kStreams; ++s) {
            const float* row = data + s * apart + i;
            for (int v = 0; v < kCount; ++v) {
                ask_for(row + v * kLanes + kRowsAhead);
            }
#pragma omp simd
            for (std::int64_t k = 0; k < kLanes; ++k) {
                take_in<kCount>(row + k, kLanes, merge, means[s][k], squares[s][k]);
            }
        }
    }
}

// Means and squared deviations of the first `whole` floats, a multiple of kLanes, of kStreams rows, in kLanes
// lanes each; rows are `apart` floats apart, the lanes of the rows `lanes_apart`.
template <int kStreams>
inline void pool_lanes(const float* data, std::int64_t apart, std::int64_t whole, float* lane_means,
                       float* lane_squares, std::int64_t lanes_apart) noexcept {
    float means[kStreams][kLanes] = {};
    float squares[kStreams][kLanes] = {};
    const std::int64_t grouped = whole / (kGroup * kLanes) * (kGroup * kLanes);
    take_in_rows<kStreams, kGroup>(data, apart, 0, grouped, means, squares);
    take_in_rows<kStreams, 1>(data, apart, grouped, whole, means, squares);
    for (int s = 0; s < kStreams; ++s) {
        std::copy(means[s], means[s] + kLanes, lane_means + s * lanes_apart);
        std::copy(squares[s], squares[s] + kLanes, lane_squares + s * lanes_apart);
    }
}

// Means and squared deviations of `rows` (at most kRowBatch) rows of `length` floats, `stride` floats apart.
LOOKALIKE_CLONES
void pool_row_batch(const float* data, std::int64_t rows, std::int64_t stride, std::int64_t length, float* means,
                    float* squares) noexcept {
    float lane_means[kRowBatch * kLanes];
    float lane_squares[kRowBatch * kLanes];
    float lanes[kRowBatch * kLanes];
    const std::int64_t whole = length / kLanes * kLanes;
    const std::int64_t share = rows / kRowStreams;
    for (std::int64_t row = 0; row < share; ++row) {
        pool_lanes<kRowStreams>(data + row * stride, share * stride, whole, lane_means + row * kLanes,
                                lane_squares + row * kLanes, share * kLanes);
    }
    for (std::int64_t row = share * kRowStreams; row < rows; ++row) {
        pool_lanes<1>(data + row * stride, 0, whole, lane_means + row * kLanes, lane_squares + row * kLanes, 0);
    }
    // Each lane is `count` numbers, the first `rest` of them and one more from the row's end.
    const auto count = static_cast<float>(whole / kLanes);
    const auto rest = static_cast<int>(length - whole);
    const float scale = 1.0F / static_cast<float>(length);
    for (std::int64_t row = 0; row < rows; ++row) {
        const float* tail = data + row * stride + whole;
#pragma omp simd
        for (int k = 0; k < kLanes; ++k) {
            lanes[row * kLanes + k] = count * lane_means[row * kLanes + k] + (k < rest ? tail[k] : 0.0F);
        }
    }
    fold_lanes(lanes, rows, means);
    for (std::int64_t row = 0; row < rows; ++row) {
        means[row] *= scale;
        const float mean = means[row];
        const float* tail = data + row * stride + whole;
#pragma omp simd
        for (int k = 0; k < kLanes; ++k) {
            const float distance = lane_means[row * kLanes + k] - mean;
            const float past = k < rest ? tail[k] - mean : 0.0F;
            lane_squares[row * kLanes + k] += count * distance * distance + past * past;
        }
    }
    fold_lanes(lane_squares, rows, squares);
}

void pool_rows(const float* data, std::int64_t rows, std::int64_t stride, std::int64_t length, float* means,
               float* squares) noexcept {
    for (std::int64_t row = 0; row < rows; row += kRowBatch) {
        pool_row_batch(data + row * stride, std::min(kRowBatch, rows - row), stride, length, means + row,
                       squares + row);
    }
}

// Means and squared deviations of `rows` consecutive rows of `width` floats, column by column.
LOOKALIKE_CLONES
void pool_columns(const float* data, std::int64_t rows, std::int64_t width, float* means, float* squares) noexcept {
    std::fill(means, means + width, 0.0F);
    std::fill(squares, squares + width, 0.0F);
    const std::int64_t share = rows / kColumnStreams;
    const std::int64_t apart = share * width;
    for (std::int64_t row = 0; row < share; ++row) {
        const Merge merge(row * kColumnStreams, kColumnStreams);
        const float* p = data + row * width;
        std::int64_t column = 0;
        for (; column + kLanes <= width; column += kLanes) {
            for (int s = 0; s < kColumnStreams; ++s) {
                ask_for(p + s * apart + column + kColumnsAhead);
            }
#pragma omp simd
            for (std::int64_t c = column; c < column + kLanes; ++c) {
                take_in<kColumnStreams>(p + c, apart, merge, means[c], squares[c]);
            }
        }
        for (; column < width; ++column) {
            take_in<kColumnStreams>(p + column, apart, merge, means[column], squares[column]);
        }
    }
    for (std::int64_t row = share * kColumnStreams; row < rows; ++row) {
        const Merge merge(row, 1);
        const float* p = data + row * width;
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) {
            take_in<1>(p + c, 0, merge, means[c], squares[c]);
        }
    }
}

// Merges the slices of a stage of `pixels` pixels: writes its channels' means and deviations to `out`.
LOOKALIKE_CLONES
void merge_slices(const float* means, const float* squares, const StageSlices& slices, std::int64_t channels,
                  std::int64_t pixels, float* out) noexcept {
    const auto size = [&slices, pixels](std::int64_t slice) {
        return static_cast<float>(std::min(slices.pixels, pixels - slice * slices.pixels));
    };
    const float scale = 1.0F / static_cast<float>(pixels);
    float* deviations = out + channels;
    std::fill(out, out + 2 * channels, 0.0F);
    for (std::int64_t slice = 0; slice < slices.count; ++slice) {
        const float share = size(slice) * scale;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
            out[c] += share * means[slice * channels + c];
        }
    }
    for (std::int64_t slice = 0; slice < slices.count; ++slice) {
        const float weight = size(slice);
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

}  // namespace

MultiscaleMoments::MultiscaleMoments(std::vector<Stage> stages, std::int64_t images) : plan_(std::move(stages), images) {
    for (const Stage& stage : plan_.stages()) {
        length_ += 2 * stage.channels;
    }
}

void MultiscaleMoments::pool(std::int64_t begin, std::int64_t end, float* means, float* squares) const noexcept {
    plan_.each(begin, end, [=](const Stage& stage, const Block& block, const float* data, std::int64_t offset) {
        if (stage.layout == Layout::planes) {
            pool_rows(data, block.channels, stage.pixels(), block.pixels, means + offset, squares + offset);
        } else {
            pool_columns(data, block.pixels, stage.channels, means + offset, squares + offset);
        }
    });
}

void MultiscaleMoments::merge(std::int64_t begin, std::int64_t end, const float* means, const float* squares,
                         float* out) const noexcept {
    const std::vector<Stage>& stages = plan_.stages();
    for (std::int64_t image = begin; image < end; ++image) {
        float* row = out + image * length_;
        for (std::size_t s = 0; s < stages.size(); ++s) {
            const StageSlices& slices = plan_.slices(s);
            const std::int64_t sums = image * plan_.image_sums() + slices.sums;
            merge_slices(means + sums, squares + sums, slices, stages[s].channels, stages[s].pixels(), row);
            row += 2 * stages[s].channels;
        }
    }
}

}  // namespace lookalike
