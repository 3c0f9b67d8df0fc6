#include "multiscale_fuse.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "clones.h"
#include "lanes.h"

namespace lookalike {
namespace {

// A guard against dividing by zero; the same number as in torch.nn.functional.normalize.
constexpr double kSmallestNorm = 1e-12;

// Adds up `kStreams` rows of `length` floats, `apart` floats apart, in kLanes lanes each; the lanes of the
// rows are `lanes_apart` floats apart.
template <int kStreams>
inline void sum_lanes(const float* data, std::int64_t apart, std::int64_t length, float* lanes,
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
                sums[s][k] += data[s * apart + i + k];
            }
        }
    }
    const auto rest = static_cast<int>(length - whole);
    for (int s = 0; s < kStreams; ++s) {
        const float* tail = data + s * apart + whole;
        float* out = lanes + s * lanes_apart;
#pragma omp simd
        for (int k = 0; k < kLanes; ++k) {
            out[k] = sums[s][k] + (k < rest ? tail[k] : 0.0F);
        }
    }
}

// Sums of `rows` (at most kBlockRows) rows of `length` floats, `stride` floats apart.
LOOKALIKE_CLONES
void sum_rows(const float* data, std::int64_t rows, std::int64_t stride, std::int64_t length,
              float* sums) noexcept {
    float lanes[kBlockRows * kLanes];
    const std::int64_t share = rows / kRowStreams;
    for (std::int64_t row = 0; row < share; ++row) {
        sum_lanes<kRowStreams>(data + row * stride, share * stride, length, lanes + row * kLanes,
                               share * kLanes);
    }
    for (std::int64_t row = share * kRowStreams; row < rows; ++row) {
        sum_lanes<1>(data + row * stride, 0, length, lanes + row * kLanes, 0);
    }
    fold_lanes(lanes, rows, sums);
}

// The sum of `rows` consecutive rows of `width` floats, column by column.
LOOKALIKE_CLONES
void sum_columns(const float* data, std::int64_t rows, std::int64_t width, float* sums) noexcept {
    std::fill(sums, sums + width, 0.0F);
    const std::int64_t share = rows / kColumnStreams;
    const std::int64_t apart = share * width;
    for (std::int64_t row = 0; row < share; ++row) {
        const float* p = data + row * width;
        const auto add = [p, apart, sums](std::int64_t c) {
            const float left = (p[c] + p[c + apart]) + (p[c + 2 * apart] + p[c + 3 * apart]);
            const float right = (p[c + 4 * apart] + p[c + 5 * apart]) + (p[c + 6 * apart] + p[c + 7 * apart]);
            sums[c] += left + right;
        };
        std::int64_t column = 0;
        for (; column + kLanes <= width; column += kLanes) {
            for (int s = 0; s < kColumnStreams; ++s) {
                ask_for(p + s * apart + column + kColumnsAhead);
            }
#pragma omp simd
            for (std::int64_t c = column; c < column + kLanes; ++c) {
                add(c);
            }
        }
        for (; column < width; ++column) {
            add(column);
        }
    }
    for (std::int64_t row = share * kColumnStreams; row < rows; ++row) {
        const float* p = data + row * width;
#pragma omp simd
        for (std::int64_t c = 0; c < width; ++c) {
            sums[c] += p[c];
        }
    }
}

// Adds the other slices to the first.
LOOKALIKE_CLONES
void fold_slices(float* sums, std::int64_t slices, std::int64_t channels) noexcept {
    for (std::int64_t s = 1; s < slices; ++s) {
        const float* slice = sums + s * channels;
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) {
            sums[c] += slice[c];
        }
    }
}

template <int kRepeats>
inline void add_repeated(const float* values, std::int64_t channels, float scale, float* out) noexcept {
    for (std::int64_t c = 0; c < channels; ++c) {
        const float value = values[c] * scale;
        for (int k = 0; k < kRepeats; ++k) {
            out[c * kRepeats + k] += value;
        }
    }
}

// out[j] += scale * values[floor(j * channels / dimension)]. The usual networks double their channels from
// stage to stage, so that each value is repeated 1, 2, 4 or 8 times.
LOOKALIKE_CLONES
void add_expanded(const float* values, std::int64_t channels, float scale, std::int64_t dimension,
                  float* out) noexcept {
    const std::int64_t repeats = dimension % channels == 0 ? dimension / channels : 0;
    if (repeats == 1) {
        add_repeated<1>(values, channels, scale, out);
    } else if (repeats == 2) {
        add_repeated<2>(values, channels, scale, out);
    } else if (repeats == 4) {
        add_repeated<4>(values, channels, scale, out);
    } else if (repeats == 8) {
        add_repeated<8>(values, channels, scale, out);
    } else {
        // j * channels = c * dimension + past, kept without a division.
        std::int64_t c = 0;
        std::int64_t past = 0;
        for (std::int64_t j = 0; j < dimension; ++j) {
            out[j] += values[c] * scale;
            past += channels;
            if (past >= dimension) {
                past -= dimension;
                ++c;
            }
        }
    }
}

LOOKALIKE_CLONES
void to_unit_length(float* row, std::int64_t dimension) noexcept {
    double squares = 0;
#pragma omp simd reduction(+ : squares)
    for (std::int64_t j = 0; j < dimension; ++j) {
        squares += static_cast<double>(row[j]) * row[j];
    }
    const auto scale = static_cast<float>(1.0 / std::max(std::sqrt(squares), kSmallestNorm));
#pragma omp simd
    for (std::int64_t j = 0; j < dimension; ++j) {
        row[j] *= scale;
    }
}

}  // namespace

Fusion::Fusion(std::vector<Stage> stages, std::int64_t images, std::int64_t dimension, bool normalize)
    : plan_(std::move(stages), images), dimension_(dimension), normalize_(normalize) {}

void Fusion::pool(std::int64_t begin, std::int64_t end, float* sums) const noexcept {
    plan_.each(begin, end, [sums](const Stage& stage, const Block& block, const float* data, std::int64_t offset) {
        if (stage.layout == Layout::planes) {
            sum_rows(data, block.channels, stage.pixels(), block.pixels, sums + offset);
        } else {
            sum_columns(data, block.pixels, stage.channels, sums + offset);
        }
    });
}

void Fusion::fuse(std::int64_t begin, std::int64_t end, float* sums, float* out) const noexcept {
    const std::vector<Stage>& stages = plan_.stages();
    for (std::int64_t image = begin; image < end; ++image) {
        float* row = out + image * dimension_;
        std::fill(row, row + dimension_, 0.0F);
        for (std::size_t s = 0; s < stages.size(); ++s) {
            const Stage& stage = stages[s];
            float* values = sums + image * plan_.image_sums() + plan_.slices(s).sums;
            fold_slices(values, plan_.slices(s).count, stage.channels);
            const auto count = static_cast<double>(stage.pixels()) * static_cast<double>(stages.size());
            add_expanded(values, stage.channels, static_cast<float>(1.0 / count), dimension_, row);
        }
        if (normalize_) {
            to_unit_length(row, dimension_);
        }
    }
}

}  // namespace lookalike
