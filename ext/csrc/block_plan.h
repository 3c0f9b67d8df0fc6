// How the maps of a batch lie in memory, and how the work on them is cut into blocks that may be done in any
// order by any number of callers.
//
// The blocks depend on the shapes of one image alone. What is made of them is therefore the same, bit for bit,
// whatever the batch an image came in and however many threads shared the work.
#pragma once

#include <cstddef>
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
    std::int64_t height;
    std::int64_t width;
    std::int64_t image_stride;
    Layout layout;

    std::int64_t pixels() const noexcept { return height * width; }
};

// Some channels over some pixels of one stage of an image. What is summed up of it takes one float a channel,
// from `sums` on within the image's.
struct Block {
    std::size_t stage;
    std::int64_t channel;
    std::int64_t channels;
    std::int64_t pixel;
    std::int64_t pixels;
    std::int64_t sums;
};

// Where a stage's sums start within an image's: `count` runs of as many floats as it has channels. Every slice
// is over `pixels` pixels; the last may be over fewer.
struct StageSlices {
    std::int64_t sums;
    std::int64_t count;
    std::int64_t pixels;
};

// A block has at most so many channels where they are planes, so that what is summed up side by side fits in L1.
constexpr std::int64_t kBlockRows = 256;

// From how many places kernels read at once: one core has more reads under way when each is a stream of its own
// to the hardware that reads ahead, and memory is what the kernels wait for. Blocks are cut to multiples of them.
constexpr std::int64_t kRowStreams = 4;
constexpr std::int64_t kColumnStreams = 8;

class Plan {
public:
    // Every stage has at least one channel and one pixel, and `images` images.
    Plan(std::vector<Stage> stages, std::int64_t images);

    const std::vector<Stage>& stages() const noexcept { return stages_; }
    const StageSlices& slices(std::size_t stage) const noexcept { return slices_[stage]; }

    // The number of blocks in the batch, and the number of floats that the sums of an image and of all images take.
    std::int64_t blocks() const noexcept { return images_ * static_cast<std::int64_t>(blocks_.size()); }
    std::int64_t image_sums() const noexcept { return image_sums_; }
    std::int64_t sums() const noexcept { return images_ * image_sums_; }

    // Calls work(stage, block, data, offset) for each of the blocks [begin, end) of the batch: `data` is where the
    // block's first number lies, `offset` is where its sums belong among those of all images.
    template <typename Work>
    void each(std::int64_t begin, std::int64_t end, const Work& work) const noexcept {
        const auto per_image = static_cast<std::int64_t>(blocks_.size());
        for (std::int64_t index = begin; index < end; ++index) {
            const std::int64_t image = index / per_image;
            const Block& block = blocks_[static_cast<std::size_t>(index % per_image)];
            const Stage& stage = stages_[block.stage];
            const std::int64_t inside = stage.layout == Layout::planes
                                            ? block.channel * stage.pixels() + block.pixel
                                            : block.pixel * stage.channels;
            work(stage, block, stage.data + image * stage.image_stride + inside, image * image_sums_ + block.sums);
        }
    }

private:
    void cut(std::size_t stage);

    std::vector<Stage> stages_;
    std::vector<StageSlices> slices_;
    std::vector<Block> blocks_;  // of one image
    std::int64_t images_;
    std::int64_t image_sums_ = 0;
};

}  // namespace lookalike
