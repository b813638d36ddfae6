// SPDX-License-Identifier: Apache-2.0
// The intrinsics of AMX: eight tiles of up to 16 rows x 64 bytes, for each thread. A tile that is used otherwise than it is
// configured is an exception on a CPU and ends the program here.
#pragma once

#include "tests/emulated/avx512.h"

#undef _tile_dpbf16ps
#undef _tile_dpbusd
#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero

namespace vit {
namespace {
namespace emulated {

struct Tile {
  int rows, bytes;
  alignas(64) uint8_t data[16][64];
};
struct Tiles {
  bool configured;
  Tile tile[8];
};
thread_local Tiles tiles;

inline Tile& tile_at(int i) {
  require(tiles.configured && i >= 0 && i < 8 && tiles.tile[i].rows > 0);
  return tiles.tile[i];
}

/// The operands of sum (rows x n) += x (rows x k) w (k x n), k and n in groups of four bytes.
struct TileProduct {
  Tile &sum, &x, &w;
  TileProduct(int to, int left, int right) : sum(tile_at(to)), x(tile_at(left)), w(tile_at(right)) {
    require(to != left && to != right && left != right);
    require(sum.rows == x.rows && sum.bytes == w.bytes && x.bytes == 4 * w.rows);
  }
  __m512i x_at(int row, int k) const {
    int32_t word;
    memcpy(&word, x.data[row] + 4 * k, sizeof word);
    return _mm512_set1_epi32(word);
  }
  __m512i w_at(int k) const { return _mm512_loadu_si512(w.data[k]); }
};

}  // namespace emulated

inline void _tile_loadconfig(const void* config) {
  struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t bytes[16];
    uint8_t rows[16];
  } from;
  memcpy(&from, config, sizeof from);
  emulated::require(from.palette == 1 && from.start_row == 0);
  memset(&emulated::tiles, 0, sizeof emulated::tiles);
  emulated::tiles.configured = true;
  for (const uint8_t zero : from.reserved) emulated::require(zero == 0);
  for (int i = 0; i < 16; ++i) {
    const int rows = from.rows[i], bytes = from.bytes[i];
    emulated::require(i < 8 ? rows <= 16 && bytes <= 64 && bytes % 4 == 0 && (rows == 0) == (bytes == 0)
                            : rows == 0 && bytes == 0);
    if (i < 8) emulated::tiles.tile[i].rows = rows, emulated::tiles.tile[i].bytes = bytes;
  }
}
inline void _tile_release() { memset(&emulated::tiles, 0, sizeof emulated::tiles); }

inline void _tile_zero(int i) {
  emulated::Tile& tile = emulated::tile_at(i);
  memset(tile.data, 0, sizeof tile.data);
}
inline void _tile_loadd(int i, const void* from, int64_t stride) {
  _tile_zero(i);
  emulated::Tile& tile = emulated::tile_at(i);
  for (int r = 0; r < tile.rows; ++r)
    memcpy(tile.data[r], static_cast<const uint8_t*>(from) + r * stride, static_cast<size_t>(tile.bytes));
}
inline void _tile_stored(int i, void* to, int64_t stride) {
  const emulated::Tile& tile = emulated::tile_at(i);
  for (int r = 0; r < tile.rows; ++r)
    memcpy(static_cast<uint8_t*>(to) + r * stride, tile.data[r], static_cast<size_t>(tile.bytes));
}

inline void _tile_dpbusd(int to, int left, int right) {
  const emulated::TileProduct p(to, left, right);
  for (int r = 0; r < p.sum.rows; ++r) {
    __m512i sum = _mm512_loadu_si512(p.sum.data[r]);
    for (int k = 0; k < p.w.rows; ++k) sum = _mm512_dpbusd_epi32(sum, p.x_at(r, k), p.w_at(k));
    _mm512_storeu_si512(p.sum.data[r], sum);
  }
}
/// Even and odd products in two sums, which come together at the end.
inline void _tile_dpbf16ps(int to, int left, int right) {
  using emulated::flush;
  const emulated::TileProduct p(to, left, right);
  const auto even = [](__m512i v) { return flush(_mm512_castsi512_ps(_mm512_slli_epi32(v, 16))); };
  const auto odd = [](__m512i v) { return flush((__m512)((emulated::Word)v & 0xffff0000u)); };
  for (int r = 0; r < p.sum.rows; ++r) {
    __m512 evens{}, odds{};
    for (int k = 0; k < p.w.rows; ++k) {
      evens = flush(_mm512_fmadd_ps(even(p.x_at(r, k)), even(p.w_at(k)), evens));
      odds = flush(_mm512_fmadd_ps(odd(p.x_at(r, k)), odd(p.w_at(k)), odds));
    }
    const __m512 sum = flush(flush(_mm512_castsi512_ps(_mm512_loadu_si512(p.sum.data[r]))) + flush(evens + odds));
    _mm512_storeu_si512(p.sum.data[r], _mm512_castps_si512(sum));
  }
}

}  // namespace
}  // namespace vit
