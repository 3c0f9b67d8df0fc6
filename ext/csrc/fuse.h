// The multi-scale embedding of a batch of images: every stage map is averaged over its pixels, expanded to one
// length, averaged over the stages and brought to unit length. Knows no torch, no Python and no threads: the
// work is cut into blocks that may be done in any order by any number of callers.
//
// The blocks depend on the shapes of one image alone. A vector is therefore the same, bit for bit, whatever
// the batch it came in and however many threads shared the work.
#pragma once

#include <cstdint>
#include <vector>

namespace lookalike {

// How the numbers of one image lie in memory.
enum class Layout {
    planes,  // channel after channel (NCHW)
    pixels,  // pixel after pixel (NHWC, "channels last")
};

// One stage's maps of the whole batch. Each image is dense; images are `image_stride` floats apart.
struct Stage {
    const float* data;
    std::int64_t channels;
    std::int64_t pixels;
    std::int64_t image_stride;
    Layout layout;
};

class Fusion {
public:
    // Every stage has at least one channel and one pixel, at most `dimension` channels, and `images` images.
    Fusion(std::vector<Stage> stages, std::int64_t images, std::int64_t dimension, bool normalize);

    // The number of blocks in the batch, and the number of floats that their sums take.
    std::int64_t blocks() const noexcept { return images_ * static_cast<std::int64_t>(blocks_.size()); }
    std::int64_t sums() const noexcept { return images_ * image_sums_; }

    // Reads the maps: writes the channel sums of blocks [begin, end) into their places in `sums`.
    void pool(std::int64_t begin, std::int64_t end, float* sums) const noexcept;

    // Turns the sums of images [begin, end), all blocks done, into rows of `out` (images × dimension). Uses up
    // the sums.
    void fuse(std::int64_t begin, std::int64_t end, float* sums, float* out) const noexcept;

private:
    // Some channels over some pixels of one stage of an image; its sums start at `sums` within the image's.
    struct Block {
        std::size_t stage;
        std::int64_t channel;
        std::int64_t channels;
        std::int64_t pixel;
        std::int64_t pixels;
        std::int64_t sums;
    };

    // Where a stage's sums start within an image's: `slices` runs of as many floats as it has channels.
    struct Place {
        std::int64_t sums;
        std::int64_t slices;
    };

    void cut(std::size_t stage);

    std::vector<Stage> stages_;
    std::vector<Place> places_;
    std::vector<Block> blocks_;  // of one image
    std::int64_t images_;
    std::int64_t dimension_;
    std::int64_t image_sums_ = 0;
    bool normalize_;
};

}  // namespace lookalike
