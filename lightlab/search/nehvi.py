"""Several objectives: BoTorch's qLogNEHVI over the searches' own Gaussian processes.

Ament et al. 2023, "Unexpected improvements to expected improvement for Bayesian optimization";
Daulton et al. 2021, "Parallel Bayesian optimization of multiple noisy objectives".
"""

import importlib.util
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from botorch.acquisition.multi_objective import logei
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.models import ModelListGP, SingleTaskGP
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from gpytorch.kernels import MaternKernel, ScaleKernel
from gpytorch.settings import min_fixed_noise
from linear_operator.utils.warnings import NumericalWarning

from lightlab.search.gp import GP, JITTER
from lightlab.search.surrogate import Surrogate

N_SAMPLES = 64  # quasi-Monte-Carlo draws of the posterior
EXTENSION = "logei_fused_ext"


def keep_python_path() -> None:
    """Stop BoTorch from compiling its C++ kernel (tens of seconds) unless it is built already."""
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "torch_extensions"
    root = Path(os.environ.get("TORCH_EXTENSIONS_DIR", default))
    if importlib.util.find_spec(EXTENSION) is None and not any(root.rglob(f"{EXTENSION}.so")):
        logei._load_attempted = True


def to_botorch(process: GP) -> SingleTaskGP:
    """The same posterior as a BoTorch model over the process's features, nothing fitted anew."""
    hyper = process.hyper
    noise = np.where(np.isnan(process.noise_var), hyper.noise, process.noise_var)
    p = process.Z.shape[1]
    kernel = ScaleKernel(MaternKernel(nu=2.5, ard_num_dims=p)).double()
    with min_fixed_noise(double_value=1e-10):  # GPyTorch would raise exact readings' to 1e-6
        model = SingleTaskGP(
            torch.tensor(process.Z),
            torch.tensor(process.y)[:, None],
            torch.from_numpy(noise + JITTER * hyper.variance)[:, None],
            covar_module=kernel,
            outcome_transform=None,
        )
    kernel.base_kernel.lengthscale = torch.from_numpy(hyper.lengthscales[process.group])
    kernel.outputscale = hyper.variance
    model.mean_module.constant.data.fill_(hyper.mean)
    return model.eval()


class LogNEHVI:
    """Expected gain of dominated volume above `ref_point` (natural units), integrated over noise.

    Without `ref_point` it is inferred from the models' means at the trials: a little below the
    worst corner of their Pareto front (`infer_reference_point`).
    """

    def __init__(
        self,
        models: Sequence[Surrogate],
        pending: np.ndarray,
        ref_point: Sequence[float] | None,
        seed: int,
    ) -> None:
        keep_python_path()
        first = models[0]
        self.features = first.features
        if ref_point is None:
            means = np.stack([m.process.predict(m.process.Z)[0] for m in models], axis=1)
            Y = torch.from_numpy(means)
            reference = infer_reference_point(Y[is_non_dominated(Y)])
        else:
            pairs = zip(ref_point, models, strict=True)
            reference = torch.tensor([m.inside([r])[0] for r, m in pairs], dtype=torch.double)
        self.acqf = qLogNoisyExpectedHypervolumeImprovement(
            ModelListGP(*[to_botorch(m.process) for m in models]),
            ref_point=reference,
            X_baseline=torch.from_numpy(first.process.Z),
            X_pending=torch.from_numpy(self.features(pending)) if len(pending) else None,
            sampler=SobolQMCNormalSampler(torch.Size([N_SAMPLES]), seed=seed),
            prune_baseline=True,
        )

    def __call__(self, X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return self._at(torch.from_numpy(self.features(X))).numpy()

    def grad(self, x: np.ndarray) -> tuple[float, np.ndarray]:
        Z = torch.from_numpy(self.features(x[None])).requires_grad_()
        value = self._at(Z).sum()
        (slope,) = torch.autograd.grad(value, Z)
        return value.item(), self.features.pull_back(slope[0].numpy())

    def _at(self, Z: torch.Tensor) -> torch.Tensor:
        with warnings.catch_warnings():  # exact readings: the jitter that it adds is expected
            warnings.simplefilter("ignore", NumericalWarning)
            return self.acqf(Z[:, None, :])
