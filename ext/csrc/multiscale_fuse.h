// The multi-scale embedding of a batch of images: every stage map is averaged over its pixels, expanded to one
// length, averaged over the stages and brought to unit length. Knows no torch, no Python and no threads: the
// work is cut into blocks (block_plan.h) that may be done in any order by any number of callers.
#pragma once

#include <cstdint>
#include <vector>

#include "block_plan.h"

namespace lookalike {

class Fusion {
public:
    // Every stage has at least one channel and one pixel, at most `dimension` channels, and `images` images.
    Fusion(std::vector<Stage> stages, std::int64_t images, std::int64_t dimension, bool normalize);

    // The number of blocks in the batch, and the number of floats that their sums take.
    std::int64_t blocks() const noexcept { return plan_.blocks(); }
    std::int64_t sums() const noexcept { return plan_.sums(); }

    // Reads the maps: writes the channel sums of blocks [begin, end) into their places in `sums`.
    void pool(std::int64_t begin, std::int64_t end, float* sums) const noexcept;

    // Turns the sums of images [begin, end), all blocks done, into rows of `out` (images × dimension). Uses up
    // the sums.
    void fuse(std::int64_t begin, std::int64_t end, float* sums, float* out) const noexcept;

private:
    Plan plan_;
    std::int64_t dimension_;
    bool normalize_;
};

}  // namespace lookalike
