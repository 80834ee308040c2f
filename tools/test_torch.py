#!/usr/bin/env python3
"""Compares saferl/learn's network, gradient and Fisher product with PyTorch on the same numbers.

  make torch-check        (needs python3-torch: apt-get install python3-torch, about 400 MB)
  tools/test_torch.py build/bin/learn_tests

Prints the largest difference of each, relative to the largest entry; exit status 1 beyond 1e-5.
"""
import os
import subprocess
import sys
import tempfile

try:
    import torch
except ImportError:
    sys.exit("tools/test_torch.py: PyTorch is missing; run: apt-get install python3-torch")

LIMIT = 1e-5
SIZES = [38, 64, 64, 2]


def reference(program):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "reference.txt")
        subprocess.run([program, "--gtest_filter=TorchReference.*"], check=True, stdout=subprocess.DEVNULL,
                       env=dict(os.environ, SAFERL_TORCH_REFERENCE=path))
        with open(path, encoding="ascii") as file:
            rows = [line.split() for line in file]
    return {row[0]: torch.tensor([float(v) for v in row[2:]], dtype=torch.float64) for row in rows}


def mean_of(params, obs):
    at, x = 0, obs
    for layer, (n_in, n_out) in enumerate(zip(SIZES, SIZES[1:])):
        weight = params[at:at + n_in * n_out].view(n_out, n_in)
        at += n_in * n_out
        x = x @ weight.T + params[at:at + n_out]
        at += n_out
        if layer + 2 < len(SIZES):
            x = torch.tanh(x)
    return x, params[at:]


def main():
    ours = reference(sys.argv[1])
    obs, action = ours["obs"].view(-1, SIZES[0]), ours["action"].view(-1, SIZES[-1])
    params = ours["params"].clone().requires_grad_(True)
    mean, log_std = mean_of(params, obs)
    log_prob = torch.distributions.Normal(mean, log_std.exp()).log_prob(action).sum(1)
    (gradient,) = torch.autograd.grad((ours["weight"] * log_prob).sum(), params, retain_graph=True)
    old = torch.distributions.Normal(mean.detach(), log_std.detach().exp())
    kl = torch.distributions.kl_divergence(old, torch.distributions.Normal(mean, log_std.exp())).sum()
    (slope,) = torch.autograd.grad(kl, params, create_graph=True)
    (fisher,) = torch.autograd.grad((slope * ours["direction"]).sum(), params)
    theirs = {"mean": mean.flatten(), "log_prob": log_prob, "gradient": gradient, "fisher": fisher}
    bad = False
    for name, value in theirs.items():
        error = float((value.detach() - ours[name]).abs().max() / value.detach().abs().max())
        bad = bad or not error <= LIMIT
        print(f"{name:10s} {value.numel():6d} numbers, largest relative difference {error:.2e}")
    print(f"PyTorch {torch.__version__}, float64 reference; limit {LIMIT:g}: {'FAILED' if bad else 'passed'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
