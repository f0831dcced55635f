"""Drawn scenes, read through a pipe from tools/demo/dump.ts, so that the drawing exists once."""

import io
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[3]
DUMP = ROOT / "dist" / "tools" / "demo" / "dump.js"
LABELS = ("ball", "box", "triangle", "star", "ring")

# The same number as COUNTED_VISIBLE in tools/demo/scene.ts: an object hidden more than this is neither asked for
# nor counted wrong.
COUNTED_VISIBLE = 0.5


@dataclass
class Picture:
    pixels: np.ndarray  # uint8 [height, width, 3], RGB
    classes: np.ndarray  # int [n]
    boxes: np.ndarray  # float32 [n, 4]: left, top, right, bottom in pixels
    counted: np.ndarray  # bool [n]: visible enough to be asked for


def read(dump: Path, seed: int, count: int, width: int, height: int) -> Iterator[Picture]:
    """The pictures of the seeds from `seed` on, in order."""
    arguments = {"count": count, "seed": seed, "width": width, "height": height}
    command = ["node", str(dump), *(f"--{name}={value}" for name, value in arguments.items())]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        stream = process.stdout
        magic, *said = struct.unpack("<4s3I", exactly(stream, 16))
        if magic != b"TPSC" or said != [count, width, height]:
            raise ValueError(f"{dump} wrote another format: {magic!r} {said}")
        for _ in range(count):
            (objects,) = struct.unpack("<I", exactly(stream, 4))
            rows = np.frombuffer(exactly(stream, 24 * objects), [("label", "<u4"), ("values", "<f4", 5)])
            pixels = np.frombuffer(exactly(stream, 3 * width * height), np.uint8).reshape(height, width, 3)
            values = rows["values"]
            yield Picture(pixels, rows["label"].astype(int), values[:, :4], values[:, 4] >= COUNTED_VISIBLE)


def exactly(stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError("the scene dump ended early; its message is above")
    return data


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    """What a camera's JPEG leaves of a picture."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def augment(picture: Picture, random: np.random.Generator) -> Picture:
    """Flips, turns, white balance and JPEG artefacts: everything that keeps the labels and fits a square picture."""
    pixels, boxes = picture.pixels, picture.boxes
    size = pixels.shape[0]
    if random.random() < 0.5:
        pixels, boxes = pixels[:, ::-1], np.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], 1)
    if random.random() < 0.5:
        pixels, boxes = pixels[::-1], np.stack([boxes[:, 0], size - boxes[:, 3], boxes[:, 2], size - boxes[:, 1]], 1)
    if random.random() < 0.5:
        pixels, boxes = pixels.transpose(1, 0, 2), boxes[:, [1, 0, 3, 2]]
    if random.random() < 0.5:
        pixels = np.clip(pixels * random.uniform(0.85, 1.15, 3), 0, 255).astype(np.uint8)
    if random.random() < 0.6:
        pixels = jpeg(np.ascontiguousarray(pixels), int(random.integers(55, 96)))
    return Picture(pixels, picture.classes, boxes, picture.counted)
