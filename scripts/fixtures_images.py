"""Write the image files of graft/preprocess's tests as they are met in the wild, and PIL's pixels of each.

Run by hand with Pillow 9:

    python scripts/fixtures_images.py preprocess/testdata/wild

Beside every file lies NAME.u8: [3,H,W] bytes of exif_transpose and convert("RGB") of its first frame. For 16-bit gray,
which PIL clips to white, they are the upper bytes; a JPEG's missing end marker is added, which PIL insists on. How close
graft comes stands in preprocess/wild_test.go.
"""

import io
import pathlib
import struct
import sys
import zlib

import numpy as np
from PIL import Image, ImageOps

H, W = 16, 24


def shapes(c, h=H, w=W):
    """Gradients and a disc of another colour, whose edge shows how chroma is interpolated: [h,w,c]."""
    y, x = np.mgrid[0:h, 0:w]
    waves = [128 + 90 * np.sin(x / (7 + k) + k) * np.cos(y / (9 - k)) for k in range(c)]
    disc = (x - 9) ** 2 + (y - 7) ** 2 < 22
    return np.where(disc[..., None], [220, 40, 30, 90][:c], np.stack(waves, -1)).astype(np.uint8)


def noise(c, seed, high=256, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, high, (H, W, c)).astype(dtype)


def saved(image, kind, **options):
    b = io.BytesIO()
    image.save(b, kind, **options)
    return b.getvalue()


def exif(orientation):
    e = Image.Exif()
    e[0x0112] = orientation
    return e


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(pixels, depth, colour, interlaced=False, extra=b""):
    """A PNG of the kinds that PIL does not write: [h,w,c] of any depth, Adam7."""
    data = pixels.astype(">u2" if depth == 16 else "u1")
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    raw = b"".join(b"\0" + row.tobytes() for x, y, dx, dy in passes for row in data[y::dy, x::dx])
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(raw, 9)) + chunk(b"IEND", b"")


def jpegs():
    rgb, inks = Image.fromarray(shapes(3)), Image.fromarray(shapes(4), "CMYK")
    yield "progressive.jpg", saved(rgb, "jpeg", quality=95, progressive=True)
    for n, name in enumerate(("444", "422", "420")):
        yield f"subsampled_{name}.jpg", saved(rgb, "jpeg", quality=95, subsampling=n)
    for width, n in ((3, 1), (4, 2), (5, 1), (5, 2)):  # libjpeg interpolates from three columns of chroma on
        yield f"narrow_{width}_{n}.jpg", saved(rgb.crop((6, 0, 6 + width, 16)), "jpeg", quality=95, subsampling=n)
    # PIL writes no 4:4:0. As many blocks in another order make a picture too.
    flat = saved(rgb.crop((0, 0, 16, 16)), "jpeg", quality=95, subsampling=1)
    sampling = flat.index(b"\xff\xc0") + 11
    assert flat[sampling] == 0x21
    yield "subsampled_440.jpg", flat[:sampling] + b"\x12" + flat[sampling + 1 :]
    cmyk = saved(inks, "jpeg", quality=95)
    adobe = cmyk.index(b"\xff\xee")
    assert cmyk[adobe + 4 : adobe + 9] == b"Adobe" and cmyk[adobe + 15] == 0
    yield "cmyk.jpg", cmyk
    yield "cmyk_without_adobe.jpg", cmyk[:adobe] + cmyk[adobe + 16 :]
    yield "ycck.jpg", cmyk[: adobe + 15] + b"\x02" + cmyk[adobe + 16 :]
    plain = saved(rgb, "jpeg", quality=95, subsampling=0)
    yield "without_end.jpg", plain[:-2]
    yield "rubbish_behind.jpg", plain + bytes(range(256))
    turned = saved(rgb, "jpeg", quality=95, subsampling=0, exif=exif(6))
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x/>"
    yield "xmp_before_exif.jpg", turned[:2] + b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp + turned[2:]
    yield "png_inside.jpg", saved(Image.fromarray(noise(3, 1)), "png")


def pngs():
    rgb, rgba = Image.fromarray(noise(3, 2)), Image.fromarray(noise(4, 3))
    yield "gray16.png", png(noise(1, 4, 65536, np.uint16), 16, 0)
    yield "rgb16.png", png(noise(3, 5, 65536, np.uint16), 16, 2)
    yield "rgba16.png", png(noise(4, 6, 65536, np.uint16), 16, 6)
    yield "rgba.png", saved(rgba, "png")
    yield "gray_alpha.png", saved(Image.fromarray(noise(2, 7), "LA"), "png")
    yield "gray_key.png", png(noise(1, 8), 8, 0, extra=chunk(b"tRNS", b"\0\x80"))
    yield "interlaced.png", png(noise(3, 9), 8, 2, interlaced=True)
    yield "interlaced_rgba16.png", png(noise(4, 10, 65536, np.uint16), 16, 6, interlaced=True)
    palette = rgb.quantize(16)
    yield "palette.png", saved(palette, "png")
    yield "palette_transparent.png", saved(palette, "png", transparency=3)
    yield "one_bit.png", saved(Image.fromarray(noise(1, 11)[..., 0]).convert("1"), "png")
    for o in (3, 6, 7):
        yield f"exif_{o}.png", saved(rgb, "png", exif=exif(o))
    yield "animated.png", saved(rgb, "png", save_all=True, append_images=[rgba.convert("RGB")])


