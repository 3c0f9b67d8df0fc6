#include "fuse.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "clones.h"

namespace lookalike {
namespace {

// Floats in a block: 64 KB, so that two threads share even a single image evenly, and a block is still long
// enough for the hardware to read ahead. A block has at most kBlockRows rows, so that the lanes fit in L1.
constexpr std::int64_t kBlockFloats = 16384;
constexpr std::int64_t kBlockRows = 256;

// Numbers that are added up side by side: one register of the widest processors.
constexpr std::int64_t kLanes = 16;

// One core has more reads under way when it reads from several places at once, each a stream of its own to the
// hardware that reads ahead; and memory is what these functions wait for. The asking ahead is measured too.
constexpr std::int64_t kRowStreams = 4;
constexpr std::int64_t kColumnStreams = 8;
constexpr std::int64_t kRowsAhead = 1024 / sizeof(float);
constexpr std::int64_t kColumnsAhead = 512 / sizeof(float);

// A guard against dividing by zero; the same number as in torch.nn.functional.normalize.
constexpr double kSmallestNorm = 1e-12;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The size of equal parts of `total`, a multiple of `unit`, none larger than `most` if that is possible.
constexpr std::int64_t even_part(std::int64_t total, std::int64_t most, std::int64_t unit) {
    const std::int64_t parts = ceil_div(total, std::max(most / unit * unit, unit));
    return ceil_div(ceil_div(total, parts), unit) * unit;
}

inline void ask_for([[maybe_unused]] const float* address) {
#if defined(__GNUC__)
    __builtin_prefetch(address);
#endif
}

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
    for (std::int64_t count = rows * kLanes / 2; count >= rows; count /= 2) {
        float* out = count == rows ? sums : lanes;
#pragma omp simd
        for (std::int64_t k = 0; k < count; ++k) {
            out[k] = lanes[2 * k] + lanes[2 * k + 1];
        }
    }
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
    : stages_(std::move(stages)), images_(images), dimension_(dimension), normalize_(normalize) {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
        cut(stage);
    }
}

void Fusion::cut(std::size_t stage) {
    const auto [data, channels, pixels, stride, layout] = stages_[stage];
    // Planes are cut across channels, pixels across pixels; very large planes across both.
    std::int64_t channel_step = channels;
    std::int64_t pixel_step = 0;
    if (layout == Layout::planes) {
        pixel_step = even_part(pixels, kBlockFloats, kLanes);
        channel_step = even_part(channels, std::min(kBlockFloats / pixel_step, kBlockRows), kRowStreams);
    } else {
        pixel_step = even_part(pixels, kBlockFloats / channels, kColumnStreams);
    }
    places_.push_back({image_sums_, ceil_div(pixels, pixel_step)});
    for (std::int64_t pixel = 0; pixel < pixels; pixel += pixel_step) {
        for (std::int64_t channel = 0; channel < channels; channel += channel_step) {
            blocks_.push_back({stage, channel, std::min(channel_step, channels - channel), pixel,
                               std::min(pixel_step, pixels - pixel), image_sums_ + channel});
        }
        image_sums_ += channels;
    }
}

void Fusion::pool(std::int64_t begin, std::int64_t end, float* sums) const noexcept {
    const auto per_image = static_cast<std::int64_t>(blocks_.size());
    for (std::int64_t index = begin; index < end; ++index) {
        const std::int64_t image = index / per_image;
        const Block& block = blocks_[static_cast<std::size_t>(index % per_image)];
        const Stage& stage = stages_[block.stage];
        const float* data = stage.data + image * stage.image_stride;
        float* out = sums + image * image_sums_ + block.sums;
        if (stage.layout == Layout::planes) {
            data += block.channel * stage.pixels + block.pixel;
            sum_rows(data, block.channels, stage.pixels, block.pixels, out);
        } else {
            sum_columns(data + block.pixel * stage.channels, block.pixels, stage.channels, out);
        }
    }
}

void Fusion::fuse(std::int64_t begin, std::int64_t end, float* sums, float* out) const noexcept {
    for (std::int64_t image = begin; image < end; ++image) {
        float* row = out + image * dimension_;
        std::fill(row, row + dimension_, 0.0F);
        for (std::size_t s = 0; s < stages_.size(); ++s) {
            const Stage& stage = stages_[s];
            float* values = sums + image * image_sums_ + places_[s].sums;
            fold_slices(values, places_[s].slices, stage.channels);
            const auto count = static_cast<double>(stage.pixels) * static_cast<double>(stages_.size());
            add_expanded(values, stage.channels, static_cast<float>(1.0 / count), dimension_, row);
        }
        if (normalize_) {
            to_unit_length(row, dimension_);
        }
    }
}

}  // namespace lookalike
