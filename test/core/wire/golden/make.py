"""Writes the golden vectors: what docs/protocol.md says, in another language and from its text alone.

Run it in this folder with any Python 3.8 or newer, no packages needed:  python3 make.py
(and then  npx biome check --write .  so that the JSON is formatted like every other).

Every vector is NAME.json with what a receiver must get, and the MQTT payloads that carry it: NAME.bin, or
NAME.0.bin, NAME.1.bin, ... for a message in parts. In the JSON:

  parts           file names, in order
  meta, tensors   what it decodes to; a tensor's `hex` are its elements after its codec, little-endian
  encoder         "canonical": an encoder in TypeScript makes the same bytes from `meta` and `tensors`, with the id
                  `id` and the limit `maxMessageBytes`; "foreign": correct, but laid out as another program might
  misaligned      tensors that do not start at a multiple of their element size
  reason          for a broken message: the reason, by its word, and nothing else
"""

import json
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).parent
KINDS = ["frame", "open", "task", "data", "done", "error", "close", "result", "want"]
SIZES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
NAMES = {
    "float64": "F64", "int64": "I64", "uint64": "U64", "float32": "F32", "int32": "I32", "uint32": "U32",
    "float16": "F16", "bfloat16": "BF16", "int16": "I16", "uint16": "U16", "int8": "I8", "uint8": "U8", "bool": "BOOL",
}


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def metadata(meta):
    """Strings as they are, numbers in decimal, the deadline as ten digits, the rest as JSON in a string."""
    text = {}
    for key, value in meta.items():
        if key == "deadlineMs":
            text[key] = "%010d" % value
        elif isinstance(value, str):
            text[key] = value
        elif isinstance(value, (int, float)):
            text[key] = str(value)
        else:
            text[key] = compact(value)
    return text


