#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/fixtures/images: small image files, and what Pillow and transformers make of them.

Run twice, from any folder:
    with Pillow 12.1.1 (libjpeg-turbo 3.1.3, libwebp 1.6.0), transformers 5.23.0, NumPy:  the files and manifest.txt
    with Pillow 13.0.0 alone:                                                               manifest13.txt (the other order of the passes)

Lines of a manifest; a CRC is zlib's CRC-32 of the RGB bytes, and the last field is the first bytes in hex, for diagnosis:
    decode FILE HEIGHT WIDTH CRC FIRST               orientation applied
    stored FILE HEIGHT WIDTH CRC FIRST               orientation ignored
    resize SEED H W FILTER NEW_H NEW_W CRC FIRST     source: the generator picture() below
    draft FILE NEED_H NEED_W HEIGHT WIDTH CRC FIRST  a JPEG decoded at a fraction that is no smaller than NEED; orientation applied
    pixels FILE HEIGHT WIDTH CRC FIRST JSON          the whole recipe of a preprocessor_config.json, in one word
"""
import io
import json
import pathlib
import struct
import sys
import warnings
import zlib

import PIL
from PIL import Image, ImageOps

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "images"
FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3, "box": 4, "hamming": 5}


def picture(height, width, seed, channels=3):
    """Bytes of a linear congruential generator, as tests/image/helpers.cc has it."""
    out = bytearray()
    for _ in range(height * width * channels):
        seed = (seed * 1664525 + 1013904223) % 2**32
        out.append(seed >> 24)
    return bytes(out)


def noise(height, width, seed):
    return Image.frombytes("RGB", (width, height), picture(height, width, seed))


def scene(height, width):
    """Smooth, so that JPEG and WebP have something to do, with a little noise."""
    grain = picture(height, width, 99)
    out = bytearray()
    for y in range(height):
        for x in range(width):
            n = grain[(y * width + x) * 3] // 16
            out += bytes(((x * 9 + n) % 256, (y * 7 + x * 2 + n) % 256, (255 - x * 3 - y * 4 + n) % 256))
    return Image.frombytes("RGB", (width, height), bytes(out))


def encoded(image, fmt, **options):
    out = io.BytesIO()
    image.save(out, fmt, **options)
    return out.getvalue()


def exif(orientation, endian=">"):
    mark = b"MM\0*" if endian == ">" else b"II*\0"
    return mark + struct.pack(endian + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


# ---- PNG of our own: what Pillow cannot write --------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def pack_row(samples, bits):
    if bits == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    if bits == 8:
        return bytes(samples)
    row, per = bytearray(), 8 // bits
    for i in range(0, len(samples), per):
        group = list(samples[i : i + per]) + [0] * (per - len(samples[i : i + per]))
        byte = 0
        for s in group:
            byte = byte << bits | s
        row.append(byte)
    return bytes(row)


def png(height, width, color, bits, seed, interlaced=False, before_pixels=b"", after_pixels=b"", colors=0):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    raw = picture(height, width, seed, channels * 2)
    values = [(raw[2 * i] << 8 | raw[2 * i + 1]) >> (16 - bits) for i in range(height * width * channels)]

    def row(y, x0, dx):
        samples = []
        for x in range(x0, width, dx):
            at = (y * width + x) * channels
            samples += values[at : at + channels]
        return pack_row(samples, bits)

    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    body = b""
    for y0, x0, dy, dx in passes:
        if x0 < width:
            body += b"".join(b"\0" + row(y, x0, dx) for y in range(y0, height, dy))
    header = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 1 if interlaced else 0)
    palette = chunk(b"PLTE", picture(1, colors or 1 << min(bits, 8), 5)) if color == 3 else b""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette + before_pixels + chunk(b"IDAT", zlib.compress(body, 9))
            + after_pixels + chunk(b"IEND", b""))


# ---- JPEG by surgery: what Pillow cannot write -------------------------------------------------------------------------------


def resampled(jpeg, factors, height, width):
    """The same blocks read as another picture: sampling factors of the first component and size are exchanged."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 : at + 11] + bytes([factors]) + jpeg[at + 12 :]


