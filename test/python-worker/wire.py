"""Tilepipe's wire format: a 32-byte envelope per part, one safetensors file per message."""

import collections
import itertools
import json
import secrets
import struct
import zlib

import numpy as np

ENVELOPE = struct.Struct("<4sBBHHHIIQI")
MAGIC, VERSION = b"TPIP", 1
KINDS = ["frame", "open", "task", "data", "done", "error", "close", "result", "want"]
# Pictures are left to those who have an image library.
CODECS = ["raw", "fp16", "uint8", "deflate", "fp16+deflate", "uint8+deflate"]
MAX_BODY, MAX_HEADER, MAX_MESSAGE = 256 << 20, 65536, 900_000
DTYPES = {
    "F32": np.float32, "F16": np.float16, "F64": np.float64, "BOOL": np.bool_,
    "I8": np.int8, "U8": np.uint8, "I16": np.int16, "U16": np.uint16,
    "I32": np.int32, "U32": np.uint32, "I64": np.int64, "U64": np.uint64,
}  # fmt: skip
NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
JSON_FIELDS = {"regions", "codecs", "scales", "packed", "extra"}
TIME_FIELDS = {"deadlineMs", "receivedMs", "startedMs", "endedMs"}
# An answer repeats these: one that is too long would leave it no room.
MOST_UNITS = dict.fromkeys(("sender", "pipeline", "plan", "frame", "source", "task", "code"), 128)
MOST_UNITS |= dict.fromkeys(("reply", "merger", "splitter"), 256)
MOST_TEXT = 1024

_ids = itertools.count(secrets.randbits(32) << 32)


class NotAMessage(Exception):
    """What arrived is malformed."""


def need(condition, what):
    if not condition:
        raise NotAMessage(what)


class Assembler:
    """Puts the parts of messages together, in any order, each part once."""

    def __init__(self, most=64):
        self.unfinished = collections.OrderedDict()
        self.finished = collections.deque(maxlen=1024)
        self.most = most

    def accept(self, payload):
        """Takes one MQTT payload; returns (meta, tensors) of the message it completes, or None."""
        need(len(payload) > ENVELOPE.size, "too short")
        magic, version, kind, flags, part, parts, size, offset, ident, crc = ENVELOPE.unpack_from(payload)
        data = memoryview(payload)[ENVELOPE.size :]
        need(magic == MAGIC and version == VERSION and flags == 0, "magic, version or flags")
        need(1 <= kind <= len(KINDS) and part < parts and 16 <= size <= MAX_BODY, "kind, part or size")
        last = part == parts - 1
        fits = offset + len(data) == size if last else offset == part * len(data) and offset + len(data) < size
        need(fits and (parts > 1 or offset == 0) and zlib.crc32(data) == crc, "arithmetic or checksum")
        if parts == 1:
            return decode(data, KINDS[kind - 1])
        if ident in self.finished:
            return None
        head = (kind, parts, size)
        if ident not in self.unfinished:
            while len(self.unfinished) >= self.most:
                self.unfinished.popitem(last=False)
            self.unfinished[ident] = (head, bytearray(size), set())
        known, body, arrived = self.unfinished[ident]
        need(known == head, "parts disagree")
        if part not in arrived:
            arrived.add(part)
            body[offset : offset + len(data)] = data
        if len(arrived) < parts:
            return None
        del self.unfinished[ident]
        self.finished.append(ident)
        return decode(memoryview(body), KINDS[kind - 1])


def decode(body, kind):
    """(meta, {name: array}) of one body."""
    try:
        (length,) = struct.unpack_from("<Q", body)
        need(8 <= length <= min(MAX_HEADER, len(body) - 8) and length % 8 == 0, "header length")
        header = json.loads(bytes(body[8 : 8 + length]))
        meta = header.pop("__metadata__")
        need(meta["kind"] == kind, "kind differs from the envelope")
        data = body[8 + length :]
        tensors = {name: array_of(entry, data) for name, entry in header.items()}
        for field in MOST_UNITS.keys() & meta.keys():
            need(units(meta[field]) <= MOST_UNITS[field], f"{field} is too long")
        for field in JSON_FIELDS & meta.keys():
            meta[field] = json.loads(meta[field])
        for field in TIME_FIELDS & meta.keys():
            meta[field] = float(meta[field])
        for name, codec in meta.get("codecs", {}).items():
            need(codec in CODECS, f"codec {codec}")
            if codec.endswith("deflate"):
                tensors[name] = inflated(tensors[name], meta["packed"][name])
            if codec.startswith("fp16"):
                need(tensors[name].dtype == np.float16, "halves")
                tensors[name] = tensors[name].astype(np.float32)
            if codec.startswith("uint8"):
                tensors[name] = dequantised(tensors[name], *meta["scales"][name])
        return meta, tensors
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise NotAMessage(f"header: {error!r}") from error


