// The operators of lookalike as PyTorch sees them: schemas, checks, memory and threads. The arithmetic is in
// multiscale_fuse.cpp, multiscale_moments.cpp, weighted_moments.cpp and channel_moments.cpp.
//
// Written against PyTorch's stable ABI: the library needs no Python symbol, and one build serves later
// versions of PyTorch too.
//
// No argument is written to, and no result shares memory with an argument (no schema has a mark for either).
// The operators are for inference: they define no gradient.

#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "multiscale_fuse.h"
#include "channel_moments.h"
#include "block_plan.h"
#include "multiscale_moments.h"
#include "weighted_moments.h"

STABLE_TORCH_LIBRARY(lookalike, library) {
    library.def("multiscale_fuse(Tensor[] maps, int dimension, bool normalize=True) -> Tensor");
    library.def("multiscale_moments(Tensor[] maps, bool weighted=False) -> Tensor");
    library.def("channel_moments(Tensor images) -> Tensor");
}

namespace {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

// The least work to give a thread at a time.
constexpr std::int64_t kChunkFloats = 16384;
constexpr std::int64_t kChunkImages = 64;
constexpr std::int64_t kChunkWeighed = 4;
constexpr std::int64_t kChunkPixels = 65536;

template <typename... Parts>
[[noreturn]] void fail(const Parts&... parts) {
    std::ostringstream message;
    (message << ... << parts);
    throw std::runtime_error(message.str());
}

std::string shape_of(const Tensor& tensor) {
    std::ostringstream text;
    text << '(';
    for (std::int64_t d = 0; d < tensor.dim(); ++d) {
        text << (d == 0 ? "" : ", ") << tensor.size(d);
    }
    text << ')';
    return text.str();
}

// Calls work(begin, end) until [0, count) is done, `chunk` at a time, on all of PyTorch's threads. Threads
// fetch chunks as they become free: on a shared machine equal shares would wait for the busiest core.
template <typename Work>
void share(std::int64_t count, std::int64_t chunk, const Work& work) {
    const std::int64_t chunks = (count + chunk - 1) / chunk;
    const auto threads = std::min<std::int64_t>(torch::stable::get_num_threads(), chunks);
    if (threads <= 1) {
        work(std::int64_t{0}, count);
        return;
    }
    std::atomic<std::int64_t> next{0};
    torch::stable::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
        for (std::int64_t begin = next.fetch_add(chunk); begin < count; begin = next.fetch_add(chunk)) {
            work(begin, std::min(begin + chunk, count));
        }
    });
}

// `most` is how many channels a map may have, or 0 for any number.
void check_map(const char* name, const Tensor& map, std::size_t stage, std::size_t stages, std::int64_t images,
               std::int64_t most) {
    const auto refuse = [&](const auto&... parts) {
        fail(name, ": stage ", stage + 1, " of ", stages, ": expected ", parts...);
    };
    if (!map.is_cpu()) {
        refuse("a tensor on the CPU, got one on another device");
    }
    if (map.scalar_type() != ScalarType::Float) {
        refuse("dtype float32, got ", torch::headeronly::toString(map.scalar_type()));
    }
    if (map.dim() != 4) {
        refuse("4 dimensions (images, channels, height, width), got ", map.dim(), ": shape ", shape_of(map));
    }
    if (map.size(0) != images) {
        refuse(images, " images as in stage 1, got ", map.size(0), ": shape ", shape_of(map));
    }
    if (most > 0 && (map.size(1) < 1 || map.size(1) > most)) {
        refuse("1 to ", most, " channels (the dimension asked for), got ", map.size(1), ": shape ", shape_of(map));
    }
    if (map.size(1) < 1) {
        refuse("at least one channel, got shape ", shape_of(map));
    }
    if (map.size(2) < 1 || map.size(3) < 1) {
        refuse("at least one pixel, got shape ", shape_of(map));
    }
}

// Whether each image of the map is dense in the given order. A dimension of size 1 may have any stride.
bool is_dense(const Tensor& map, lookalike::Layout layout) {
    const std::int64_t channels = map.size(1), height = map.size(2), width = map.size(3);
    const bool planes = layout == lookalike::Layout::planes;
    return (channels == 1 || map.stride(1) == (planes ? height * width : 1)) &&
           (height == 1 || map.stride(2) == (planes ? width : width * channels)) &&
           (width == 1 || map.stride(3) == (planes ? 1 : channels));
}

// Describes the map to the kernel. A map that is dense in neither order is replaced by a dense copy.
lookalike::Stage describe(Tensor& map) {
    using lookalike::Layout;
    // A map of a single pixel is dense in both orders, and is read faster as one row of channels.
    Layout layout = Layout::pixels;
    if (!is_dense(map, layout) || map.size(1) == 1) {
        layout = Layout::planes;
        if (!is_dense(map, layout)) {
            map = torch::stable::contiguous(map);
        }
    }
    return {map.const_data_ptr<float>(), map.size(1), map.size(2), map.size(3), map.stride(0), layout};
}

// The maps of all stages, checked and described.
struct Batch {
    std::vector<lookalike::Stage> stages;
    std::int64_t images;
    std::int64_t floats = 0;

