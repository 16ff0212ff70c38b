"""What a compressed network is worth: accuracy, time and size of the very file that is delivered.

Time and size are shares of the trained network's in 32 bits, timed in turn with it: a machine's
clock that wanders touches both alike.
"""

import time
from dataclasses import dataclass, field, replace

from torch import Tensor

from lightlab import deploy, latency, train
from lightlab.chapters.ch11_compression.space import BITS, Compressed, CompressionSpace
from lightlab.data import DataSet, Split
from lightlab.deploy.export import run
from lightlab.latency.engines import onnx_runner
from lightlab.methods.once_for_all import subnets
from lightlab.nets.build import Network
from lightlab.nets.compress import prune
from lightlab.nets.elastic import ElasticNetwork
from lightlab.space.decisions import Decision, DecisionSpace, Point

N_CALIBRATE = 200  # training images, for the ranges of integers
PLAN = latency.Plan(rounds=5, samples=5, sample_ms=0.3, min_busy=0, warmup_ms=3.0)


@dataclass(frozen=True, eq=False)
class Worth:
    """`accuracy` in % on the validation images, `tested` on the test images (nobody may choose by
    it), `latency` and `size` in shares of the trained network's; what it took: training `samples`
    and `seconds` of one core.
    """

    accuracy: float
    tested: float
    latency: float
    size: float
    samples: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Compressor:
    """Makes of a `trained` network what the points of `space` say, and trains it on by `recipe`,
    by labels, or also by the answers of the trained one where `taught` is True; from new weights
    where `scratch` is True.
    """

    space: CompressionSpace
    trained: Network
    images: DataSet
    recipe: train.Recipe
    taught: bool = False
    scratch: bool = False
    answers: Tensor = field(init=False)
    reference: bytes = field(init=False)

    def __post_init__(self) -> None:
        answers = train.logits(self.trained, self.images.train)
        object.__setattr__(self, "answers", answers)
        reference = deploy.onnx_bytes(self.trained, self.trained.arch.input_shape)
        object.__setattr__(self, "reference", reference)

    @property
    def before(self) -> float:
        """Accuracy of the trained network on the validation images, %."""
        return 100 * train.evaluate(self.trained, self.images.val)["accuracy"]

    def pruned(self, form: Compressed, seed: int = 0, importance: str = "l1") -> Network:
        """The smaller network before any training, its running statistics taken anew; `importance`
        as in `prune`.
        """
        small = prune(self.trained, form.arch, form.blocks, importance, seed)
        return subnets.calibrated(small, self.images.train.x)

    def network(self, form: Compressed, seed: int = 0) -> tuple[Network, int]:
        """The smaller network, and the training samples that it took."""
        arch = form.arch
        learnt = subnets.split_at(self.images.train, arch.resolution)
        small = train.Job(arch, learnt, self.recipe, seed).make()
        if not self.scratch:
            small = self.pruned(form, seed)
        teacher = self.answers if self.taught else None
        train.fit(small, learnt, self.recipe, seed=seed, teacher=teacher, progress=False)
        return small.eval(), train.recipe.samples(self.recipe, len(learnt))

    def __call__(self, point: Point, seed: int = 0) -> Worth:
        """What the network of `point` is worth."""
        form, begin = self.space.decode(point), time.process_time()
        network, samples = self.network(form, seed)
        found = delivered(network, form.bits, self.images, self.reference)
        return replace(found, samples=samples, seconds=time.process_time() - begin)


@dataclass(frozen=True, eq=False)
class Cutter:
    """What the sub-networks of a once-for-all network are worth: points are a number of BITS, then
    those of its space.
    """

    supernet: ElasticNetwork
    images: DataSet
    reference: bytes

    @property
    def space(self) -> DecisionSpace:
        return DecisionSpace([Decision("bits", BITS), *self.supernet.space.decisions])

    def __call__(self, point: Point, seed: int = 0) -> Worth:  # noqa: ARG002  nothing is random
        """What the sub-network of `point` is worth; it is not trained."""
        begin = time.process_time()
        network = subnets.specialise(self.supernet, point[1:], self.images.train.x)
        found = delivered(network, BITS[point[0]], self.images, self.reference)
        return replace(found, seconds=time.process_time() - begin)


def delivered(network: Network, bits: int, images: DataSet, reference: bytes) -> Worth:
    """`network` as an ONNX model of so many bits, beside the model `reference` for images of their
    full resolution.
    """
    px = network.arch.resolution
    val, test = (subnets.split_at(part, px) for part in (images.val, images.test))
    model = deploy.onnx_bytes(network, network.arch.input_shape)
    if bits == 8:
        shown = subnets.at_resolution(images.train.x[:N_CALIBRATE], px)
        model = deploy.int8_bytes(model, shown)
    session = deploy.session(model)
    right = [
        100 * float((run(session, part.x).argmax(1) == part.y.numpy()).mean())
        for part in (val, test)
    ]
    share = _time_share(model, val, reference, images.val)
    return Worth(*right, share, len(model) / len(reference))


def _time_share(model: bytes, asked: Split, reference: bytes, whole: Split) -> float:
    setting = latency.Setting()
    runners = {
        name: onnx_runner(content, setting, images.x[:1].float().contiguous())
        for name, content, images in (("model", model, asked), ("trained", reference, whole))
    }
    timed = latency.time_runners(runners, setting, plan=PLAN, estimate="fastest").latency_ms
    return timed["model"] / timed["trained"]
