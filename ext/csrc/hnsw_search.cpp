// Where the time goes: a node lies anywhere in memory, and waiting for it takes ten times as long as comparing it. So
// a step first asks for the codes of all nodes that it will compare. (To ask for the links of those that are kept costs as
// much as it saves: fewer than half of them are followed.)
#include "hnsw_search.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <vector>

#include "clones.h"

namespace lookalike {
namespace {

constexpr std::int64_t kLine = 64;   // bytes that memory is fetched in
constexpr std::int64_t kLanes = 64;  // products that are added side by side: four registers of the widest processors

inline void ask_for_bytes([[maybe_unused]] const void* address, [[maybe_unused]] std::int64_t size) {
#if defined(__GNUC__)
    const char* first = static_cast<const char*>(address);
    for (std::int64_t at = 0; at < size; at += kLine) {
        __builtin_prefetch(first + at);
    }
#endif
}

// Sums of the numbers of the nodes' codes, each times its weight: the lower halves of bytes, then the upper ones. (The
// compiler finds the fastest form of this loop by itself, and a slower one if it is told to look for lanes.)
LOOKALIKE_CLONES void distances(const std::int16_t* __restrict weights, const std::uint8_t* __restrict records,
                                std::int64_t stride, std::int64_t width, const std::int32_t* __restrict nodes,
                                std::int64_t count, std::int32_t* __restrict out) {
    const std::int16_t* __restrict upper = weights + width;
    for (std::int64_t place = 0; place < count; ++place) {
        const std::uint8_t* __restrict code = records + nodes[place] * stride;
        std::int32_t low = 0;
        std::int32_t high = 0;
        for (std::int64_t j = 0; j < width; ++j) {
            low += static_cast<std::int32_t>(static_cast<std::int16_t>(code[j] & 15)) * weights[j];
            high += static_cast<std::int32_t>(static_cast<std::int16_t>(code[j] >> 4)) * upper[j];
        }
        out[place] = low + high;
    }
}

// `values` as whole numbers, the greatest of them being `most` or -most; all zero where nothing can be told apart.
LOOKALIKE_CLONES void widened(const float* __restrict values, std::int64_t count, float most,
                              std::int16_t* __restrict out) {
    float longest = 0.0F;
    for (std::int64_t j = 0; j < count; ++j) {
        longest = std::max(longest, std::abs(values[j]));
    }
    const float factor = longest > 1e-30F ? most / longest : 0.0F;
    for (std::int64_t j = 0; j < count; ++j) {
        out[j] = static_cast<std::int16_t>(std::nearbyint(values[j] * factor));
    }
}

LOOKALIKE_CLONES void multiply(const std::int8_t* __restrict matrix, std::int64_t rows, std::int64_t columns,
                               const float* __restrict scales, const std::int16_t* __restrict vector,
                               float* __restrict out) {
    for (std::int64_t row = 0; row < rows; ++row) {
        const std::int8_t* __restrict own = matrix + row * columns;
        std::int32_t sum = 0;
        for (std::int64_t j = 0; j < columns; ++j) {
            sum += static_cast<std::int32_t>(vector[j]) * static_cast<std::int16_t>(own[j]);
        }
        out[row] = static_cast<float>(sum) * scales[row];
    }
}

// The greatest number of 16 bits of which `count` products, with numbers up to `other`, add up to less than 2^31.
float most_of(std::int64_t count, std::int64_t other) {
    return static_cast<float>(std::min<std::int64_t>(32767, 2147483647 / (other * std::max<std::int64_t>(1, count))));
}

// The inner product, added up in an order that does not depend on the processor.
LOOKALIKE_CLONES float product(const float* __restrict a, const float* __restrict b, std::int64_t size) {
    float lanes[kLanes] = {};
    std::int64_t j = 0;
    for (; j + kLanes <= size; j += kLanes) {
#pragma omp simd
        for (std::int64_t lane = 0; lane < kLanes; ++lane) {
            lanes[lane] += a[j + lane] * b[j + lane];
        }
    }
    for (std::int64_t lane = 0; j < size; ++j, ++lane) {
        lanes[lane] += a[j] * b[j];
    }
    for (std::int64_t half = kLanes / 2; half > 0; half /= 2) {
        for (std::int64_t lane = 0; lane < half; ++lane) {
            lanes[lane] += lanes[lane + half];
        }
    }
    return lanes[0];
}

struct Near {
    std::int32_t distance;
    std::uint32_t node;  // with kSeen where its links have been followed
};
constexpr std::uint32_t kSeen = 1U << 31;

// The nearest nodes so far, nearest first, and where the nearest one stands whose links were not followed yet.
class Pool {
public:
    void reset(std::int64_t room) {
        room_ = static_cast<std::size_t>(room);
        nodes_.resize(room_);
        size_ = open_ = 0;
    }
    std::int32_t farthest() const {
        return size_ < room_ ? std::numeric_limits<std::int32_t>::max() : nodes_[size_ - 1].distance;
    }
    // Takes a node in if it is near enough.
    void insert(std::int32_t distance, std::int32_t node) {
        if (distance >= farthest()) {
            return;
        }
        const auto begin = nodes_.begin();
        const auto place = std::upper_bound(begin, begin + static_cast<std::ptrdiff_t>(size_), distance,
                                            [](std::int32_t own, const Near& near) { return own < near.distance; });
        const auto at = static_cast<std::size_t>(place - begin);
        size_ += size_ < room_ ? 1 : 0;
        std::memmove(nodes_.data() + at + 1, nodes_.data() + at, (size_ - 1 - at) * sizeof(Near));
        nodes_[at] = {distance, static_cast<std::uint32_t>(node)};
        open_ = std::min(open_, at);
    }
    // The nearest node whose links were not followed, which counts as followed from now on; -1 if there is none.
    std::int32_t next() {
        while (open_ < size_ && (nodes_[open_].node & kSeen) != 0) {
            ++open_;
        }
        if (open_ == size_) {
            return -1;
        }
        const std::uint32_t node = nodes_[open_].node;
        nodes_[open_].node = node | kSeen;
        return static_cast<std::int32_t>(node);
    }
    std::size_t size() const { return size_; }
    std::int32_t node(std::size_t place) const { return static_cast<std::int32_t>(nodes_[place].node & ~kSeen); }

private:
    std::vector<Near> nodes_;
    std::size_t room_ = 0, size_ = 0, open_ = 0;
};

// Marks on nodes, a bit each, taken off again one by one: a query marks few of many.
class Marks {
public:
    void prepare(std::int64_t count) {
        if (words_.size() < static_cast<std::size_t>(count / 64 + 1)) {
            words_.resize(static_cast<std::size_t>(count / 64 + 1), 0);
        }
    }
    // Whether it was unmarked until now. (No branch: half of the nodes are, and nothing tells which.)
    bool mark(std::int32_t node) {
        std::uint64_t& word = words_[static_cast<std::size_t>(node) / 64];
        const std::uint64_t bit = 1ULL << (static_cast<unsigned>(node) % 64);
        const bool unmarked = (word & bit) == 0;
        word |= bit;
        return unmarked;
    }
    // Nodes that were marked, to be told so that they can be cleared.
    void remember(const std::int32_t* nodes, std::size_t count) { marked_.insert(marked_.end(), nodes, nodes + count); }
    void clear() {
        for (const std::int32_t node : marked_) {
            words_[static_cast<std::size_t>(node) / 64] = 0;
        }
        marked_.clear();
    }

private:
    std::vector<std::uint64_t> words_;
    std::vector<std::int32_t> marked_;
};

// One thread's walk; kept from call to call, as its marks grow with the graph.
class Walk {
public:
    // Fills the pool with the nearest nodes to a query.
    void run(const LookalikeGraph& graph, const float* query, std::int64_t effort) {
        pool_.reset(effort);
        marks_.prepare(graph.count);
        weigh(graph, query);
        follow(graph, descend(graph));
        marks_.clear();
    }
    const Pool& pool() const { return pool_; }
    std::vector<std::pair<float, std::int64_t>>& scored() { return scored_; }

private:
    // What each number of a code weighs; negative, so that the nearest code is the one of the least sum.
    void weigh(const LookalikeGraph& graph, const float* query) {
        const std::int64_t numbers = 2 * graph.width;
        query_.resize(static_cast<std::size_t>(graph.dimension));
        values_.resize(static_cast<std::size_t>(numbers));
        weights_.resize(static_cast<std::size_t>(numbers));
        widened(query, graph.dimension, most_of(graph.dimension, 128), query_.data());
        multiply(graph.matrix, numbers, graph.dimension, graph.scales, query_.data(), values_.data());
        widened(values_.data(), numbers, -most_of(numbers, 15), weights_.data());
    }

