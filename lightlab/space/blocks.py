"""One building block of a network as data, and its text form."""

import itertools
import numbers
import re
from dataclasses import dataclass, field, fields

import numpy as np

OPS = ("conv", "sep", "mb")
ACTIVATIONS = ("relu", "relu6", "hswish", "none")
SKIPS = ("none", "identity", "pool")
MAX_EXPAND_RATIO = 1000  # beyond it no layer would fit into any memory
_DEFAULT_SKIP = {"conv": "none", "sep": "none", "mb": "identity"}
_SKIP_WORDS = {"none": "noskip", "identity": "skip", "pool": "poolskip"}


def make_plain(owner: object, kind: type[int] | type[float], *names: str) -> None:
    """Turn these fields of a frozen value into ints, or NumPy's numbers in them into floats: equal
    values have to have equal texts and hashes.

    ValueError for what is no number, or no whole one: 160.0 and NumPy's 160 are, 8.5 and True not.
    """
    for name in names:
        value = getattr(owner, name)
        if type(value) in (int, kind):
            continue
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        if not real or (kind is int and value % 1):
            what = "a whole number" if kind is int else "a number"
            raise ValueError(f"{type(owner).__name__} needs {what} for {name}, not {value!r}")
        object.__setattr__(owner, name, kind(value))


def require(rules: dict[str, bool], what: object) -> None:
    if broken := [rule for rule, holds in rules.items() if not holds]:
        name = what if isinstance(what, str) else type(what).__name__
        raise ValueError(f"{name} needs {', '.join(broken)}")


@dataclass(frozen=True, slots=True)
class Block:
    """One building block; what comes in decides its input channels and resolution.

    `op`: "conv" a plain convolution; "sep" a depthwise and a pointwise convolution, both with
    activation (MobileNetV1 figure 3); "mb" the inverted bottleneck: pointwise expansion (left out
    at `expand_ratio` 1), depthwise, squeeze-excite, linear projection (MobileNetV2 figure 3). After
    every convolution stands a batch normalisation.

    `se_ratio` 0 means no squeeze-excite. It squeezes to that share of the block's input and gates
    by a sigmoid (MnasNet), or with `se_of` "expanded" of the expanded width, rounded to 8, and
    gates by a hard sigmoid (MobileNetV3, OFA); it stands behind the depthwise convolution, or the
    plain one. `skip` "identity" adds the input wherever stride and channels allow it; "pool" adds
    the averages of 3 x 3 of its pixels, by the block's stride, wherever channels allow it.
    ValueError on impossible values.
    """

    op: str
    out_channels: int
    kernel_size: int = 3
    stride: int = 1
    expand_ratio: float = 1
    se_ratio: float = 0
    se_of: str = "input"
    act: str = "relu"
    skip: str = ""  # "": the op's own way, identity for "mb" and none for the others
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        make_plain(self, int, "out_channels", "kernel_size", "stride")
        make_plain(self, float, "expand_ratio", "se_ratio")
        if not self.skip:
            object.__setattr__(self, "skip", _DEFAULT_SKIP.get(self.op, "none"))
        mb, ratio = self.op == "mb", self.expand_ratio
        require(
            {
                f"op is one of {', '.join(OPS)}": self.op in OPS,
                "out_channels >= 1": self.out_channels >= 1,
                "kernel_size is odd": self.kernel_size >= 1 and self.kernel_size % 2 == 1,
                "stride is 1 or 2": self.stride in (1, 2),
                f"0 < expand_ratio <= {MAX_EXPAND_RATIO}": 0 < ratio <= MAX_EXPAND_RATIO,
                "expand_ratio is 1 unless op is mb": mb or ratio == 1,
                "0 <= se_ratio <= 1": 0 <= self.se_ratio <= 1,
                "se_of is input or expanded": self.se_of in ("input", "expanded"),
                f"act is one of {', '.join(ACTIVATIONS)}": self.act in ACTIVATIONS,
                f"skip is one of {', '.join(SKIPS)}": self.skip in SKIPS,
            },
            self,
        )
        if not self.se_ratio and self.se_of != "input":  # says nothing: one form for one block
            object.__setattr__(self, "se_of", "input")
        # blocks are the keys of every cost table: their hash is computed once
        own = tuple(getattr(self, f.name) for f in fields(self) if f.compare)
        object.__setattr__(self, "_hash", hash(own))

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple:  # the hash of a text differs from process to process
        return Block, tuple(getattr(self, f.name) for f in fields(self) if f.compare)

    def hidden_channels(self, in_channels: int) -> int:
        """Channels of the depthwise convolution; expanded ones are rounded to a multiple of 8."""
        if self.op != "mb" or self.expand_ratio == 1:
            return in_channels
        return make_divisible(in_channels * self.expand_ratio)

    def squeezed_channels(self, in_channels: int) -> int:
        """Channels between the two layers of squeeze-excite; 0 without it."""
        if not self.se_ratio:
            return 0
        if self.se_of == "input":
            return max(1, int(in_channels * self.se_ratio))
        return make_divisible(self.hidden_channels(in_channels) * self.se_ratio)

    def skip_of(self, in_channels: int) -> str:
        """What the block adds to its output: `skip` where stride and channels allow it."""
        allowed = self.stride == 1 or self.skip == "pool"
        return self.skip if allowed and in_channels == self.out_channels else "none"

    def __str__(self) -> str:
        return encode_block(self)


