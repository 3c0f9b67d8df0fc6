// Mean and standard deviation of every channel of every stage map of a batch of images, in one pass over the
// maps. Knows no torch, no Python and no threads: the work is cut into blocks (block_plan.h) that may be done in any
// order by any number of callers.
//
// No sum of squares of the numbers themselves is ever taken, which would lose a deviation that is small beside
// its mean: parts are merged by their means and their squared deviations from their own mean (Chan, Golub and
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
#pragma once

#include <cstdint>
#include <vector>

#include "block_plan.h"

namespace lookalike {

class MultiscaleMoments {
public:
    // Every stage has at least one channel and one pixel, and `images` images.
    MultiscaleMoments(std::vector<Stage> stages, std::int64_t images);

    // The number of blocks in the batch, the number of floats that each of `means` and `squares` takes, and the
    // number of floats of an image's row.
    std::int64_t blocks() const noexcept { return plan_.blocks(); }
    std::int64_t sums() const noexcept { return plan_.sums(); }
    std::int64_t length() const noexcept { return length_; }

    // Reads the maps: writes each channel's mean over the pixels of its block, and the sum of the squared
    // deviations from that mean, of blocks [begin, end), into their places in `means` and `squares`.
    void pool(std::int64_t begin, std::int64_t end, float* means, float* squares) const noexcept;

    // Merges images [begin, end), all blocks done, into rows of `out` (images × length): stage after stage its
    // channels' means, then their deviations, sqrt(variance + 1e-6).
    void merge(std::int64_t begin, std::int64_t end, const float* means, const float* squares,
               float* out) const noexcept;

private:
    Plan plan_;
    std::int64_t length_ = 0;
};

}  // namespace lookalike
