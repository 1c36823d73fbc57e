"""Write the fixtures of graft/preprocess: pixels resized by PyTorch, torchvision and PIL.

Run by hand with torch 1.13, torchvision 0.14 and Pillow 9:

    python scripts/fixtures_preprocess.py preprocess/testdata

Raw files hold row-major values: .u8 bytes, .f32 little-endian float32. Their
shapes stand in preprocess/resize_test.go, host_test.go and decode_test.go.
"""

import pathlib
import sys

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torchvision import transforms


def picture(seed, c, h, w):
    """Smooth shapes with edges and some noise: [c,h,w] uint8, far from flat."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:h, 0:w] / max(h, w)
    planes = []
    for k in range(c):
        waves = np.sin(9 * x + 5 * k) + np.cos(11 * y * (1 + x) + k)
        edges = ((x - 0.4) ** 2 + (y - 0.5) ** 2 < 0.05).astype(float)
        planes.append(128 + 45 * waves + 60 * edges * (-1) ** k + rng.normal(0, 12, (h, w)))
    return np.clip(np.stack(planes), 0, 255).astype(np.uint8)


def write(path, array):
    array = np.ascontiguousarray(array)
    assert array.dtype in (np.uint8, np.float32)
    path.write_bytes(array.tobytes())


def resizes(out):
    for name, shape, size in [
        ("square", (1, 48, 48), (32, 32)),
        ("up", (1, 48, 48), (224, 224)),
        ("odd", (3, 37, 53), (20, 61)),
        ("tiny", (1, 5, 3), (1, 7)),
    ]:
        pixels = picture(len(name), *shape)
        x = torch.from_numpy(pixels).float().div(255)[None]
        write(out / f"resize_{name}.u8", pixels)
        write(out / f"resize_{name}_antialias.f32", transforms.Resize(size, antialias=True)(x)[0].numpy())


def to_pil(pixels):
    return Image.fromarray(pixels[0]) if len(pixels) == 1 else Image.fromarray(pixels.transpose(1, 2, 0))


def planes(image):
    a = np.asarray(image)
    return a[None] if a.ndim == 2 else a.transpose(2, 0, 1)


def host(out):
    """The evaluation transform on PIL images: resize the shorter side, cut the centre."""
    for name, shape, short, size in [
        ("wide", (3, 61, 90), 36, 32),
        ("tall", (3, 75, 40), 32, 32),
        ("gray", (1, 48, 48), 36, 32),
        ("enlarged", (1, 48, 48), 96, 84),
    ]:
        pixels = picture(100 + len(name), *shape)
        done = transforms.Compose([transforms.Resize(short), transforms.CenterCrop(size)])(to_pil(pixels))
        write(out / f"host_{name}.u8", pixels)
        write(out / f"host_{name}_{size}.u8", planes(done))


def files(out):
    rgb, gray = picture(7, 3, 12, 16), picture(8, 1, 12, 16)
    write(out / "decode_rgb.u8", rgb)
    write(out / "decode_gray.u8", gray)
    for ext, options in [("png", {}), ("bmp", {}), ("tiff", {"compression": "tiff_lzw"}), ("webp", {"lossless": True})]:
        to_pil(rgb).save(out / f"decode_rgb.{ext}", **options)
    for ext in ("png", "gif", "tiff"):
        to_pil(gray).save(out / f"decode_gray.{ext}")
    smooth = to_pil(np.repeat(np.repeat(picture(9, 3, 3, 4), 8, 1), 8, 2))
    for mode in ("RGB", "L"):
        for orientation in range(1, 9):
            exif = Image.Exif()
            exif[0x0112] = orientation
            path = out / f"exif_{mode}_{orientation}.jpg"
            smooth.convert(mode).save(path, quality=95, subsampling=0, exif=exif)
            write(path.with_suffix(".u8"), planes(ImageOps.exif_transpose(Image.open(path))))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    resizes(out)
    host(out)
    files(out)


if __name__ == "__main__":
    main()