def gifs():
    frames = [Image.fromarray(noise(3, s)).quantize(32) for s in (12, 13)]
    yield "interlaced.gif", saved(frames[0], "gif", interlace=1)
    yield "animated.gif", saved(frames[0], "gif", save_all=True, append_images=frames[1:])
    for name, options in [("opaque", {}), ("transparent", {"transparency": 5})]:
        whole = bytearray(saved(frames[0], "gif", **options))
        yield f"{name}.gif", bytes(whole)
        at = whole.index(b"\x2c\0\0\0\0" + struct.pack("<HH", W, H))
        whole[at + 1 : at + 5] = struct.pack("<HH", 3, 2)  # the frame's place
        whole[6:10] = struct.pack("<HH", W + 8, H + 4)  # the screen
        yield f"{name}_smaller_frame.gif", bytes(whole)


def bmps():
    rgb, gray = Image.fromarray(noise(3, 14)), Image.fromarray(noise(1, 15)[..., 0])
    for name, image in [("gray", gray), ("one_bit", gray.convert("1")), ("palette", rgb.quantize(16)), ("rgba", Image.fromarray(noise(4, 16)))]:
        yield f"{name}.bmp", saved(image, "bmp")
    down = bytearray(saved(rgb, "bmp"))
    down[22:26] = struct.pack("<i", -H)
    yield "top_down.bmp", bytes(down)


def tiffs():
    rgb, gray = Image.fromarray(noise(3, 17)), Image.fromarray(noise(1, 18)[..., 0])
    yield "gray16.tiff", saved(Image.fromarray(noise(1, 19, 65536, np.uint16)[..., 0]), "tiff")
    yield "rgba.tiff", saved(Image.fromarray(noise(4, 20)), "tiff")
    yield "palette.tiff", saved(rgb.quantize(16), "tiff")
    for c in ("tiff_deflate", "packbits", "tiff_lzw"):
        yield f"{c}.tiff", saved(rgb, "tiff", compression=c)
    yield "fax.tiff", saved(gray.convert("1"), "tiff", compression="group4")
    yield "white_is_zero.tiff", saved(gray, "tiff", tiffinfo={262: 0})
    yield "exif_5.tiff", saved(rgb, "tiff", tiffinfo={274: 5})
    yield "pages.tiff", saved(rgb, "tiff", save_all=True, append_images=[gray])


def webps():
    rgb, rgba = Image.fromarray(noise(3, 21)), Image.fromarray(noise(4, 22))
    soft = shapes(4)
    yield "lossless_alpha.webp", saved(rgba, "webp", lossless=True, exact=True)
    yield "lossy.webp", saved(Image.fromarray(soft[..., :3]), "webp", quality=100)
    yield "lossy_alpha.webp", saved(Image.fromarray(soft), "webp", quality=100, exact=True)
    yield "animated.webp", saved(rgb, "webp", save_all=True, append_images=[rgb.rotate(180)], lossless=True)
    yield "animated_lossy.webp", saved(Image.fromarray(soft[..., :3]), "webp", save_all=True, append_images=[rgb], quality=100)
    yield "exif_8.webp", saved(rgb, "webp", lossless=True, exif=exif(8))


def pixels(data):
    image = Image.open(io.BytesIO(data + (b"\xff\xd9" if data.startswith(b"\xff\xd8") else b"")))
    if image.mode.startswith("I"):
        upper = (np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8)
        return np.stack([upper] * 3)
    if image.format != "TIFF":  # which PIL turns while it loads
        image = ImageOps.exif_transpose(image)
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    for family in (jpegs, pngs, gifs, bmps, tiffs, webps):
        for name, data in family():
            (out / name).write_bytes(data)
            (out / (name + ".u8")).write_bytes(np.ascontiguousarray(pixels(data)).tobytes())
    # What PIL reads and graft refuses.
    refused = saved(Image.fromarray(shapes(3)), "jpeg", quality=80, progressive=True, subsampling=2, restart_marker_blocks=1)
    (out.parent / "progressive_restarts.jpg").write_bytes(refused)


if __name__ == "__main__":
    main()
