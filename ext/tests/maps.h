// Maps to test kernels with: each lies in memory of exactly its size, so that the sanitizers see a read past its end.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "../csrc/block_plan.h"

using lookalike::Layout;
using lookalike::Stage;

struct Map {
    std::int64_t channels;
    std::int64_t height;
    std::int64_t width;
    Layout layout;
    std::vector<float> data;

    std::int64_t pixels() const { return height * width; }

    std::size_t index(std::int64_t image, std::int64_t channel, std::int64_t pixel) const {
        const std::int64_t inside = layout == Layout::planes ? channel * pixels() + pixel : pixel * channels + channel;
        return static_cast<std::size_t>(image * channels * pixels() + inside);
    }
};

inline Map make_map(std::int64_t images, std::int64_t channels, std::int64_t height, std::int64_t width, Layout layout,
                    float low = -1.0F, float high = 2.0F) {
    static std::mt19937 generator(7);
    std::uniform_real_distribution<float> values(low, high);
    Map map{channels, height, width, layout, {}};
    map.data.resize(static_cast<std::size_t>(images * channels * height * width));
    std::generate(map.data.begin(), map.data.end(), [&] { return values(generator); });
    return map;
}

// A map of which only the number of pixels matters.
inline Map make_map(std::int64_t images, std::int64_t channels, std::int64_t pixels, Layout layout, float low = -1.0F,
                    float high = 2.0F) {
    return make_map(images, channels, 1, pixels, layout, low, high);
}

inline std::vector<Stage> stages_of(const std::vector<Map>& maps) {
    std::vector<Stage> stages;
    for (const Map& map : maps) {
        stages.push_back({map.data.data(), map.channels, map.height, map.width, map.channels * map.pixels(), map.layout});
    }
    return stages;
}

// The maps of the image `image` alone.
inline std::vector<Map> alone(std::vector<Map> maps, std::int64_t image) {
    for (Map& map : maps) {
        const auto begin = map.data.begin() + image * map.channels * map.pixels();
        map.data = std::vector<float>(begin, begin + map.channels * map.pixels());
    }
    return maps;
}

// Calls work(begin, end) until [0, count) is done, `step` at a time, from the front or from the back.
template <typename Work>
void in_order(std::int64_t count, std::int64_t step, bool backwards, const Work& work) {
    const std::int64_t steps = (count + step - 1) / step;
    for (std::int64_t i = 0; i < steps; ++i) {
        const std::int64_t begin = (backwards ? steps - 1 - i : i) * step;
        work(begin, std::min(begin + step, count));
    }
}