def with_adobe_transform(jpeg, transform):
    at = jpeg.index(b"Adobe")
    return jpeg[: at + 11] + bytes([transform]) + jpeg[at + 12 :]


def without_adobe(jpeg):
    at = jpeg.index(b"\xff\xee")
    return jpeg[:at] + jpeg[at + 2 + struct.unpack(">H", jpeg[at + 2 : at + 4])[0] :]


def with_xmp(jpeg, text):
    segment = b"http://ns.adobe.com/xap/1.0/\0" + text
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def jpeg_files():
    small = scene(23, 37)
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        yield f"jpeg_{name}.jpg", encoded(small, "JPEG", subsampling=sampling)
        yield f"jpeg_{name}_progressive.jpg", encoded(small, "JPEG", subsampling=sampling, progressive=True)
    yield "jpeg_440.jpg", resampled(encoded(scene(32, 32), "JPEG", subsampling=1), 0x12, 61, 15)
    yield "jpeg_411.jpg", resampled(encoded(scene(32, 32), "JPEG", subsampling=2), 0x41, 15, 61)
    yield "jpeg_gray.jpg", encoded(small.convert("L"), "JPEG")
    yield "jpeg_rgb.jpg", encoded(small, "JPEG", keep_rgb=True)
    cmyk = encoded(small.convert("CMYK"), "JPEG")
    yield "jpeg_cmyk.jpg", cmyk
    yield "jpeg_cmyk_unmarked.jpg", without_adobe(cmyk)
    yield "jpeg_ycck.jpg", with_adobe_transform(cmyk, 2)
    yield "jpeg_restarts.jpg", encoded(small, "JPEG", restart_marker_blocks=2, quality=20)
    yield "jpeg_quality_100.jpg", encoded(noise(9, 9, 3), "JPEG", quality=100)
    yield "jpeg_1x1.jpg", encoded(scene(1, 1), "JPEG")
    yield "jpeg_tall.jpg", encoded(scene(97, 2), "JPEG")
    yield "jpeg_wide.jpg", encoded(scene(3, 131), "JPEG")
    yield "jpeg_trailing.jpg", encoded(small, "JPEG") + b"trailing"
    for o in range(1, 9):
        yield f"jpeg_exif_{o}.jpg", encoded(scene(13, 22), "JPEG", exif=b"Exif\0\0" + exif(o, "<" if o % 2 else ">"))
    yield "jpeg_xmp_6.jpg", with_xmp(encoded(scene(13, 22), "JPEG"), b'<rdf tiff:Orientation="6"/>')
    yield "photo.jpg", encoded(scene(120, 91), "JPEG", quality=85, exif=b"Exif\0\0" + exif(6))


