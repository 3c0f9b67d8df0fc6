// Bilinear resizing of 8-bit RGB pictures, widened where it shrinks so that nothing aliases: first to the new height,
// then to the new width, bit by bit as Pillow does it if it is asked for one after the other. (Asked for both at once,
// Pillow's order depends on its version.) Knows no Python; plain C to the outside.
#pragma once

#include <cstdint>

#include "export.h"

// Writes `pixels` (height × width × 3 bytes without gaps) at out_height × out_width to `out`, which does not overlap.
// All lengths are at least 1. Returns 0, or 1 if there is no memory for the work between the two passes.
extern "C" LOOKALIKE_EXPORT int lookalike_resize_bilinear(const std::uint8_t* pixels, std::int64_t height,
                                                          std::int64_t width, std::uint8_t* out,
                                                          std::int64_t out_height, std::int64_t out_width) noexcept;