    const std::uint8_t* record(const LookalikeGraph& graph, std::int64_t node) const {
        return graph.records + node * graph.stride;
    }

    const std::int32_t* ground(const LookalikeGraph& graph, std::int64_t node) const {
        return reinterpret_cast<const std::int32_t*>(record(graph, node) + graph.width);
    }

    // The links on an upper floor; nullptr if the node does not reach it.
    const std::int32_t* upper(const LookalikeGraph& graph, std::int32_t node, std::int64_t floor) const {
        const std::int32_t* end = graph.climbers + graph.climber_count;
        const std::int32_t* found = std::lower_bound(graph.climbers, end, node);
        if (found == end || *found != node) {
            return nullptr;
        }
        const std::int64_t block = graph.starts[found - graph.climbers] + floor - 1;
        return block < 0 || block >= graph.block_count ? nullptr : graph.floors + block * (graph.links / 2);
    }

    // Collects the links that pass `keep`, with their distances; returns how many.
    template <typename Keep>
    std::size_t measure(const LookalikeGraph& graph, const std::int32_t* links, std::int64_t most, Keep keep) {
        nodes_.resize(std::max(nodes_.size(), static_cast<std::size_t>(most)));
        distances_.resize(nodes_.size());
        std::size_t found = 0;
        for (std::int64_t place = 0; place < most && links[place] >= 0; ++place) {
            const std::int32_t link = links[place];
            if (link < graph.count) {
                nodes_[found] = link;
                found += keep(link) ? 1 : 0;
            }
        }
        for (std::size_t place = 0; place < found; ++place) {
            ask_for_bytes(record(graph, nodes_[place]), graph.width);
        }
        distances(weights_.data(), graph.records, graph.stride, graph.width, nodes_.data(),
                  static_cast<std::int64_t>(found), distances_.data());
        return found;
    }

