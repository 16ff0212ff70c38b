"""Test functions with known optima, to be minimised: BoTorch's formulas over a `HyperSpace`."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from botorch.test_functions import synthetic
from scipy.optimize import minimize

from lightlab.space.hyper import Float, HyperSpace

CLASSIC = ("Branin", "Hartmann-6", "Ackley-5")
HELD_OUT = ("Levy-4", "Rosenbrock-4", "Griewank-5")
# Settings of the search were chosen on these alone; they take part in no reported comparison.
DEVELOPMENT = (
    "StyblinskiTang-5",
    "Rastrigin-4",
    "SixHumpCamel",
    "DixonPrice-4",
    "Shekel",
    "Hartmann-3",
    "Beale",
    "Powell-4",
    "Cosine8",
)
# Ackley's optimum lies in the middle of its usual range, where a first guess would fall on it.
_BOUNDS = {"Ackley-5": [(-20.0, 30.0)] * 5}


class Problem:
    """A function of the hyperparameters x0, x1, … with its lowest value."""

    def __init__(self, name: str) -> None:
        kind, _, dim = name.partition("-")
        if name not in CLASSIC + HELD_OUT + DEVELOPMENT:
            raise KeyError(f"no problem {name!r}: there are {CLASSIC + HELD_OUT + DEVELOPMENT}")
        options: dict[str, Any] = {"dtype": torch.double} | ({"dim": int(dim)} if dim else {})
        if name in _BOUNDS:
            options["bounds"] = _BOUNDS[name]
        self.name = name
        self._function = getattr(synthetic, kind)(negate=kind == "Cosine8", **options)
        bounds = self._function.bounds.T.tolist()
        self.space = HyperSpace({f"x{i}": Float(low, high) for i, (low, high) in enumerate(bounds)})
        self.optimal_value = self._polish()

    def __call__(self, config: dict[str, float]) -> float:
        return self._at(np.array(list(config.values())))

    def _at(self, x: np.ndarray) -> float:
        return self._function(torch.from_numpy(x)[None]).item()

    def _polish(self) -> float:
        """The lowest value to double precision: the published ones carry six digits, fewer than
        a search can reach."""
        bounds = self._function.bounds.T.tolist()
        options = {"ftol": 0.0, "gtol": 1e-14, "maxiter": 200}
        values = []
        for x in self._function.optimizers.double().numpy():
            found = minimize(
                self._with_grad, x, jac=True, method="L-BFGS-B", bounds=bounds, options=options
            )
            values += [self._at(x), float(found.fun)]
        return float(np.nanmin(values))

    def _with_grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        X = torch.from_numpy(x.copy()).requires_grad_()
        value = self._function(X[None])[0]
        value.backward()
        return value.item(), X.grad.numpy()


@lru_cache
def problem(name: str) -> Problem:
    """The problem of that name, made once; KeyError lists the names there are."""
    return Problem(name)