def body(meta, tensors, pad=8):
    """One safetensors file; tensors are (name, wire type, shape, bytes), in the order of their bytes."""
    header = {"__metadata__": metadata(meta)}
    data = b""
    for name, wire, shape, content in tensors:
        header[name] = {"dtype": wire, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = compact(header).encode()
    text += b" " * (-len(text) % pad)
    return struct.pack("<Q", len(text)) + text + data


def envelope(kind, part, parts, length, offset, identity, payload, magic=b"TPIP", version=1, flags=0):
    head = struct.pack("<4sBBHHHIIQ", magic, version, KINDS.index(kind) + 1, flags, part, parts, length, offset, identity)
    return head + struct.pack("<I", zlib.crc32(payload)) + payload


def split(kind, content, identity, limit):
    size = limit - 32
    count = -(-len(content) // size)
    return [
        envelope(kind, i, count, len(content), i * size, identity, content[i * size : (i + 1) * size])
        for i in range(count)
    ]


def save(name, payloads, expected):
    files = ["%s.bin" % name] if len(payloads) == 1 else ["%s.%d.bin" % (name, i) for i in range(len(payloads))]
    for file, payload in zip(files, payloads):
        (HERE / file).write_bytes(payload)
    (HERE / ("%s.json" % name)).write_text(json.dumps({"parts": files, **expected}, indent=2, ensure_ascii=False) + "\n")


def tensor(name, dtype, shape, content):
    return {"name": name, "dtype": dtype, "shape": shape, "hex": content.hex()}


def good(name, meta, tensors, limit=900000, wire=None, encoder="canonical", misaligned=0, extra=None, pad=8):
    """`tensors` are (name, dtype, shape, bytes); `wire` gives the type and bytes on the wire where a codec changes them."""
    identity = 0x0123456700000000 + sum(name.encode())
    sent = []
    for n, d, s, b in tensors:
        kind, content, *shape = (wire or {}).get(n, (NAMES[d], b))
        sent.append((n, kind, *(shape or [s]), content))
    content = body({**meta, **(extra or {})}, sent, pad)
    save(name, split(meta["kind"], content, identity, limit), {
        "meta": meta,
        "tensors": [tensor(*row) for row in tensors],
        "encoder": encoder,
        "id": str(identity),
        "maxMessageBytes": limit,
        "misaligned": misaligned,
    })


def floats(*values):
    return struct.pack("<%df" % len(values), *values)


def main():
    identity = {"sender": "worker-1", "pipeline": "demo", "plan": "ab" * 32, "frame": "f-7"}
    good("done", {"kind": "done", **identity, "task": "b0.t1", "receivedMs": 1000.25, "startedMs": 1001, "endedMs": 1017.5}, [])
    good("error", {"kind": "error", **identity, "task": "b0.t1", "code": "task-failed", "message": "größer als 3 \"Zeilen\" \u2192 \\"}, [])
    good(
        "task",
        {"kind": "task", **identity, "sequence": 7, "source": "porch", "task": "b1", "reply": "tilepipe/merger/m/in",
         "merger": "tilepipe/merger/m/in", "splitter": "tilepipe/splitter/s/in", "deadlineMs": 1500,
         "regions": {"map": [[0, 1], [0, 2], [4, 6], [3, 6]]}},
        [("map", "float32", [1, 2, 2, 3], floats(*[i / 4 for i in range(12)]))],
    )
    good(
        "mixed",
        {"kind": "data", **identity, "task": "b2"},
        [
            ("counts", "int64", [3], struct.pack("<3q", -1, 2**53, -(2**63))),
            ("scale", "float64", [], struct.pack("<d", 0.1)),
            ("boxes", "float32", [1, 2], floats(-0.0, 1e30)),
            ("empty", "float32", [0, 4], b""),
            ("halves", "float16", [2], struct.pack("<2e", 1.5, -65504)),
            ("mask", "bool", [3], b"\1\0\1"),
            ("pixels", "uint8", [1, 5], bytes([0, 1, 127, 128, 255])),
        ],
    )
    good("fp16", {"kind": "data", **identity, "task": "b2", "codecs": {"strip": "fp16"}},
         [("strip", "float32", [4], floats(0.5, -2, 1024, 6.103515625e-05))],
         wire={"strip": ("F16", struct.pack("<4e", 0.5, -2, 1024, 6.103515625e-05))})
    # Values that need no rounding: what the encoder makes of them is the same in every language.
    steps = bytes([0, 3, 16, 16, 200, 255])
    values = floats(*[(byte - 16) * 0.03125 for byte in steps])
    good("uint8", {"kind": "data", **identity, "task": "b2", "codecs": {"strip": "uint8"}, "scales": {"strip": [0.03125, 16]}},
         [("bias", "float32", [1], floats(0.25)), ("strip", "float32", [1, 2, 3], values)], wire={"strip": ("U8", steps)})
    # Raw deflate of stored blocks: any other packing of the same bytes is as right.
    stored = struct.pack("<BHH", 1, len(steps), 0xffff ^ len(steps)) + steps
    good("uint8-deflate",
         {"kind": "data", **identity, "task": "b2", "codecs": {"strip": "uint8+deflate"}, "scales": {"strip": [0.03125, 16]},
          "packed": {"strip": {"dtype": "U8", "shape": [1, 2, 3]}}},
         [("strip", "float32", [1, 2, 3], values)], wire={"strip": ("U8", stored, [len(stored)])}, encoder="foreign")
    good("want", {"kind": "want", **identity, "sequence": 7, "task": "b1.t1", "extra": {"tasks": ["b0.t0", "b0.t2"]}}, [])
    long = [("map", "float32", [1, 1, 24, 24], floats(*range(576)))]
    good("parts", {"kind": "data", **identity, "task": "b0.t0", "regions": {"map": [[0, 1], [0, 1], [0, 24], [24, 48]]}}, long, limit=1024)
    good("foreign", {"kind": "data", **identity, "task": "b0"},
         [("mask", "uint8", [3], b"\1\2\3"), ("map", "float32", [2], floats(1, 2)), ("12", "int16", [1], b"\5\0")],
         encoder="foreign", misaligned=2, extra={"vendor.note": "unknown keys are ignored"}, pad=64)

    meta = {"kind": "data", **identity, "task": "b0"}
    one = [("map", "F32", [2], floats(1, 2))]
    right = body(meta, one)

    def broken(name, reason, payload):
        save("broken-" + name, [payload], {"reason": reason})

    def sealed(content, kind="data", **fields):
        return envelope(kind, 0, 1, len(content), 0, 9, content, **fields)

    broken("magic", "magic", sealed(right, magic=b"TPIX"))
    broken("version", "version", sealed(right, version=2))
    broken("flags", "flags", sealed(right, flags=1))
    broken("kind", "metadata-kind", sealed(right, kind="task"))
    broken("short", "too-short", sealed(right)[:31])
    broken("cut", "part-arithmetic", sealed(right)[:-1])
    broken("checksum", "checksum", sealed(right)[:-1] + b"\xff")
    broken("header", "header-length", sealed(struct.pack("<Q", 1 << 40) + right[8:]))
    broken("name", "metadata-value", sealed(body({**meta, "frame": "f" * 129}, one)))
    broken("gap", "tensor-gap", sealed(right + bytes(4)))
    broken("bytes", "tensor-bytes", sealed(body(meta, [("map", "F32", [3], floats(1, 2))])))
    broken("dtype", "tensor-dtype", sealed(body(meta, [("map", "F8_E4M3", [8], bytes(8))])))
    broken("region", "region", sealed(body({**meta, "regions": {"map": [[0, 3]]}}, one)))
    broken("codec", "codec", sealed(body({**meta, "codecs": {"map": "zip"}}, one)))
    bytes_of_two = [("map", "U8", [2], b"\1\2")]
    coded = {**meta, "codecs": {"map": "uint8"}}
    broken("scale", "metadata-value", sealed(body({**coded, "scales": {"map": [0, 0]}}, bytes_of_two)))
    broken("no-scale", "codec", sealed(body(coded, bytes_of_two)))
    broken("picture", "codec", sealed(body({**meta, "codecs": {"map": "png"}, "packed": {"map": {"dtype": "U8", "shape": [1, 2]}}}, bytes_of_two)))


main()
