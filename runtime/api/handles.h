// SPDX-License-Identifier: Apache-2.0
// What is behind the handles of vit.h, and the rules that all its functions keep.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <vector>

#include "ops/core/error.h"
#include "runtime/api/vit.h"
#include "runtime/image/pixels.h"
#include "runtime/image/recipe.h"
#include "runtime/model.h"
#include "runtime/session.h"

namespace vit {

/// Time that a session has spent on pictures before the model.
struct Stages {
  uint64_t images = 0;
  double decode_us = 0;      ///< reading and decoding, to upright pixels
  double preprocess_us = 0;  ///< to the pixels that the model sees
};

}  // namespace vit

struct vit_model {
  std::shared_ptr<const vit::Model> model;
};

struct vit_session {
  std::shared_ptr<const vit::Model> model;
  vit::Recipe recipe;  ///< the model's, with what the session's options changed
  int pillow_order = 12;
  uint64_t max_image_pixels = 0;
  bool dct_scale = false;
  bool has_taps = false;
  bool sigmoid = false;  ///< whether a label is true by itself
  vit::Session session;
  std::vector<vit::Pixels> pixels;  ///< of the images of the last successful call
  vit::Stages stages;
};

namespace vit {

/// Keeps `sentence` for vit_last_error() of this thread; answers `status`. Never fails.
vit_status remember_error(vit_status status, const char* sentence) noexcept;

/// Runs `body` and turns whatever it throws into a status: no exception leaves the library.
template <class Body>
vit_status guarded(Body body) noexcept {
  try {
    body();
    return VIT_OK;
  } catch (const Error& error) {
    return remember_error(static_cast<vit_status>(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return remember_error(VIT_ERROR_MEMORY, "out of memory");
  } catch (const std::exception& error) {
    return remember_error(VIT_ERROR_INTERNAL, error.what());
  } catch (...) {
    return remember_error(VIT_ERROR_INTERNAL, "an unknown exception");
  }
}

/// Throws Error(kArgument) for a null pointer.
inline void require(const void* pointer, const char* name) { VIT_CHECK(pointer != nullptr, Code::kArgument, name, ": is null"); }

/// Throws Error(kArgument) unless a struct's size makes sense: at least its size field, and at most what a header of the far
/// future may have.
inline size_t checked_struct_size(size_t size, const char* name) {
  VIT_CHECK(size >= sizeof(size_t) && size <= 4096, Code::kArgument, name,
            ".struct_size: expected the size of the struct, found ", size, "; initialise the struct with its VIT_..._INIT macro");
  return size;
}

/// A caller's struct as this library knows it. Fields that an older caller's struct lacks are zero; a newer caller's fields that
/// are unknown here must be zero.
template <class T>
T known_fields(const T* given, const char* name) {
  T out{};
  out.struct_size = sizeof(T);
  if (given == nullptr) return out;
  const size_t size = checked_struct_size(given->struct_size, name);
  std::memcpy(&out, given, size < sizeof(T) ? size : sizeof(T));
  out.struct_size = sizeof(T);
  const auto* bytes = reinterpret_cast<const unsigned char*>(given);
  for (size_t i = sizeof(T); i < size; ++i)
    VIT_CHECK(bytes[i] == 0, Code::kArgument, name, ": asks for something that this version of the library does not know");
  return out;
}

inline vit_precision api_precision(Precision precision) {
  return precision == Precision::kInt8   ? VIT_PRECISION_INT8
         : precision == Precision::kBF16 ? VIT_PRECISION_BF16
                                         : VIT_PRECISION_F32;
}

/// The engine's name of an output. Throws Error(kArgument) for an unknown one, or one that the model does not have.
Output checked_output(const Model& model, vit_output want);

/// Reads and preprocesses images. Throws Error; its sentence starts with the image's path or place.
std::vector<Pixels> read_images(vit_session& session, std::span<const vit_image> images);

/// JSON texts of vit_describe().
std::string describe(const vit_session& session, vit_description what);

}  // namespace vit
