// The arithmetic of weighted_moments.h: weighted means and squared deviations of blocks, and merging them.
#pragma once

#include <cstdint>

namespace lookalike {

// Writes means and squared deviations of `rows` rows of `length` floats, `stride` floats apart. Each of a row's numbers
// has a weight; the weights sum to `total`.
void pool_weighted_rows(const float* data, std::int64_t rows, std::int64_t stride, const float* weights,
                        std::int64_t length, float total, float* means, float* squares) noexcept;

// Writes means and squared deviations of `rows` consecutive rows of `width` floats, column by column. Each row has a
// weight.
void pool_weighted_columns(const float* data, std::int64_t rows, std::int64_t width, const float* weights, float* means,
                           float* squares) noexcept;

// Merges the slices of a stage: writes its channels' means and deviations to `out`. `totals` are the sums of the
// slices' weights.
void merge_weighted_slices(const float* means, const float* squares, const float* totals, std::int64_t slices,
                           std::int64_t channels, float* out) noexcept;

}  // namespace lookalike
