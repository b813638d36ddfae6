// SPDX-License-Identifier: Apache-2.0
// EXIF tag 0x0112: where a file says that its first row is not the top.
#pragma once

#include "ops/core/file.h"
#include "runtime/image/pixels.h"

namespace vit {

/// The orientation, 1..8, of a JPEG (APP1), PNG (eXIf, XMP in an uncompressed iTXt) or WebP (EXIF, XMP) file; 1 when it says
/// nothing valid. EXIF goes before XMP, as in Pillow's exif_transpose. Never throws and never reads past the file, whatever it
/// holds.
int read_orientation(Bytes file);

/// The pixels as a viewer shows them. Orientations above 4 swap the axes and need a second buffer, the others work in place.
Pixels apply_orientation(Pixels pixels, int orientation);

}  // namespace vit