    // From the entry down to the ground floor, on each floor to the nearest node there.
    Near descend(const LookalikeGraph& graph) {
        auto nearest = static_cast<std::int32_t>(graph.entry);
        std::int32_t least = 0;
        distances(weights_.data(), graph.records, graph.stride, graph.width, &nearest, 1, &least);
        for (std::int64_t floor = graph.top; floor > 0; --floor) {
            for (bool nearer = true; nearer;) {
                nearer = false;
                const std::int32_t* links = upper(graph, nearest, floor);
                const std::size_t found =
                    links == nullptr ? 0 : measure(graph, links, graph.links / 2, [](std::int32_t) { return true; });
                for (std::size_t place = 0; place < found; ++place) {
                    if (distances_[place] < least) {
                        least = distances_[place];
                        nearest = nodes_[place];
                        nearer = true;
                    }
                }
            }
        }
        return {least, static_cast<std::uint32_t>(nearest)};
    }

    void follow(const LookalikeGraph& graph, Near start) {
        const auto first = static_cast<std::int32_t>(start.node);
        marks_.mark(first);
        marks_.remember(&first, 1);
        pool_.insert(start.distance, first);
        for (std::int32_t node = pool_.next(); node >= 0; node = pool_.next()) {
            const std::size_t found = measure(graph, ground(graph, node), graph.links,
                                              [this](std::int32_t link) { return marks_.mark(link); });
            marks_.remember(nodes_.data(), found);
            for (std::size_t place = 0; place < found; ++place) {
                pool_.insert(distances_[place], nodes_[place]);
            }
        }
    }

