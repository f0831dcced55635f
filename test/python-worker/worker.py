"""A Tilepipe worker in Python, from docs/protocol.md alone: it serves tiles beside the workers of the project.

    TILEPIPE_BROKER=mqtt://127.0.0.1:1883 TILEPIPE_WORKER_ID=python python3 worker.py
"""

import hashlib
import json
import os
import pathlib
import queue
import signal
import socket
import sys
import threading
import time
import urllib.request
from urllib.parse import urlparse

import numpy as np
import onnxruntime as ort
import paho.mqtt.client as mqtt

import wire

BROKER = urlparse(os.environ.get("TILEPIPE_BROKER", "mqtt://127.0.0.1:1883"))
ID = os.environ.get("TILEPIPE_WORKER_ID", "python-worker")
ROOT = "tilepipe"
CACHE = pathlib.Path(os.environ.get("TILEPIPE_CACHE") or pathlib.Path.home() / ".cache" / "tilepipe") / "blobs"
STATUS, INBOX = f"{ROOT}/status/worker/{ID}", f"{ROOT}/worker/{ID}/in"
SLOTS = 2
PASSED_ON = ("pipeline", "plan", "frame", "sequence", "source", "task", "reply", "merger", "splitter")
KEPT_BYTES = 32 << 20


def now():
    return round(time.monotonic() * 1000, 3)


