// A search of a navigable graph whose nodes are vectors in half bytes, scored again by the vectors themselves. The graph is
// one of HNSW (Malkov and Yashunin, 2016). Knows neither Python nor who built it; plain C to the outside.
// Nothing is owned: every address must stay valid during a call. Numbers in the graph that lead nowhere are passed over,
// so that a damaged file gives wrong answers and no crash.
#pragma once

#include <cstdint>

#include "export.h"

extern "C" {

struct LookalikeGraph {
    // `count` records of `stride` bytes: `width` bytes of code, then `links` node numbers (int32) on the ground floor,
    // of which -1 is the end. Code and links side by side, so that both are fetched at once; width is a multiple of 4.
    // A code is 2 × width numbers from 0 to 15: byte j holds number j in its lower half, number width + j in the upper.
    const std::uint8_t* records;
    std::int64_t count;
    std::int64_t stride;
    std::int64_t width;
    std::int64_t links;
    // The nodes that stand on upper floors too, in rising order; the links of climbers[i] on floor f, counted from 1,
    // are the block starts[i] + f - 1 of `floors`, a block being links / 2 node numbers.
    const std::int32_t* climbers;
    const std::int64_t* starts;
    const std::int32_t* floors;
    std::int64_t climber_count;
    std::int64_t block_count;
    // Where every walk begins, on the topmost floor.
    std::int64_t entry;
    std::int64_t top;
    // How near a code is to a query is the sum of its numbers, each times what it weighs: the numbers' weights are
    // scales (2 × width) times matrix (2 × width × dimension) · query.
    const std::int8_t* matrix;
    const float* scales;
    // (count × dimension), what scores are inner products with.
    const float* vectors;
    std::int64_t dimension;
};

// For each of `queries` (count × dimension) keeps the `effort` nearest nodes of a walk, and writes the first `depth` of
// them to `positions` (count × depth), nearest first, then -1. Returns 0, or 1 if there is no memory for it.
LOOKALIKE_EXPORT int lookalike_graph_candidates(const LookalikeGraph* graph, const float* queries, std::int64_t count,
                                                std::int64_t effort, std::int64_t depth,
                                                std::int64_t* positions) noexcept;

// The same walk; then the first `depth` nodes that may be answered are scored, and the `k` best are written to `scores`
// and `positions` (count × k), best first, equal scores by rising position, then minus infinity and -1. `allowed` has a
// byte a node, 0 for those that may not be answered; nullptr allows all.
LOOKALIKE_EXPORT int lookalike_graph_search(const LookalikeGraph* graph, const float* queries, std::int64_t count,
                                            std::int64_t effort, std::int64_t depth, const std::uint8_t* allowed,
                                            std::int64_t k, float* scores, std::int64_t* positions) noexcept;
}
