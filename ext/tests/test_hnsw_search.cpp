// Walks of graphs in which every node is linked with every other: what they find is known by comparing all.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "../csrc/hnsw_search.h"
#include "check.h"

namespace {

constexpr std::int64_t kCount = 40, kDimension = 70, kWidth = 36, kLinks = 40, kStride = 256;
constexpr std::int64_t kNumbers = 2 * kWidth;  // of a code; the last two are nothing, as there are 70 components

// Vectors at random; codes are their numbers in steps of a twentieth, as the matrix is the unit matrix.
struct World {
    std::vector<float> vectors = std::vector<float>(kCount * kDimension);
    std::vector<std::int8_t> matrix = std::vector<std::int8_t>(kNumbers * kDimension);
    std::vector<float> scales = std::vector<float>(kNumbers, 1.0F / 127.0F);
    std::vector<std::uint8_t> records = std::vector<std::uint8_t>(kCount * kStride);
    std::vector<std::int32_t> climbers{3, 17, 30};
    std::vector<std::int64_t> starts{0, 1, 2};
    std::vector<std::int32_t> floors = std::vector<std::int32_t>(3 * kLinks / 2, -1);
    LookalikeGraph graph{};

    explicit World(unsigned seed) {
        std::mt19937 generator(seed);
        std::normal_distribution<float> values;
        for (std::int64_t node = 0; node < kCount; ++node) {
            float* own = vectors.data() + node * kDimension;
            float length = 0.0F;
            for (std::int64_t j = 0; j < kDimension; ++j) {
                own[j] = values(generator);
                length += own[j] * own[j];
            }
            for (std::int64_t j = 0; j < kDimension; ++j) {
                own[j] /= std::sqrt(length);
            }
        }
        for (std::int64_t j = 0; j < kDimension; ++j) {
            matrix[static_cast<std::size_t>(j * kDimension + j)] = 127;
        }
        for (std::int64_t node = 0; node < kCount; ++node) {
            for (std::int64_t j = 0; j < kWidth; ++j) {
                const std::int64_t both = number(node, j) | number(node, kWidth + j) << 4;
                records[static_cast<std::size_t>(node * kStride + j)] = static_cast<std::uint8_t>(both);
            }
            for (std::int32_t other = 0; other < kLinks; ++other) {
                link(node, other, other == node ? (node + 1) % kCount : other);
            }
        }
        floors[0] = 17;            // 3 leads to 17 and back again,
        floors[kLinks / 2] = 3;    // and on to 30
        floors[kLinks / 2 + 1] = 30;
        floors[kLinks] = 17;
        graph = {records.data(), kCount, kStride, kWidth, kLinks, climbers.data(), starts.data(), floors.data(), 3, 3,
                 3, 1, matrix.data(), scales.data(), vectors.data(), kDimension};
    }

    std::int64_t number(std::int64_t node, std::int64_t j) const {
        if (j >= kDimension) {
            return 0;
        }
        const float value = vectors[static_cast<std::size_t>(node * kDimension + j)];
        return static_cast<std::int64_t>(std::clamp(20.0F * value + 8.0F, 0.0F, 15.0F));
    }

    void link(std::int64_t node, std::int64_t place, std::int64_t other) {
        const auto number = static_cast<std::int32_t>(other);
        std::memcpy(records.data() + node * kStride + kWidth + 4 * place, &number, 4);
    }

    double distance(const float* query, std::int64_t node) const {
        double sum = 0.0;
        for (std::int64_t j = 0; j < kDimension; ++j) {
            sum -= double(query[j]) * double(number(node, j));
        }
        return sum;
    }

    double score(const float* query, std::int64_t node) const {
        double sum = 0.0;
        for (std::int64_t j = 0; j < kDimension; ++j) {
            sum += double(query[j]) * vectors[static_cast<std::size_t>(node * kDimension + j)];
        }
        return sum;
    }