def make_divisible(value: float) -> int:
    """The multiple of 8 nearest to `value`, never under 90 % of it (MobileNetV2's code)."""
    rounded = max(8, int(value + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * value else rounded


_TOKEN = re.compile(r"^(conv|sep|mb)(_.+)?$")
_PART = re.compile(r"^(?:([ksc])(\d+)|e(\d+(?:\.\d+)?)|se(\d*\.?\d+)(x?))$")
_WHOLE = {"k": "kernel_size", "s": "stride", "c": "out_channels"}


def encode_block(block: Block) -> str:
    """`block` as text, e.g. "mb_k5_s2_e6_c40_se0.25": op, kernel, stride, expansion, channels, …

    "se0.25" squeezes by the input, "se0.25x" by the expanded width; "relu6", "hswish" or "none"
    name the activation where it is not ReLU; "skip", "noskip" and "poolskip" what is not the op's
    own way.
    """
    parts = [block.op, f"k{block.kernel_size}", f"s{block.stride}"]
    if block.op == "mb":
        parts.append(f"e{_number(block.expand_ratio)}")
    parts.append(f"c{block.out_channels}")
    if block.se_ratio:
        parts.append(f"se{_number(block.se_ratio)}{'x' if block.se_of == 'expanded' else ''}")
    if block.act != "relu":
        parts.append(block.act)
    if block.skip != _DEFAULT_SKIP[block.op]:
        parts.append(_SKIP_WORDS[block.skip])
    return "_".join(parts)


def decode_block(text: str) -> Block:
    """The block that `text` names; ValueError says which part is not understood."""
    match = _TOKEN.match(text)
    if not match:
        raise ValueError(f"block {text!r}: begins with none of {', '.join(OPS)}")
    values: dict = {"op": match[1]}
    for part in (match[2] or "").split("_")[1:]:
        found = _part(part)
        if not found:
            raise ValueError(f"block {text!r}: cannot read {part!r}")
        if values.keys() & found.keys():
            raise ValueError(f"block {text!r}: {part!r} is said twice")
        values |= found
    if "out_channels" not in values:
        raise ValueError(f"block {text!r}: its channels are missing, e.g. c32")
    return Block(**values)


def _part(part: str) -> dict:
    """What a part says by the names of a block's fields, empty where it cannot be read."""
    if part in ACTIVATIONS:
        return {"act": part}
    if skips := [skip for skip, word in _SKIP_WORDS.items() if word == part]:
        return {"skip": skips[0]}
    if not (match := _PART.match(part)):
        return {}
    letter, whole, expand, se, expanded = match.groups()
    if letter:
        return {_WHOLE[letter]: int(whole)}
    if expand:
        return {"expand_ratio": float(expand) if "." in expand else int(expand)}
    return {"se_ratio": float(se), "se_of": "expanded" if expanded else "input"}


def encode_blocks(blocks: tuple[Block, ...]) -> str:
    """Blocks as text, separated by spaces; equal neighbours are written once with "*n"."""
    runs = [(text, len(list(same))) for text, same in itertools.groupby(map(encode_block, blocks))]
    return " ".join(text if n == 1 else f"{text}*{n}" for text, n in runs)


def decode_blocks(text: str) -> tuple[Block, ...]:
    """The blocks that `text` names; ValueError where one cannot be read."""
    blocks: list[Block] = []
    for token in text.split():
        name, star, times = token.partition("*")
        if star and not re.fullmatch(r"[1-9]\d{0,2}", times, re.ASCII):
            raise ValueError(f"block {token!r}: {times!r} is no number of repeats from 1 to 999")
        blocks += [decode_block(name)] * (int(times) if star else 1)
    return tuple(blocks)


def _number(value: float) -> str:
    """Shortest text that reads back as `value`, without an exponent."""
    return np.format_float_positional(value, trim="-")
