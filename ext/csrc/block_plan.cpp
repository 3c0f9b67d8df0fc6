#include "block_plan.h"

#include <algorithm>
#include <utility>

#include "lanes.h"

namespace lookalike {
namespace {

// Floats in a block: 64 KB, so that two threads share even a single image evenly, and a block is still long
// enough for the hardware to read ahead.
constexpr std::int64_t kBlockFloats = 16384;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The size of equal parts of `total`, a multiple of `unit`, none larger than `most` if that is possible.
constexpr std::int64_t even_part(std::int64_t total, std::int64_t most, std::int64_t unit) {
    const std::int64_t parts = ceil_div(total, std::max(most / unit * unit, unit));
    return ceil_div(ceil_div(total, parts), unit) * unit;
}

}  // namespace

Plan::Plan(std::vector<Stage> stages, std::int64_t images) : stages_(std::move(stages)), images_(images) {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
        cut(stage);
    }
}

void Plan::cut(std::size_t stage) {
    const std::int64_t channels = stages_[stage].channels;
    const std::int64_t pixels = stages_[stage].pixels();
    // Planes are cut across channels, pixels across pixels; very large planes across both.
    std::int64_t channel_step = channels;
    std::int64_t pixel_step = 0;
    if (stages_[stage].layout == Layout::planes) {
        pixel_step = even_part(pixels, kBlockFloats, kLanes);
        channel_step = even_part(channels, std::min(kBlockFloats / pixel_step, kBlockRows), kRowStreams);
    } else {
        pixel_step = even_part(pixels, kBlockFloats / channels, kColumnStreams);
    }
    slices_.push_back({image_sums_, ceil_div(pixels, pixel_step), pixel_step});
    for (std::int64_t pixel = 0; pixel < pixels; pixel += pixel_step) {
        for (std::int64_t channel = 0; channel < channels; channel += channel_step) {
            blocks_.push_back({stage, channel, std::min(channel_step, channels - channel), pixel,
                               std::min(pixel_step, pixels - pixel), image_sums_ + channel});
        }
        image_sums_ += channels;
    }
}

}  // namespace lookalike