def png_files():
    for color, depths in ((0, (1, 2, 4, 8, 16)), (2, (8, 16)), (3, (1, 2, 4, 8)), (4, (8, 16)), (6, (8, 16))):
        for bits in depths:
            name = {0: "gray", 2: "rgb", 3: "palette", 4: "gray_alpha", 6: "rgba"}[color]
            yield f"png_{name}_{bits}.png", png(11, 13, color, bits, 20 + bits)
    yield "png_palette_short.png", png(9, 7, 3, 8, 44, colors=77)
    yield "png_palette_trns.png", png(9, 7, 3, 4, 41, before_pixels=chunk(b"tRNS", bytes((0, 128, 255))))
    yield "png_rgb_trns.png", png(5, 6, 2, 8, 42, before_pixels=chunk(b"tRNS", bytes(6)))
    yield "png_gamma.png", png(5, 6, 2, 8, 43, before_pixels=chunk(b"gAMA", struct.pack(">I", 100000)))
    for color, bits in ((0, 1), (0, 16), (2, 8), (3, 2), (6, 16)):
        yield f"png_interlaced_{color}_{bits}.png", png(11, 13, color, bits, 50 + bits, interlaced=True)
    yield "png_interlaced_1x1.png", png(1, 1, 2, 8, 60, interlaced=True)
    yield "png_exif_5.png", png(4, 7, 2, 8, 61, before_pixels=chunk(b"eXIf", exif(5)))
    yield "png_exif_8_late.png", png(4, 7, 2, 8, 62, after_pixels=chunk(b"eXIf", exif(8)))
    yield "png_xmp_3.png", png(4, 7, 2, 8, 63, before_pixels=chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<tiff:Orientation>3<"))


def long_stream():
    """One pixel, and 20 MB of zeros behind it in the same stream."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(20 << 20), 9)) + chunk(b"IEND", b""))


def other_files():
    small = scene(17, 29)
    clear = Image.merge("RGBA", [*small.split(), Image.frombytes("L", (29, 17), picture(17, 29, 8, 1))])
    yield "webp_lossy.webp", encoded(small, "WEBP", quality=60)
    yield "webp_lossless.webp", encoded(small, "WEBP", lossless=True)
    yield "webp_alpha_lossy.webp", encoded(clear, "WEBP", quality=60)
    yield "webp_alpha_lossless.webp", encoded(clear, "WEBP", lossless=True, exact=True)
    yield "webp_1x1.webp", encoded(scene(1, 1), "WEBP")
    yield "webp_exif_7.webp", encoded(small, "WEBP", quality=60, exif=b"Exif\0\0" + exif(7))
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield f"bmp_{mode.lower()}.bmp", encoded(clear.convert(mode), "BMP")
    yield "bmp_palette_4.bmp", encoded(small.quantize(16), "BMP")
    for mode in ("L", "LA", "P", "RGB", "RGBA"):
        yield f"tga_{mode.lower()}.tga", encoded(clear.convert(mode), "TGA")
        yield f"tga_{mode.lower()}_packed.tga", encoded(clear.convert(mode), "TGA", compression="tga_rle", orientation=1)
    yield "pnm_gray.pgm", encoded(small.convert("L"), "PPM")
    yield "pnm_rgb.ppm", encoded(small, "PPM")
    yield "pnm_comment.ppm", b"P6 # a comment\n3\t# another\n2\n255\n" + picture(2, 3, 9)


RESIZES = [  # height, width -> height, width
    (7, 11, 4, 5), (7, 11, 9, 16), (213, 320, 224, 224), (320, 213, 224, 224), (320, 213, 336, 224), (320, 240, 224, 224),
    (1, 1, 5, 7), (1, 50, 20, 3), (50, 1, 3, 20), (64, 64, 32, 32), (33, 16, 33, 40), (16, 33, 40, 33), (200, 3, 5, 300), (300, 90, 31, 33),
    (17, 257, 16, 16), (97, 101, 1, 1), (2, 2, 129, 3),
    (61, 50, 30, 30), (70, 45, 30, 30),
]

BIT = "BitImageProcessor"
RECIPES = [
    {"image_processor_type": "ViTImageProcessor"},
    {"image_processor_type": "ViTImageProcessorPil", "size": 33, "resample": 3},
    {"feature_extractor_type": "ViTFeatureExtractor", "size": [30, 44], "resample": 1},
    {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 40}},
    {"image_processor_type": "ViTImageProcessor", "size": {"shortest_edge": 40, "longest_edge": 45}},
    {"image_processor_type": "ViTImageProcessor", "size": {"max_height": 70, "max_width": 40}},
    {"image_processor_type": "ViTImageProcessor", "size": {"height": 31, "width": 64}, "do_center_crop": True, "crop_size": 24},
    {"image_processor_type": "ViTImageProcessor", "do_resize": False, "do_center_crop": True, "crop_size": {"height": 41, "width": 36}},
    {"image_processor_type": "ViTImageProcessor", "do_resize": False, "do_center_crop": True, "crop_size": {"height": 151, "width": 150}},
    {"image_processor_type": "ViTImageProcessor", "do_resize": False},
    {"image_processor_type": "DeiTImageProcessor"},
    {"image_processor_type": "DeiTFeatureExtractor", "size": 64, "crop_size": 48, "resample": 3},
    {"image_processor_type": BIT},
    {"image_processor_type": BIT, "size": {"shortest_edge": 48}, "crop_size": {"height": 43, "width": 35}},
    {"image_processor_type": BIT, "size": 21, "crop_size": 64, "resample": 2},
    {"image_processor_type": BIT, "size": {"shortest_edge": 50}, "do_center_crop": False, "resample": 5},
    {"image_processor_type": BIT, "size": {"shortest_edge": 21}, "crop_size": {"height": 40, "width": 20}, "resample": 4},
    {"image_processor_type": BIT, "size": 64, "default_to_square": True, "crop_size": 40, "resample": 0},
]


def described(rgb, height, width):
    return f"{height} {width} {zlib.crc32(rgb):08x} {rgb[:12].hex()}"


def resize_lines():
    for seed, (h, w, new_h, new_w) in enumerate(RESIZES, start=1):
        source = noise(h, w, seed)
        for name, code in FILTERS.items():
            rgb = source.resize((new_w, new_h), code).tobytes()
            yield f"resize {seed} {h} {w} {name} {described(rgb, new_h, new_w)}"


def file_lines(name, data):
    for word in ("decode", "stored"):
        image = Image.open(io.BytesIO(data))
        image.load()
        if word == "decode":
            image = ImageOps.exif_transpose(image)
        yield f"{word} {name} {described(image.convert('RGB').tobytes(), image.height, image.width)}"


def draft_lines(name, data):
    """At each of the fractions, and where what is needed is just too large for one."""
    width, height = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).size
    for by in (1, 2, 3, 4, 7, 8):
        need = max(1, height // by), max(1, width // by)
        image = Image.open(io.BytesIO(data))
        turned = image.getexif().get(0x0112, 1) > 4
        image.draft(None, need if turned else need[::-1])
        image = ImageOps.exif_transpose(image)
        yield f"draft {name} {need[0]} {need[1]} {described(image.convert('RGB').tobytes(), image.height, image.width)}"


def recipe_lines():
    from transformers.image_utils import load_image
    from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
    from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    for name in ("photo.jpg", "jpeg_wide.jpg", "png_rgb_8.png"):
        for config in RECIPES:
            kind = config.get("image_processor_type") or config["feature_extractor_type"]
            make = {"V": ViTImageProcessorPil, "D": DeiTImageProcessorPil, "B": BitImageProcessorPil}[kind[0]]
            options = {k: v for k, v in config.items() if not k.endswith("_type")}
            processor = make(**options, do_rescale=False, do_normalize=False)
            try:
                pixels = processor(load_image(str(OUT / name)))["pixel_values"][0].transpose(1, 2, 0)
            except ValueError:  # a side of 0 pixels, for which Pillow has no picture
                continue
            word = json.dumps(config, separators=(",", ":"))
            yield f"pixels {name} {described(pixels.tobytes(), *pixels.shape[:2])} {word}"


def main():
    warnings.simplefilter("ignore")  # of palettes whose transparency is dropped, which is what is tested
    OUT.mkdir(parents=True, exist_ok=True)
    if PIL.__version__ == "13.0.0":
        (OUT / "manifest13.txt").write_text("\n".join(resize_lines()) + "\n")
        return
    if PIL.__version__ != "12.1.1":
        sys.exit(f"expected Pillow 12.1.1 or 13.0.0, found {PIL.__version__}")
    lines = []
    for name, data in [*jpeg_files(), *png_files(), *other_files()]:
        (OUT / name).write_bytes(data)
        lines += file_lines(name, data)
        lines += draft_lines(name, data) if name.endswith("jpg") else []
    (OUT / "png_long_stream.png").write_bytes(long_stream())  # no line: Pillow unpacks it all
    lines += [*resize_lines(), *recipe_lines()]
    (OUT / "manifest.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