    // All nodes, those first whose codes are nearest.
    std::vector<std::int64_t> order(const float* query) const {
        std::vector<std::int64_t> nodes(kCount);
        std::iota(nodes.begin(), nodes.end(), 0);
        std::stable_sort(nodes.begin(), nodes.end(),
                         [&](auto one, auto other) { return distance(query, one) < distance(query, other); });
        return nodes;
    }
};

// A weight is a whole number, at most half of one beside what it should be, twice (the query's numbers are rounded too).
double rounding(const float* query) {
    float longest = 0.0F;
    for (std::int64_t j = 0; j < kDimension; ++j) {
        longest = std::max(longest, std::abs(query[j]));
    }
    return 15.0 * kDimension * double(longest) / 32767.0;
}

void test_candidates_are_the_nearest_codes() {
    const World world(1), queries(2);
    std::vector<std::int64_t> found(5 * 12);
    CHECK(lookalike_graph_candidates(&world.graph, queries.vectors.data(), 5, 15, 12, found.data()) == 0);
    for (std::int64_t number = 0; number < 5; ++number) {
        const float* query = queries.vectors.data() + number * kDimension;
        const auto nearest = world.order(query);
        for (std::size_t place = 0; place < 12; ++place) {
            const std::int64_t node = found[static_cast<std::size_t>(number) * 12 + place];
            CHECK(node >= 0 && node < kCount);
            CHECK(std::abs(world.distance(query, node) - world.distance(query, nearest[place])) <= rounding(query));
        }
    }
}

void test_candidates_end_with_minus_one() {
    const World world(1);
    std::vector<std::int64_t> found(60, 7);
    CHECK(lookalike_graph_candidates(&world.graph, world.vectors.data(), 1, 50, 60, found.data()) == 0);
    CHECK(std::count(found.begin(), found.end(), -1) == 20);
    std::sort(found.begin(), found.end());
    CHECK(std::unique(found.begin() + 20, found.end()) == found.end());
}

void test_scores_are_those_of_the_vectors_best_first() {
    const World world(3), queries(4);
    std::vector<float> scores(5 * 6);
    std::vector<std::int64_t> positions(5 * 6);
    CHECK(lookalike_graph_search(&world.graph, queries.vectors.data(), 5, kCount, kCount, nullptr, 6, scores.data(),
                                 positions.data()) == 0);
    for (std::int64_t number = 0; number < 5; ++number) {
        const float* query = queries.vectors.data() + number * kDimension;
        std::vector<double> all(kCount);
        for (std::int64_t node = 0; node < kCount; ++node) {
            all[static_cast<std::size_t>(node)] = world.score(query, node);
        }
        std::sort(all.rbegin(), all.rend());
        for (std::size_t place = 0; place < 6; ++place) {
            const std::size_t at = static_cast<std::size_t>(number) * 6 + place;
            CHECK(std::abs(scores[at] - all[place]) < 1e-6);
            CHECK(std::abs(world.score(query, positions[at]) - all[place]) < 1e-6);
        }
    }
}

void test_only_what_is_allowed_is_answered() {
    const World world(5);
    std::vector<std::uint8_t> allowed(kCount, 0);
    allowed[4] = allowed[9] = 1;
    float scores[3];
    std::int64_t positions[3];
    CHECK(lookalike_graph_search(&world.graph, world.vectors.data() + 9 * kDimension, 1, kCount, 2, allowed.data(), 3,
                                 scores, positions) == 0);
    CHECK(positions[0] == 9 && positions[1] == 4 && positions[2] == -1);
    CHECK(std::abs(scores[0] - 1.0F) < 1e-6F && std::isinf(scores[2]) && scores[2] < 0.0F);
}

void test_equal_vectors_come_in_rising_order() {
    World world(6);
    for (const std::int64_t node : {25, 8, 33}) {
        std::copy_n(world.vectors.begin() + 11 * kDimension, kDimension, world.vectors.begin() + node * kDimension);
        std::copy_n(world.records.begin() + 11 * kStride, kWidth, world.records.begin() + node * kStride);
    }
    float scores[4];
    std::int64_t positions[4];
    CHECK(lookalike_graph_search(&world.graph, world.vectors.data() + 11 * kDimension, 1, kCount, kCount, nullptr, 4,
                                 scores, positions) == 0);
    CHECK(positions[0] == 8 && positions[1] == 11 && positions[2] == 25 && positions[3] == 33);
}

void test_the_upper_floors_lead_to_what_the_ground_floor_does_not() {
    World world(7);
    for (std::int64_t node = 0; node < kCount; ++node) {
        world.link(node, 0, node >= 30 ? 30 + (node + 1) % 10 : (node + 1) % 30);  // two rings
        world.link(node, 1, -1);
    }
    const float* query = world.vectors.data() + 30 * kDimension;
    std::int64_t found[40];
    CHECK(lookalike_graph_candidates(&world.graph, query, 1, kCount, 40, found) == 0);
    CHECK(found[0] == 30);
    CHECK(std::count(found, found + 40, -1) == 30);
}

void test_a_query_of_nothing_and_a_very_long_one_are_walked() {
    const World world(9);
    std::vector<float> queries(2 * kDimension, 0.0F);
    for (std::int64_t j = 0; j < kDimension; ++j) {
        queries[static_cast<std::size_t>(kDimension + j)] = 1e6F * world.vectors[static_cast<std::size_t>(5 * kDimension + j)];
    }
    std::int64_t found[2 * kCount];
    CHECK(lookalike_graph_candidates(&world.graph, queries.data(), 2, kCount, kCount, found) == 0);
    CHECK(std::count(found, found + kCount, -1) == 0);
    const auto nearest = world.order(queries.data() + kDimension);
    CHECK(found[kCount] == nearest[0]);
}

void test_a_damaged_graph_is_walked_without_harm() {
    World world(8);
    world.link(0, 0, kCount + 5);
    world.link(1, 0, std::numeric_limits<std::int32_t>::max());
    world.link(2, 0, -7);
    world.floors[0] = kCount;
    world.floors[1] = 29;  // which does not stand on that floor
    world.starts = {1'000'000, -5, 2};
    std::int64_t found[kCount];
    CHECK(lookalike_graph_candidates(&world.graph, world.vectors.data(), 1, kCount, kCount, found) == 0);
    CHECK(std::all_of(found, found + kCount, [](std::int64_t node) { return node >= -1 && node < kCount; }));
}

}  // namespace

int main() {
    test_candidates_are_the_nearest_codes();
    test_candidates_end_with_minus_one();
    test_scores_are_those_of_the_vectors_best_first();
    test_only_what_is_allowed_is_answered();
    test_equal_vectors_come_in_rising_order();
    test_the_upper_floors_lead_to_what_the_ground_floor_does_not();
    test_a_query_of_nothing_and_a_very_long_one_are_walked();
    test_a_damaged_graph_is_walked_without_harm();
    return check::failures();
}
