"""Precision, recall and average precision of an exported model, at an IoU of 0.5."""

from pathlib import Path
from typing import Iterable

import numpy as np
import onnxruntime

from network import CHANNELS, STRIDE
from scenes import LABELS, Picture, jpeg

SCORE = 0.4  # the pipeline's confidence threshold
CANDIDATE = 0.05  # how far down the precision-recall curve is followed
OVERLAP = 0.5


def evaluate(model: Path, pictures: Iterable[Picture], quality: int | None) -> str:
    """One line of figures; `quality` of the JPEG that the pictures go through first, None for none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    found = [[] for _ in LABELS]  # per class (score, whether right)
    wanted = np.zeros(len(LABELS), int)
    seen = 0
    for picture in pictures:
        seen += 1
        pixels = picture.pixels if quality is None else jpeg(picture.pixels, quality)
        images = np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], np.float32) / 255
        (grid,) = session.run(None, {"images": images})
        detections = decode(grid[0])
        for label in range(len(LABELS)):
            own = picture.classes == label
            wanted[label] += (own & picture.counted).sum()
            found[label] += judge([d for d in detections if d[1] == label], picture.boxes[own], picture.counted[own])
    above = sum(score >= SCORE for kind in found for score, _ in kind)
    right = sum(hit for kind in found for score, hit in kind if score >= SCORE)
    precision, recall = right / max(1, above), right / wanted.sum()
    averages = [average_precision(kind, count) for kind, count in zip(found, wanted)]
    source = "raw" if quality is None else f"JPEG quality {quality}"
    return (
        f"{seen} pictures, {source}, {wanted.sum()} objects: precision {precision:.4f}, recall {recall:.4f}, "
        f"F1 {2 * precision * recall / max(1e-9, precision + recall):.4f}, mAP50 {np.mean(averages):.4f} ("
        + ", ".join(f"{label} {value:.4f}" for label, value in zip(LABELS, averages))
        + ")"
    )


def decode(grid: np.ndarray) -> list[tuple[float, int, np.ndarray]]:
    """(score, class, box in pixels) of a [5 + classes, rows, columns] output, best first, duplicates removed per class."""
    chance = sigmoid(grid[:1]) * sigmoid(grid[CHANNELS:])
    label = chance.argmax(0)
    score = chance.max(0)
    row, column = np.nonzero(score >= CANDIDATE)
    _, dx, dy, log_width, log_height = grid[:CHANNELS, row, column]
    centre = np.stack([column + sigmoid(dx), row + sigmoid(dy)], 1)
    half = np.exp(np.stack([log_width, log_height], 1)) / 2
    boxes = STRIDE * np.concatenate([centre - half, centre + half], 1)
    scores, labels = score[row, column], label[row, column]
    kept: list[tuple[float, int, np.ndarray]] = []
    for index in np.argsort(-scores):
        rivals = [box for _, other, box in kept if other == labels[index]]
        if not rivals or overlaps(boxes[index], np.array(rivals)).max() < OVERLAP:
            kept.append((float(scores[index]), int(labels[index]), boxes[index]))
    return kept


def judge(detections: list, boxes: np.ndarray, counted: np.ndarray) -> list[tuple[float, bool]]:
    """Each truth is found once; a detection of something hardly visible is left out."""
    free = np.ones(len(boxes), bool)
    verdicts = []
    for score, _, box in detections:
        overlap = overlaps(box, boxes) * free if len(boxes) else np.zeros(1)
        best = int(overlap.argmax())
        right = overlap[best] >= OVERLAP
        if right:
            free[best] = False
        if not right or counted[best]:
            verdicts.append((score, bool(right)))
    return verdicts


def average_precision(verdicts: list[tuple[float, bool]], count: int) -> float:
    """Area under the precision envelope over recall."""
    right = np.cumsum([hit for _, hit in sorted(verdicts, key=lambda verdict: -verdict[0])])
    if len(right) == 0:
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0], right / count])
    return float((np.diff(recall) * envelope).sum())


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box with each of [n, 4]."""
    common = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    return common / ((box[2:] - box[:2]).prod() + areas - common)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
