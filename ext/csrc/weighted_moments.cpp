#include "weighted_moments.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "weighted_pool.h"

namespace lookalike {
namespace {

float sum_weights(const float* weights, std::int64_t count) noexcept {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (std::int64_t i = 0; i < count; ++i) {
        total += static_cast<double>(weights[i]);
    }
    return static_cast<float>(total);
}

}  // namespace

WeightedMoments::WeightedMoments(std::vector<Stage> stages, std::int64_t images)
    : plan_(std::move(stages), images), places_(plan_.stages()), images_(images), image_weights_(places_.size()) {
    for (std::size_t stage = 0; stage < plan_.stages().size(); ++stage) {
        totals_.push_back(image_weights_);
        image_weights_ += plan_.slices(stage).count;
        length_ += 2 * plan_.stages()[stage].channels;
    }
}

void WeightedMoments::weigh(std::int64_t begin, std::int64_t end, float* weights) const noexcept {
    for (std::int64_t image = begin; image < end; ++image) {
        float* const own = weights + image * image_weights_;
        places_.compute(image, own);
        for (std::size_t s = 0; s < totals_.size(); ++s) {
            const StageSlices& slices = plan_.slices(s);
            for (std::int64_t slice = 0; slice < slices.count; ++slice) {
                const std::int64_t pixel = slice * slices.pixels;
                const std::int64_t pixels = std::min(slices.pixels, plan_.stages()[s].pixels() - pixel);
                own[totals_[s] + slice] = sum_weights(own + places_.begin(s) + pixel, pixels);
            }
        }
    }
}

void WeightedMoments::pool(std::int64_t begin, std::int64_t end, const float* weights, float* means,
                           float* squares) const noexcept {
    plan_.each(begin, end, [=, this](const Stage& stage, const Block& block, const float* data, std::int64_t offset) {
        const float* const own = weights + offset / plan_.image_sums() * image_weights_;
        const float* const first = own + places_.begin(block.stage) + block.pixel;
        if (stage.layout == Layout::planes) {
            const float total = own[totals_[block.stage] + block.pixel / plan_.slices(block.stage).pixels];
            pool_weighted_rows(data, block.channels, stage.pixels(), first, block.pixels, total, means + offset,
                               squares + offset);
        } else {
            pool_weighted_columns(data, block.pixels, stage.channels, first, means + offset, squares + offset);
        }
    });
}

void WeightedMoments::merge(std::int64_t begin, std::int64_t end, const float* weights, const float* means,
                            const float* squares, float* out) const noexcept {
    const std::vector<Stage>& stages = plan_.stages();
    for (std::int64_t image = begin; image < end; ++image) {
        float* row = out + image * length_;
        for (std::size_t s = 0; s < stages.size(); ++s) {
            const StageSlices& slices = plan_.slices(s);
            const std::int64_t sums = image * plan_.image_sums() + slices.sums;
            const float* const totals = weights + image * image_weights_ + totals_[s];
            merge_weighted_slices(means + sums, squares + sums, totals, slices.count, stages[s].channels, row);
            row += 2 * stages[s].channels;
        }
    }
}

}  // namespace lookalike