    // `name` is the operator's, for messages; `most` is as in check_map. A map that needs a dense copy is replaced
    // by it in `maps`, which the description points into.
    Batch(const char* name, std::vector<Tensor>& maps, std::int64_t most) {
        if (maps.empty()) {
            fail(name, ": expected the map of at least one stage, got an empty list");
        }
        images = maps[0].dim() > 0 ? maps[0].size(0) : 0;
        stages.reserve(maps.size());
        for (std::size_t stage = 0; stage < maps.size(); ++stage) {
            check_map(name, maps[stage], stage, maps.size(), images, most);
            stages.push_back(describe(maps[stage]));
            floats += maps[stage].numel();
        }
    }

    // The blocks to give a thread at a time. Waking a thread costs about as much as reading a chunk; what is
    // left to do of an image after its blocks is done in a microsecond.
    std::int64_t chunk(std::int64_t blocks) const { return 1 + blocks * kChunkFloats / floats; }
};

std::unique_ptr<float[]> room(std::int64_t floats) {
    return std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(floats));
}

Tensor multiscale_fuse(std::vector<Tensor> maps, std::int64_t dimension, bool normalize) {
    if (dimension < 1) {
        fail("multiscale_fuse: expected a dimension of at least 1, got ", dimension);
    }
    Batch batch("multiscale_fuse", maps, dimension);
    Tensor result = torch::stable::new_empty(maps[0], {batch.images, dimension});
    if (batch.images == 0) {
        return result;
    }
    const lookalike::Fusion fusion(std::move(batch.stages), batch.images, dimension, normalize);
    const auto sums = room(fusion.sums());
    auto* const out = result.mutable_data_ptr<float>();
    share(fusion.blocks(), batch.chunk(fusion.blocks()),
          [&](auto begin, auto end) { fusion.pool(begin, end, sums.get()); });
    share(batch.images, kChunkImages, [&](auto begin, auto end) { fusion.fuse(begin, end, sums.get(), out); });
    return result;
}

void write_moments(Batch& batch, float* out) {
    const lookalike::MultiscaleMoments moments(std::move(batch.stages), batch.images);
    const auto means = room(moments.sums());
    const auto squares = room(moments.sums());
    share(moments.blocks(), batch.chunk(moments.blocks()),
          [&](auto begin, auto end) { moments.pool(begin, end, means.get(), squares.get()); });
    share(batch.images, kChunkImages,
          [&](auto begin, auto end) { moments.merge(begin, end, means.get(), squares.get(), out); });
}

void write_weighted_moments(Batch& batch, float* out) {
    const lookalike::WeightedMoments moments(std::move(batch.stages), batch.images);
    const auto weights = room(moments.weights());
    const auto means = room(moments.sums());
    const auto squares = room(moments.sums());
    share(batch.images, kChunkWeighed, [&](auto begin, auto end) { moments.weigh(begin, end, weights.get()); });
    share(moments.blocks(), batch.chunk(moments.blocks()),
          [&](auto begin, auto end) { moments.pool(begin, end, weights.get(), means.get(), squares.get()); });
    share(batch.images, kChunkImages, [&](auto begin, auto end) {
        moments.merge(begin, end, weights.get(), means.get(), squares.get(), out);
    });
}

Tensor multiscale_moments(std::vector<Tensor> maps, bool weighted) {
    Batch batch("multiscale_moments", maps, 0);
    std::int64_t length = 0;
    for (const lookalike::Stage& stage : batch.stages) {
        length += 2 * stage.channels;
    }
    Tensor result = torch::stable::new_empty(maps[0], {batch.images, length});
    if (batch.images > 0) {
        (weighted ? write_weighted_moments : write_moments)(batch, result.mutable_data_ptr<float>());
    }
    return result;
}

Tensor channel_moments(Tensor images) {
    if (!images.is_cpu()) {
        fail("channel_moments: expected images on the CPU, got them on another device");
    }
    if (images.scalar_type() != ScalarType::Byte) {
        fail("channel_moments: expected dtype uint8, got ", torch::headeronly::toString(images.scalar_type()));
    }
    if (images.dim() != 4 || images.size(3) != 3) {
        fail("channel_moments: expected shape (images, height, width, 3), got ", shape_of(images));
    }
    if (!images.is_contiguous()) {
        images = torch::stable::contiguous(images);
    }
    const auto* const data = images.const_data_ptr<std::uint8_t>();
    std::mutex lock;
    lookalike::ChannelMoments total;
    share(images.numel() / 3, kChunkPixels, [&](auto begin, auto end) {
        const lookalike::ChannelMoments part = lookalike::channel_moments(data + 3 * begin, end - begin);
        const std::lock_guard<std::mutex> guard(lock);
        total += part;
    });
    Tensor result = torch::stable::new_empty(images, {2, 3}, ScalarType::Double);
    auto* const out = result.mutable_data_ptr<double>();
    for (std::size_t channel = 0; channel < 3; ++channel) {
        out[channel] = static_cast<double>(total.sums[channel]);
        out[3 + channel] = static_cast<double>(total.squares[channel]);
    }
    return result;
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(lookalike, CPU, library) {
    library.impl("multiscale_fuse", TORCH_BOX(&multiscale_fuse));
    library.impl("multiscale_moments", TORCH_BOX(&multiscale_moments));
    library.impl("channel_moments", TORCH_BOX(&channel_moments));
}
