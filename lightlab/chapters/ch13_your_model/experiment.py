"""What the claims about a delivered model are measured by."""

from typing import Any

import numpy as np

from lightlab import deploy
from lightlab.data import DataSet
from lightlab.fit.evaluate import Tested
from lightlab.fit.report import DESIGNS
from lightlab.fit.run import FLOAT, INT8, Fitted
from lightlab.measure import stats


def measured(fitted: Fitted, images: DataSet) -> dict[str, tuple[Any, ...]]:
    """By claim: the value, and of means over test images the 95 % interval and their number."""
    delivered, answers, n = fitted.delivered, fitted.answers, len(fitted.tested.labels)
    parity = deploy.parity(delivered.finalist.network, delivered.model, images.test.x)
    return {
        "yours.meets_target": (fitted.target.largest_share(delivered.again.costs),),
        "yours.same_answers": (parity["max_abs_diff"],),
        "yours.keeps_budget": (fitted.spent_s / fitted.budget_s,),
        "yours.beats_linear": (*_gap(fitted.tested, linear(images, fitted.seed)), n),
        "yours.integers_keep": (*_gap(answers[INT8], answers[FLOAT]), n),
        "yours.beats_scaled": (*(against_designs(fitted) or ([], None)), n),
    }


def linear(images: DataSet, seed: int) -> Tested:
    """A linear classifier on the same pixels, tested: what a network has to beat."""
    from sklearn.linear_model import LogisticRegression  # a second's import, for this alone

    learnt, test = images.train, images.test
    model = LogisticRegression(max_iter=300, random_state=seed)
    model.fit(learnt.x.flatten(1).numpy(), learnt.y.numpy())
    odds = np.full((len(test), len(images.class_names)), -np.inf)
    odds[:, model.classes_] = model.predict_log_proba(test.x.flatten(1).numpy())
    return Tested.of(odds, test.y, images.class_names)


def against_designs(fitted: Fitted) -> tuple[float, tuple[float, float]] | None:
    """Test accuracy of what the method found minus that of the design that is best on the
    validation images, in points, and its interval; None where no design kept to the target, or the
    method is that of the designs.
    """
    found = fitted.found.finalists[0]
    designs = [one for one in fitted.finalists if one.name in DESIGNS]
    if found in designs or not designs:
        return None
    best = max(designs, key=lambda one: one.rank)
    return _gap(fitted.answers[found.name], fitted.answers[best.name])


def _gap(a: Tested, b: Tested) -> tuple[float, tuple[float, float]]:
    """Accuracy of `a` minus that of `b`, paired by test image, in points, and its 95 % interval."""
    mean, low, high = stats.mean_ci(100.0 * a.right - 100.0 * b.right)
    return mean, (low, high)