def units(text):
    """Length in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2


def inflated(row, packed):
    """The array a row of bytes was deflated from; never unpacks more than was declared."""
    size = np.dtype(DTYPES[packed["dtype"]]).itemsize
    for extent in packed["shape"]:
        size *= extent
    need(0 < size <= MAX_BODY, "size of a deflated tensor")
    unpacker = zlib.decompressobj(wbits=-15)
    # One byte more than there may be: what ends before that has ended.
    data = unpacker.decompress(row.tobytes(), size + 1)
    need(unpacker.eof and len(data) == size, "deflated tensor")
    return array_of({**packed, "data_offsets": [0, size]}, data)


def dequantised(steps, scale, zero):
    """Single precision of bytes: by a table, for there are 256 of them."""
    need(steps.dtype == np.uint8 and 0 < scale < float("inf") and zero in range(256), "scale")
    with np.errstate(over="ignore"):
        values = ((np.arange(256) - zero) * float(scale)).astype(np.float32)
    return values[steps]


def quantised(array):
    """The bytes of an array with their scale, or None where they cannot stand for its values."""
    low, high = (float(array.min(initial=0)), float(array.max(initial=0)))
    if not high - low <= 1e38:
        return None
    scale = (high - low) / 255 or 1.0
    zero = round(-low / scale)
    return np.clip(np.rint(array.astype(np.float64) / scale) + zero, 0, 255).astype(np.uint8), [scale, zero]


def written(array, codec):
    """(array as it travels, codec, scale, packed) for the codec that the plan asks for."""
    value, scale, packed = codec.partition("+")[0], None, None
    plain = value == "deflate"
    if value == "fp16":
        plain = not (np.abs(array) < 65520).all()
        array = array if plain else array.astype(np.float16)
    if value == "uint8":
        array, scale = quantised(array) or (array, None)
        plain = scale is None
    kept = [] if plain else [value]
    if codec.endswith("deflate"):
        packer = zlib.compressobj(1, zlib.DEFLATED, -15)
        data = packer.compress(np.ascontiguousarray(array).tobytes()) + packer.flush()
        if len(data) < array.nbytes:
            packed = {"dtype": NAMES[array.dtype], "shape": list(array.shape)}
            array, kept = np.frombuffer(data, np.uint8), [*kept, "deflate"]
    return array, "+".join(kept) or "raw", scale, packed


def array_of(entry, data):
    dtype, shape, (begin, end) = np.dtype(DTYPES[entry["dtype"]]), entry["shape"], entry["data_offsets"]
    need(len(shape) <= 8 and all(isinstance(extent, int) and extent >= 0 for extent in shape), "shape")
    count = 1
    for extent in shape:
        count *= extent
    need(0 <= begin <= end <= len(data) and count * dtype.itemsize == end - begin, "offsets")
    return np.frombuffer(data[begin:end], dtype).reshape(shape)


def encode(meta, tensors):
    """The MQTT payloads of one message."""
    wanted = meta.get("codecs") or {}
    forms = {name: written(array, wanted.get(name, "raw")) for name, array in tensors.items()}
    arrays = {name: array for name, (array, *_) in forms.items()}
    coding = {"codecs": {}, "scales": {}, "packed": {}}
    for name, (_, codec, scale, packed) in forms.items():
        coding["codecs"] |= {name: codec} if codec != "raw" else {}
        coding["scales"] |= {name: scale} if scale else {}
        coding["packed"] |= {name: packed} if packed else {}
    meta = meta | {key: value or None for key, value in coding.items()}
    # The widest elements first: then every tensor is aligned.
    arrays = dict(sorted(arrays.items(), key=lambda item: -item[1].itemsize))
    text = {
        key: json.dumps(value) if key in JSON_FIELDS else str(value)
        for key, value in meta.items()
        if value is not None
    }
    if units(text.get("message", "")) > MOST_TEXT:
        text["message"] = text["message"][: MOST_TEXT // 2]
    header, end = {"__metadata__": text}, 0
    for name, array in arrays.items():
        offsets = [end, end + array.nbytes]
        header[name] = {"dtype": NAMES[array.dtype], "shape": array.shape, "data_offsets": offsets}
        end += array.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    body = b"".join([struct.pack("<Q", len(head)), head, *(np.ascontiguousarray(a).tobytes() for a in arrays.values())])
    step, ident, kind = MAX_MESSAGE - ENVELOPE.size, next(_ids), KINDS.index(meta["kind"]) + 1
    offsets = range(0, len(body), step)
    for part, offset in enumerate(offsets):
        data = body[offset : offset + step]
        crc = zlib.crc32(data)
        envelope = (MAGIC, VERSION, kind, 0, part, len(offsets), len(body), offset, ident, crc)
        yield ENVELOPE.pack(*envelope) + data
