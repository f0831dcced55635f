"""Trains the demo's detector on drawn scenes, and measures it on scenes it has not seen. See README.md."""

import os

# One thread: before JAX starts, or it takes every core.
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")

import argparse
import queue
import threading
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import optax

import network
from evaluate import evaluate
from scenes import DUMP, LABELS, Picture, augment, read

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT = 640, 480
CROP = 192
# Evaluation and tests use seeds below this, training the ones from here on.
FIRST_SEED = 1_000_000


def targets(pictures: list[Picture]) -> tuple[np.ndarray, ...]:
    """Per cell: `near` 0..1 (1 in the cell of a centre), `positive`, box [l, t, r, b] in cells, class."""
    cells = CROP // network.STRIDE
    near = np.zeros((len(pictures), cells, cells), np.float32)
    positive = np.zeros_like(near)
    boxes = np.tile(np.array([0, 0, 1, 1], np.float32), (*near.shape, 1))
    classes = np.zeros(near.shape, np.int32)
    row, column = np.mgrid[:cells, :cells]
    for index, picture in enumerate(pictures):
        for label, box, counted in zip(picture.classes, picture.boxes / network.STRIDE, picture.counted):
            left, top, right, bottom = box
            if not counted:
                # No verdict on what is hardly visible: `near` 1 without `positive` takes its cells out of the loss.
                inside = np.s_[index, int(top) : int(np.ceil(bottom)), int(left) : int(np.ceil(right))]
                near[inside] = 1
                continue
            x, y = (left + right) / 2, (top + bottom) / 2
            spread_x, spread_y = max(0.4, (right - left) / 6), max(0.4, (bottom - top) / 6)
            bell = np.exp(-(((column + 0.5 - x) / spread_x) ** 2 + ((row + 0.5 - y) / spread_y) ** 2) / 2)
            near[index] = np.maximum(near[index], bell)
            cell = index, min(cells - 1, int(y)), min(cells - 1, int(x))
            positive[cell], boxes[cell], classes[cell] = 1, box, label
    return np.maximum(near, positive), positive, boxes, classes


def loss(grid, near, positive, boxes, classes):
    """Penalty-reduced focal loss (Law and Deng, CornerNet, 2018) on objectness; box and class where centres are."""
    count = jnp.maximum(1.0, positive.sum())
    objectness = grid[..., 0]
    chance = jax.nn.sigmoid(objectness)
    hit = positive * (1 - chance) ** 2 * jax.nn.softplus(-objectness)
    miss = (1 - positive) * (1 - near) ** 4 * chance**2 * jax.nn.softplus(objectness)

    rows, columns = jnp.meshgrid(*(jnp.arange(extent) for extent in grid.shape[1:3]), indexing="ij")
    x = columns + jax.nn.sigmoid(grid[..., 1])
    y = rows + jax.nn.sigmoid(grid[..., 2])
    # A wild size in the first steps must not become an infinite area.
    log_size = jnp.clip(grid[..., 3:5], -3, 4)
    width, height = jnp.exp(log_size[..., 0]), jnp.exp(log_size[..., 1])
    left, top, right, bottom = (boxes[..., side] for side in range(4))
    overlap_x = jnp.minimum(x + width / 2, right) - jnp.maximum(x - width / 2, left)
    overlap_y = jnp.minimum(y + height / 2, bottom) - jnp.maximum(y - height / 2, top)
    overlap = jnp.maximum(overlap_x, 0) * jnp.maximum(overlap_y, 0)
    union = width * height + (right - left) * (bottom - top) - overlap
    size = jnp.abs(log_size[..., 0] - jnp.log(right - left)) + jnp.abs(log_size[..., 1] - jnp.log(bottom - top))
    centre = jnp.abs(x - (left + right) / 2) + jnp.abs(y - (top + bottom) / 2)
    box = positive * (2 * (1 - overlap / union) + size + centre)

    wanted = jax.nn.one_hot(classes, grid.shape[-1] - network.CHANNELS)
    kind = positive * optax.sigmoid_binary_cross_entropy(grid[..., network.CHANNELS :], wanted).sum(-1)
    return (hit.sum() + miss.sum() + box.sum() + kind.sum()) / count


def batches(options) -> queue.Queue:
    """Ready batches, from a thread: pictures are kept as they arrive, and drawn from at random ever after."""
    kept: list[Picture] = []
    ready: queue.Queue = queue.Queue(maxsize=4)
    enough = threading.Event()

    def gather():
        for picture in read(options.dump, FIRST_SEED, options.scenes, CROP, CROP):
            kept.append(picture)
            if len(kept) >= min(options.scenes, 500):
                enough.set()

    def compose():
        random = np.random.default_rng(1)
        enough.wait()
        while True:
            chosen = [augment(kept[i], random) for i in random.integers(0, len(kept), options.batch)]
            images = np.stack([picture.pixels for picture in chosen]).astype(np.float32) / 255
            ready.put((images, *targets(chosen)))

    for work in (gather, compose):
        threading.Thread(target=work, daemon=True).start()
    return ready


def train(options) -> onnx.ModelProto:
    classes = len(LABELS)
    trained, running = network.initial(jax.random.key(0), classes)
    print(f"{sum(leaf.size for leaf in jax.tree.leaves(trained))} parameters", flush=True)
    rate = optax.warmup_cosine_decay_schedule(0, options.rate, 100, options.steps)
    optimiser = optax.chain(optax.clip_by_global_norm(5), optax.adamw(rate, weight_decay=1e-3))
    state = optimiser.init(trained)

    @jax.jit
    def step(trained, running, state, images, near, positive, boxes, kinds):
        def cost(values):
            grid, statistics = network.forward(values, running, images, classes)
            return loss(grid, near, positive, boxes, kinds), statistics

        (value, statistics), gradient = jax.value_and_grad(cost, has_aux=True)(trained)
        change, new_state = optimiser.update(gradient, state, trained)
        return optax.apply_updates(trained, change), statistics, new_state, value

    ready = batches(options)
    begun, recent = time.monotonic(), []
    for number in range(1, options.steps + 1):
        trained, running, state, value = step(trained, running, state, *ready.get())
        recent.append(float(value))
        if number % 100 == 0:
            print(f"step {number}: loss {np.mean(recent):.3f}, {time.monotonic() - begun:.0f} s", flush=True)
            recent.clear()
        if number % 500 == 0:
            onnx.save(network.export(trained, running, classes, WIDTH, HEIGHT), options.model)
    return network.export(trained, running, classes, WIDTH, HEIGHT)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=HERE.parent / "scenes.onnx")
    parser.add_argument("--dump", type=Path, default=DUMP, help="the built tools/demo/dump.js")
    parser.add_argument("--steps", type=int, default=2600)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--scenes", type=int, default=12_000, help="pictures to train on")
    parser.add_argument("--evaluate", action="store_true", help="only measure the model")
    parser.add_argument("--unseen", type=int, default=500, help="pictures to measure on")
    options = parser.parse_args()
    if not options.evaluate:
        onnx.save(train(options), options.model)
    for quality in (None, 85, 60):
        print(evaluate(options.model, read(options.dump, 0, options.unseen, WIDTH, HEIGHT), quality), flush=True)


if __name__ == "__main__":
    main()
