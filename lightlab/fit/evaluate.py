"""How good a model is, class by class; and what is done where some classes are rare.

Choices are made on the balanced accuracy, the mean over the classes of the share that is
recognised: who collected a rare class wants it recognised, and a model that never names it can
still have a high accuracy. Of equally frequent classes both are the same.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from lightlab.data import DataSet, Split
from lightlab.data.splits import check_memory, naming
from lightlab.measure import stats

MOST_OFTEN = 10  # times that a training image of a rare class is repeated
N_WORST, N_EACH = 3, 5  # classes that examples are shown of, and images of each


def balanced(images: DataSet) -> DataSet:
    """`images` with those of rarer classes repeated until all are as frequent, at most MOST_OFTEN
    times (Buda et al. 2018); test images stay. ValueError where they would not fit into memory.
    """
    numbers = [_repeated(split) for split in (images.train, images.val)]
    n = sum(map(len, numbers))
    if n == len(images.train) + len(images.val):
        return images  # no class is rarer
    with naming(images.spec):
        check_memory(n, images.input_shape, np.float32)
    learnt, val = images.train.take(numbers[0]), images.val.take(numbers[1])
    return replace(images, train=learnt, val=val)


def on_balance(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Balanced accuracy (%) and cross-entropy of outputs (n, classes): means over the classes."""
    each = F.cross_entropy(logits, labels, reduction="none").double()
    right = (logits.argmax(1) == labels).double()
    classes = [labels == label for label in labels.unique()]
    accuracy, loss = ([x[own].mean() for own in classes] for x in (right, each))
    return 100 * torch.stack(accuracy).mean().item(), torch.stack(loss).mean().item()


def _repeated(split: Split) -> Tensor:
    counts = torch.bincount(split.y)
    index = []
    for label, n in enumerate(counts.tolist()):
        own = torch.nonzero(split.y == label)[:, 0]
        wanted = max(n, min(int(counts.max()), MOST_OFTEN * n))
        index.append(own.repeat(-(-wanted // max(n, 1)))[:wanted])
    return torch.cat(index).sort().values


@dataclass(frozen=True, eq=False)
class Tested:
    """Answers on images that nobody chose by: `labels`, `said` and `sure`, its probability (n,)."""

    labels: np.ndarray
    said: np.ndarray
    sure: np.ndarray
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, logits: np.ndarray | Tensor, labels: Tensor, names: tuple[str, ...]) -> "Tested":
        odds = torch.as_tensor(logits).double().softmax(1).numpy()
        return cls(labels.numpy(), odds.argmax(1), odds.max(1), names)

    @property
    def right(self) -> np.ndarray:
        return self.labels == self.said

    @property
    def accuracy(self) -> tuple[float, float, float]:
        """In %, with the ends of Wilson's 95 % interval."""
        share, low, high = stats.share_ci(self.right.sum(), len(self.right))
        return 100 * float(share), 100 * low, 100 * high

    @property
    def balanced(self) -> float:
        """Mean over the classes that occur of the share recognised, in %."""
        return float(self.classes["recognised"].mean())

    @property
    def classes(self) -> pd.DataFrame:
        """By class, worst first: class, images, recognised, low, high (Wilson; %), taken_for (most
        often).
        """
        rows = []
        for label in np.unique(self.labels):
            own = self.labels == label
            k, n = int(self.right[own].sum()), int(own.sum())
            share, low, high = stats.share_ci(k, n)
            wrong = self.said[own & ~self.right]
            other = self.class_names[np.bincount(wrong).argmax()] if len(wrong) else ""
            rows.append((self.class_names[label], n, 100 * share, 100 * low, 100 * high, other))
        columns = ["class", "images", "recognised", "low", "high", "taken_for"]
        return pd.DataFrame(rows, columns=columns).sort_values("recognised", ignore_index=True)

    @property
    def confusion(self) -> pd.DataFrame:
        """Rows true, said, images: every pair of classes."""
        k = len(self.class_names)
        counts = np.bincount(self.labels * k + self.said, minlength=k * k)
        pairs = pd.DataFrame(product(self.class_names, repeat=2), columns=["true", "said"])
        return pairs.assign(images=counts)

    def examples(self, images: DataSet) -> pd.DataFrame:
        """Images of the worst classes, the wrong and surest first: rows class, said, sure, pixels
        (height, width, channels; 0..1) of test image `number`.
        """
        mean, std = (np.array(v, dtype=np.float32) for v in (images.mean, images.std))
        rows = []
        for name in self.classes["class"][:N_WORST]:
            own = np.flatnonzero(self.labels == self.class_names.index(name))
            order = np.lexsort((-self.sure[own] * (1 - 2 * self.right[own]), self.right[own]))
            for i in own[order][:N_EACH]:
                said = self.class_names[self.said[i]]
                pixels = images.test.x[int(i)].permute(1, 2, 0).numpy() * std + mean
                rows.append((name, said, self.sure[i], pixels.clip(0, 1), int(i)))
        return pd.DataFrame(rows, columns=["class", "said", "sure", "pixels", "number"])
