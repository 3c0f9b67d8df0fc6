// How much each place of an image's maps counts: in proportion to the energy, the squared length, of the vector that
// the deepest map has there. Knows no torch, no Python and no threads.
#pragma once

#include <cstdint>
#include <vector>

#include "block_plan.h"

namespace lookalike {

class PlaceWeights {
public:
    // The last stage is the deepest. Every stage has at least one channel and one pixel.
    explicit PlaceWeights(std::vector<Stage> stages);

    // The number of weights of an image, one for each pixel of each stage, and where those of a stage begin.
    std::int64_t size() const noexcept { return size_; }
    std::int64_t begin(std::size_t stage) const noexcept { return begins_[stage]; }

    // Reads the deepest map of an image and writes the image's weights. Those of each stage sum to 1, and none is
    // so small but 0 that a number could not be divided by it. Where the deepest map is 0, or so large that float
    // cannot hold its energy, all places count alike.
    void compute(std::int64_t image, float* weights) const noexcept;

private:
    std::vector<Stage> stages_;
    std::vector<std::int64_t> begins_;
    std::vector<std::vector<std::int32_t>> columns_;  // of each stage: the deepest map's column over each of its own
    std::int64_t size_ = 0;
};

}  // namespace lookalike