    Pool pool_;
    Marks marks_;
    std::vector<std::int16_t> query_, weights_;
    std::vector<float> values_;
    std::vector<std::int32_t> nodes_, distances_;
    std::vector<std::pair<float, std::int64_t>> scored_;
};

void candidates(Walk& walk, const LookalikeGraph& graph, const float* query, std::int64_t effort, std::int64_t depth,
                std::int64_t* positions) {
    walk.run(graph, query, effort);
    for (std::int64_t place = 0; place < depth; ++place) {
        const auto at = static_cast<std::size_t>(place);
        positions[place] = at < walk.pool().size() ? walk.pool().node(at) : -1;
    }
}

void search(Walk& walk, const LookalikeGraph& graph, const float* query, std::int64_t effort, std::int64_t depth,
            const std::uint8_t* allowed, std::int64_t k, float* scores, std::int64_t* positions) {
    walk.run(graph, query, effort);
    auto& scored = walk.scored();
    scored.clear();
    for (std::size_t place = 0; place < walk.pool().size() && static_cast<std::int64_t>(scored.size()) < depth; ++place) {
        const std::int32_t node = walk.pool().node(place);
        if (allowed == nullptr || allowed[node] != 0) {
            scored.emplace_back(0.0F, node);
        }
    }
    for (std::size_t place = 0; place < scored.size(); ++place) {
        if (place + 1 < scored.size()) {
            ask_for_bytes(graph.vectors + scored[place + 1].second * graph.dimension, graph.dimension * 4);
        }
        const float score = product(graph.vectors + scored[place].second * graph.dimension, query, graph.dimension);
        scored[place].first = std::clamp(score, -1.0F, 1.0F);
    }
    const std::size_t best = std::min(scored.size(), static_cast<std::size_t>(k));
    std::partial_sort(scored.begin(), scored.begin() + static_cast<std::ptrdiff_t>(best), scored.end(),
                      [](const auto& one, const auto& other) {
                          return one.first > other.first || (one.first == other.first && one.second < other.second);
                      });
    for (std::size_t place = 0; place < static_cast<std::size_t>(k); ++place) {
        scores[place] = place < best ? scored[place].first : -std::numeric_limits<float>::infinity();
        positions[place] = place < best ? scored[place].second : -1;
    }
}

// Does something with the calling thread's own walk; 1 if there was no memory for it.
template <typename Work>
int walking(Work work) noexcept {
    thread_local Walk own;
    Walk& walk = own;  // looked up once
    try {
        work(walk);
        return 0;
    } catch (const std::bad_alloc&) {
        walk = Walk();  // its marks may be half set
        return 1;
    }
}

}  // namespace
}  // namespace lookalike

extern "C" int lookalike_graph_candidates(const LookalikeGraph* graph, const float* queries, std::int64_t count,
                                          std::int64_t effort, std::int64_t depth, std::int64_t* positions) noexcept {
    return lookalike::walking([&](lookalike::Walk& walk) {
        for (std::int64_t number = 0; number < count; ++number) {
            lookalike::candidates(walk, *graph, queries + number * graph->dimension, effort, depth,
                                  positions + number * depth);
        }
    });
}

extern "C" int lookalike_graph_search(const LookalikeGraph* graph, const float* queries, std::int64_t count,
                                      std::int64_t effort, std::int64_t depth, const std::uint8_t* allowed,
                                      std::int64_t k, float* scores, std::int64_t* positions) noexcept {
    return lookalike::walking([&](lookalike::Walk& walk) {
        for (std::int64_t number = 0; number < count; ++number) {
            lookalike::search(walk, *graph, queries + number * graph->dimension, effort, depth, allowed, k,
                              scores + number * k, positions + number * k);
        }
    });
}
