// Weighted mean and standard deviation of every channel of every stage map of a batch of images, in which a place
// counts as much as there is in the deepest map (place_weights.h). Knows no torch, no Python and no threads: the work
// is cut into blocks (block_plan.h) that may be done in any order by any number of callers.
//
// As in multiscale_moments.h, no sum of squares of the numbers themselves is ever taken: parts are merged by their means and
// their squared deviations from their own mean (Chan, Golub and LeVeque 1979), each with the sum of its weights in
// place of its number of pixels.
#pragma once

#include <cstdint>
#include <vector>

#include "place_weights.h"
#include "block_plan.h"

namespace lookalike {

class WeightedMoments {
public:
    // Every stage has at least one channel and one pixel, and `images` images. The last stage is the deepest.
    WeightedMoments(std::vector<Stage> stages, std::int64_t images);

    // The number of blocks in the batch; the number of floats of each of `means` and `squares`, of `weights`, and of an
    // image's row.
    std::int64_t blocks() const noexcept { return plan_.blocks(); }
    std::int64_t sums() const noexcept { return plan_.sums(); }
    std::int64_t weights() const noexcept { return images_ * image_weights_; }
    std::int64_t length() const noexcept { return length_; }

    // Reads the deepest maps: writes the weights of images [begin, end), and their sums over each slice of each stage.
    void weigh(std::int64_t begin, std::int64_t end, float* weights) const noexcept;

    // Reads the maps, all images weighed: writes each channel's weighted mean over the pixels of its block, and the
    // weighted sum of the squared deviations from that mean, of blocks [begin, end), into their places in `means` and
    // `squares`.
    void pool(std::int64_t begin, std::int64_t end, const float* weights, float* means, float* squares) const noexcept;

    // Merges images [begin, end), all blocks done, into rows of `out` (images × length): stage after stage its
    // channels' means, then their deviations, sqrt(variance + 1e-6).
    void merge(std::int64_t begin, std::int64_t end, const float* weights, const float* means, const float* squares,
               float* out) const noexcept;

private:
    Plan plan_;
    PlaceWeights places_;
    std::vector<std::int64_t> totals_;  // where the sums over a stage's slices begin, among an image's weights
    std::int64_t images_;
    std::int64_t image_weights_ = 0;
    std::int64_t length_ = 0;
};

}  // namespace lookalike