def download(digest, store):
    """The path of a blob; resumes where an earlier attempt stopped, and keeps nothing of another digest."""
    path, part = CACHE / digest, CACHE / f"{digest}.{os.getpid()}.part"
    if path.exists():
        return path
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(f"{store.rstrip('/')}/blobs/{digest}", headers={"Range": f"bytes={have}-"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        with open(part, "ab" if answer.status == 206 else "wb") as file:
            while chunk := answer.read(1 << 16):
                file.write(chunk)
    with open(part, "rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != digest:
            part.unlink()
            raise RuntimeError(f"{digest} arrived damaged")
    part.rename(path)
    return path


def load(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def extents(region):
    return [end - begin for begin, end in region]


def crop(array, source, region):
    """The part `region` of an array that holds `source`, both in the coordinates of the plan's tensor."""
    return array[tuple(slice(b - s, e - s) for (b, e), (s, _) in zip(region, source))]


def attempt_of(meta):
    """Which attempt at its frame a message belongs to: strips of different ones are kept apart."""
    extra = meta.get("extra")
    return extra.get("attempt", 1) if isinstance(extra, dict) else 1


class Plan:
    def __init__(self, announcement):
        plan = announcement["plan"]
        self.digest, self.document = announcement["digest"], plan
        self.store = announcement["store"].replace("//broker:", f"//{BROKER.hostname}:")
        self.tasks = {task["id"]: task for task in plan["tasks"]}
        self.state, self.error, self.sessions, self.gathering = "loading", None, {}, {}

    def mine(self, task):
        return task["kind"] == "run" and ID in task.get("devices", [ID])

    def applies(self, task, sequence):
        return task.get("replica", sequence % self.document.get("replicas", 1)) == sequence % self.document.get("replicas", 1)

    def load(self):
        wanted = {task["model"] for task in self.tasks.values() if self.mine(task)}
        for model in self.document["models"]:
            if model["digest"] in wanted:
                for file in model["weights"]:
                    download(file["digest"], self.store)
                self.sessions[model["digest"]] = load(download(model["digest"], self.store))

    def check(self, task, side, tensors):
        """What is wrong with the tensors of a task, or None."""
        pieces = {piece["tensor"]: extents(piece["region"]) for piece in task[side]}
        if pieces.keys() != tensors.keys():
            return f"tensors {sorted(tensors)}, not {sorted(pieces)}"
        for name, array in tensors.items():
            dtype = self.document["tensors"][name]["dtype"]
            if array.dtype != np.dtype(dtype) or list(array.shape) != pieces[name]:
                return f"{name} is {array.dtype} {list(array.shape)}, not {dtype} {pieces[name]}"
        return None

    def gather(self, meta, tensors):
        """Copies strips from neighbours into the tasks gathered here; yields those that are complete."""
        for task in self.tasks.values():
            if task.get("gather") != "worker" or not self.mine(task) or not self.applies(task, int(meta.get("sequence", 0))):
                continue
            incoming = [(i, t) for i, t in enumerate(self.document["transfers"]) if t["to"] == task["id"]]
            key = (meta["frame"], attempt_of(meta), task["id"])
            for i, transfer in incoming:
                name, region = transfer["tensor"], transfer["region"]
                at = meta.get("regions", {}).get(name)
                inside = at and all(a <= b and e <= z for (a, z), (b, e) in zip(at, region))
                if transfer["from"] != meta["task"] or name not in tensors or not inside:
                    continue
                if key not in self.gathering:
                    while len(self.gathering) >= 64:
                        del self.gathering[next(iter(self.gathering))]
                    empty = {p["tensor"]: np.empty(extents(p["region"]), self.document["tensors"][p["tensor"]]["dtype"]) for p in task["inputs"]}
                    self.gathering[key] = (empty, {j for j, _ in incoming})
                inputs, missing = self.gathering[key]
                whole = next(p["region"] for p in task["inputs"] if p["tensor"] == name)
                crop(inputs[name], whole, region)[...] = crop(tensors[name], at, region)
                missing.discard(i)
                if not missing:
                    yield task, self.gathering.pop(key)[0]

    def deliveries(self, task, sequence):
        """(worker or None for the merger, {tensor: (region, codec)}) for every message a finished task makes."""
        merger, workers = {}, []
        for transfer in self.document["transfers"]:
            consumer = self.tasks[transfer["to"]]
            if transfer["from"] != task["id"] or not self.applies(consumer, sequence):
                continue
            if consumer.get("gather") == "worker":
                piece = (transfer["region"], transfer.get("codec", "raw"))
                workers.append((consumer["devices"][0], {transfer["tensor"]: piece}))
            else:
                region = next(p["region"] for p in task["outputs"] if p["tensor"] == transfer["tensor"])
                merger[transfer["tensor"]] = (region, "raw")
        return ([(None, merger)] if merger else []) + workers


class Worker:
    def __init__(self):
        self.plans, self.draining, self.state = {}, False, "starting"
        self.jobs, self.assembler = queue.Queue(), wire.Assembler()
        # What went to other workers lately, the oldest first: (plan, frame, worker, task) to its messages.
        self.kept, self.kept_bytes = {}, 0
        # Two connections: a large tile must not delay a heartbeat.
        self.control, self.data = self.client("control", f"{ROOT}/plan/+"), self.client("data", INBOX)
        self.control.will_set(STATUS, json.dumps(self.status("offline", "connection lost")), qos=1, retain=True)

    def client(self, channel, topic):
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{ID}-{channel}-{os.getpid()}")
        client.on_connect = lambda c, *_: (c.subscribe(topic, 1 if channel == "control" else 0), self.say())
        client.on_message = lambda _c, _u, message: getattr(self, f"on_{channel}")(message)
        client.on_socket_open = lambda _c, _u, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def status(self, state, reason=None):
        said = {"role": "worker", "id": ID, "state": state, "wire": [wire.VERSION], "version": "python-1", "inbox": INBOX}
        said |= {"codecs": wire.CODECS, "keepsStrips": True}
        said |= {"slots": SLOTS, "executor": f"onnxruntime {ort.__version__}", "plans": {}}
        for plan in list(self.plans.values()):
            said["plans"][plan.digest] = {"state": plan.state}
            if plan.state == "ready":
                said["plans"][plan.digest]["models"] = sorted(plan.sessions)
            if plan.error:
                said["plans"][plan.digest]["error"] = plan.error
        return said | ({"reason": reason} if reason else {})

    def say(self, reason=None):
        return self.control.publish(STATUS, json.dumps(self.status(self.state, reason)), qos=1, retain=True)

    def on_control(self, message):
        pipeline = message.topic.split("/")[-1]
        known = [plan for plan in self.plans.values() if plan.document["pipeline"] == pipeline]
        try:
            plan = Plan(json.loads(message.payload)) if message.payload else None
        except (KeyError, TypeError, ValueError) as error:
            print(f"{message.topic}: {error!r}", file=sys.stderr)
            return
        # The plan before this one stays, for the frames that are under way on it.
        for old in known if plan is None else known[:-1]:
            self.plans.pop(old.digest)
        if plan is not None and plan.digest not in self.plans:
            self.plans[plan.digest] = plan
            threading.Thread(target=self.load, args=[plan], daemon=True).start()
        self.say()

    def load(self, plan):
        try:
            plan.load()
            plan.state = "ready"
        except Exception as error:
            plan.state, plan.error = "failed", str(error)
        self.say()

    def on_data(self, message):
        try:
            received = self.assembler.accept(message.payload)
        except wire.NotAMessage as error:
            print(f"refused: {error}", file=sys.stderr)
            return
        if received is not None:
            self.jobs.put((*received, now()))

    def send(self, topic, meta, tensors=()):
        # Answers go to inboxes only, whatever a message asks for.
        levels = (topic or "").split("/")
        if len(levels) == 4 and levels[0] == ROOT and levels[3] == "in":
            for payload in wire.encode(meta, dict(tensors)):
                self.last = self.data.publish(topic, payload)

    def answer(self, kind, meta, **more):
        passed = {key: meta.get(key) for key in PASSED_ON}
        attempt = attempt_of(meta)
        return {"kind": kind, "sender": ID} | passed | ({"extra": {"attempt": attempt}} if attempt != 1 else {}) | more

    def refuse(self, meta, code, text):
        self.send(meta.get("reply"), self.answer("error", meta, code=code, message=text))

    def work(self):
        """One message at a time, in order; None ends it."""
        for meta, tensors, received in iter(self.jobs.get, None):
            plan = self.plans.get(meta.get("plan"))
            try:
                if meta["kind"] == "data" and plan:
                    for task, inputs in plan.gather(meta, tensors):
                        self.run(plan, task, inputs, meta | {"task": task["id"]}, received, gathered=True)
                elif meta["kind"] == "task":
                    self.take(plan, meta, tensors, received)
                elif meta["kind"] == "want":
                    self.send_again(meta)
                elif meta["kind"] == "close" and plan:
                    for key in [key for key in plan.gathering if key[0] == meta["frame"] and key[1] <= attempt_of(meta)]:
                        del plan.gathering[key]
            except Exception as error:
                self.refuse(meta, "task-failed", f"{type(error).__name__}: {error}")

    def keep(self, data, worker, parts):
        key = (data["plan"], data["frame"], worker, data["task"])
        self.kept.setdefault(key, []).append((data, parts))
        self.kept_bytes += sum(part.nbytes for part in parts.values())
        while self.kept_bytes > KEPT_BYTES:
            for _, old in self.kept.pop(next(iter(self.kept))):
                self.kept_bytes -= sum(part.nbytes for part in old.values())

    def send_again(self, meta):
        for task in meta["extra"]["tasks"]:
            for data, parts in self.kept.get((meta["plan"], meta["frame"], meta["sender"], task), []):
                self.send(f"{ROOT}/worker/{meta['sender']}/in", data, parts)

    def take(self, plan, meta, tensors, received):
        task = plan and plan.tasks.get(meta.get("task"))
        if self.draining and received > self.draining:
            self.refuse(meta, "no-worker", "draining")
        elif not task or task.get("model") not in plan.sessions:
            self.refuse(meta, "no-worker", "no such plan, or no such task of it, is loaded here")
        elif wrong := plan.check(task, "inputs", tensors):
            self.refuse(meta, "wire-invalid", wrong)
        elif now() < received + meta.get("deadlineMs", float("inf")):
            self.run(plan, task, tensors, meta, received)

    def run(self, plan, task, inputs, meta, received, gathered=False):
        started, names = now(), [piece["tensor"] for piece in task["outputs"]]
        outputs = dict(zip(names, plan.sessions[task["model"]].run(names, inputs)))
        if wrong := plan.check(task, "outputs", outputs):
            raise ValueError(wrong)
        regions = {piece["tensor"]: piece["region"] for piece in task["outputs"]}
        stamps = {"receivedMs": received, "startedMs": started, "endedMs": now()}
        if "deadlineMs" in meta:
            stamps["deadlineMs"] = max(1, round(meta["deadlineMs"] - (now() - received)))
        told = gathered
        for worker, pieces in plan.deliveries(task, int(meta.get("sequence", 0))):
            topic = f"{ROOT}/worker/{worker}/in" if worker else meta.get("merger")
            told = told or (worker is None and topic == meta.get("reply"))
            parts = {name: crop(outputs[name], regions[name], region) for name, (region, _) in pieces.items()}
            where = {name: region for name, (region, _) in pieces.items()}
            codecs = {name: codec for name, (_, codec) in pieces.items()}
            data = self.answer("data", meta, regions=where, codecs=codecs, **stamps)
            if worker == ID:
                self.jobs.put((data, parts, now()))
            else:
                if worker:
                    self.keep(data, worker, {name: part.copy() for name, part in parts.items()})
                self.send(topic, data, parts)
        if not told:
            self.send(meta.get("reply"), self.answer("done", meta, **stamps))

    def main(self):
        CACHE.mkdir(parents=True, exist_ok=True)
        signalled = threading.Event()
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: signalled.set())
        for client in (self.data, self.control):
            client.connect(BROKER.hostname, BROKER.port or 1883, keepalive=10)
            client.loop_start()
        worker = threading.Thread(target=self.work)
        worker.start()
        self.state = "online"
        self.say()
        signalled.wait()
        self.draining, self.state = now(), "draining"
        self.last = self.say("stopped")
        self.jobs.put(None)
        worker.join()
        self.last.wait_for_publish(5)
        self.state = "offline"
        self.say("stopped").wait_for_publish(5)
        for client in (self.data, self.control):
            client.disconnect()
            client.loop_stop()


if __name__ == "__main__":
    Worker().main()
