// Two passes: first every column to the new height, rounded to bytes, then every row to the new width. The first pass
// is the cheaper one, as what it adds lies side by side, and mostly leaves fewer rows to the second.
//
// A pixel of the result is a weighted mean of the pixels below a triangle, whose half width is one pixel of the longer
// raster. Weights are whole numbers of 1 / 2^22, so that 255 times their sum, and a half to round by, fit 32 bits.
#include "resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "clones.h"

namespace lookalike {
namespace {

constexpr int kBits = 22;
constexpr std::int32_t kHalf = 1 << (kBits - 1);
constexpr std::int64_t kColours = 3;
constexpr std::int64_t kRows = 16;  // rows that the second pass works on side by side

// For each place of the result: where its triangle begins, over how many places it reaches, and their weights.
struct Taps {
    std::int64_t reach;  // the longest; weights are stored this far apart
    std::vector<std::int32_t> first, count, weights;

    Taps(std::int64_t from, std::int64_t to)
        : first(static_cast<std::size_t>(to)), count(static_cast<std::size_t>(to)) {
        const double scale = static_cast<double>(from) / static_cast<double>(to);
        const double half_width = std::max(scale, 1.0);
        reach = static_cast<std::int64_t>(std::ceil(half_width)) * 2 + 1;
        weights.assign(static_cast<std::size_t>(to * reach), 0);
        std::vector<double> exact(static_cast<std::size_t>(reach));
        for (std::int64_t place = 0; place < to; ++place) {
            const double centre = (static_cast<double>(place) + 0.5) * scale;
            const auto begin = std::max<std::int64_t>(static_cast<std::int64_t>(centre - half_width + 0.5), 0);
            const auto end = std::min<std::int64_t>(static_cast<std::int64_t>(centre + half_width + 0.5), from);
            double sum = 0.0;
            for (std::int64_t k = 0; k < end - begin; ++k) {
                const double off = std::abs((static_cast<double>(k + begin) - centre + 0.5) * (1.0 / half_width));
                exact[static_cast<std::size_t>(k)] = off < 1.0 ? 1.0 - off : 0.0;
                sum += exact[static_cast<std::size_t>(k)];
            }
            first[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(begin);
            count[static_cast<std::size_t>(place)] = static_cast<std::int32_t>(end - begin);
            for (std::int64_t k = 0; k < end - begin; ++k) {
                const double weight = sum == 0.0 ? 0.0 : exact[static_cast<std::size_t>(k)] / sum;
                weights[static_cast<std::size_t>(place * reach + k)] =
                    static_cast<std::int32_t>(0.5 + weight * (1 << kBits));
            }
        }
    }
};

// The mean of which `sum` is 2^22 times; many weights, each rounded, may add up to a little more than one.
inline std::uint8_t byte_of(std::int32_t sum) {
    const std::int32_t value = sum >> kBits;
    return static_cast<std::uint8_t>(value > 255 ? 255 : value);
}

// Up to sixteen rows to the new width. `turned` holds them column by column, a row a lane.
LOOKALIKE_CLONES void resize_rows(const std::uint8_t* __restrict turned, const Taps& taps, std::int64_t out_width,
                                  std::uint8_t* __restrict out, std::int64_t rows) {
    const std::int64_t out_bytes = out_width * kColours;
    for (std::int64_t place = 0; place < out_width; ++place) {
        const std::int32_t* __restrict weights = taps.weights.data() + place * taps.reach;
        const std::int64_t count = taps.count[static_cast<std::size_t>(place)];
        const std::uint8_t* __restrict from = turned + taps.first[static_cast<std::size_t>(place)] * kColours * kRows;
        std::int32_t sums[kColours * kRows];
        for (std::int64_t lane = 0; lane < kColours * kRows; ++lane) {
            sums[lane] = kHalf;
        }
        for (std::int64_t k = 0; k < count; ++k) {
            const std::int32_t weight = weights[k];
#pragma omp simd
            for (std::int64_t lane = 0; lane < kColours * kRows; ++lane) {
                sums[lane] += weight * from[k * kColours * kRows + lane];
            }
        }
        std::uint8_t bytes[kColours * kRows];
#pragma omp simd
        for (std::int64_t lane = 0; lane < kColours * kRows; ++lane) {
            bytes[lane] = byte_of(sums[lane]);
        }
        for (std::int64_t row = 0; row < rows; ++row) {
            for (std::int64_t colour = 0; colour < kColours; ++colour) {
                out[row * out_bytes + place * kColours + colour] = bytes[colour * kRows + row];
            }
        }
    }
}

// One row of the new height from the rows below its triangle.
LOOKALIKE_CLONES void resize_columns(const std::uint8_t* __restrict from, std::int64_t row_bytes,
                                     const std::int32_t* __restrict weights, std::int64_t count,
                                     std::int32_t* __restrict sums, std::uint8_t* __restrict out) {
#pragma omp simd
    for (std::int64_t j = 0; j < row_bytes; ++j) {
        sums[j] = kHalf;
    }
    for (std::int64_t k = 0; k < count; ++k) {
        const std::int32_t weight = weights[k];
        const std::uint8_t* __restrict row = from + k * row_bytes;
#pragma omp simd
        for (std::int64_t j = 0; j < row_bytes; ++j) {
            sums[j] += weight * row[j];
        }
    }
#pragma omp simd
    for (std::int64_t j = 0; j < row_bytes; ++j) {
        out[j] = byte_of(sums[j]);
    }
}

// Eight rows of eight bytes to eight columns: three rounds in which ever larger halves change places.
inline void turn_eight(const std::uint8_t* from, std::int64_t stride, std::uint8_t* to) {
    std::uint64_t lines[8];
    for (int row = 0; row < 8; ++row) {
        std::memcpy(&lines[row], from + row * stride, 8);
    }
    const std::uint64_t masks[3] = {0x00FF00FF00FF00FFULL, 0x0000FFFF0000FFFFULL, 0x00000000FFFFFFFFULL};
    for (int round = 0; round < 3; ++round) {
        const int step = 1 << round;
        for (int row = 0; row < 8; ++row) {
            if (row & step) {
                continue;
            }
            const std::uint64_t upper = lines[row], lower = lines[row + step], mask = masks[round];
            lines[row] = (upper & mask) | ((lower & mask) << (8 * step));
            lines[row + step] = ((upper >> (8 * step)) & mask) | (lower & ~mask);
        }
    }
    for (int column = 0; column < 8; ++column) {
        std::memcpy(to + column * kRows, &lines[column], 8);
    }
}

// `rows` rows of `row_bytes` to columns of kRows lanes; lanes beyond the rows keep what they have.
void turn(const std::uint8_t* from, std::int64_t rows, std::int64_t row_bytes, std::uint8_t* to) {
    std::int64_t done = 0;
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (rows == kRows) {
        for (; done + 8 <= row_bytes; done += 8) {
            turn_eight(from + done, row_bytes, to + done * kRows);
            turn_eight(from + 8 * row_bytes + done, row_bytes, to + done * kRows + 8);
        }
    }
#endif
    for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t j = done; j < row_bytes; ++j) {
            to[j * kRows + row] = from[row * row_bytes + j];
        }
    }
}

void resize(const std::uint8_t* pixels, std::int64_t height, std::int64_t width, std::uint8_t* out,
            std::int64_t out_height, std::int64_t out_width) {
    const Taps across(width, out_width), down(height, out_height);
    const std::int64_t row_bytes = width * kColours, out_bytes = out_width * kColours;
    std::vector<std::uint8_t> low(static_cast<std::size_t>(row_bytes * std::min(kRows, out_height)));
    std::vector<std::uint8_t> turned(static_cast<std::size_t>(row_bytes * kRows));
    std::vector<std::int32_t> sums(static_cast<std::size_t>(row_bytes));
    for (std::int64_t top = 0; top < out_height; top += kRows) {
        const std::int64_t rows = std::min(kRows, out_height - top);
        for (std::int64_t row = 0; row < rows; ++row) {
            const auto place = static_cast<std::size_t>(top + row);
            resize_columns(pixels + down.first[place] * row_bytes, row_bytes,
                           down.weights.data() + (top + row) * down.reach, down.count[place], sums.data(),
                           low.data() + row * row_bytes);
        }
        turn(low.data(), rows, row_bytes, turned.data());
        resize_rows(turned.data(), across, out_width, out + top * out_bytes, rows);
    }
}

}  // namespace
}  // namespace lookalike

extern "C" int lookalike_resize_bilinear(const std::uint8_t* pixels, std::int64_t height, std::int64_t width,
                                         std::uint8_t* out, std::int64_t out_height,
                                         std::int64_t out_width) noexcept {
    try {
        lookalike::resize(pixels, height, width, out, out_height, out_width);
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}
