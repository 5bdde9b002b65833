"""Run by torchrun: a network in DistributedDataParallel against the same network alone."""

import copy
import sys

import torch
from test_networks import system
from tiny import random_batch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

device = torch.device(sys.argv[1])
distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
torch.manual_seed(1)
case = system("transformer_tl")
alone = case.model.to(device)
wrapped = DistributedDataParallel(copy.deepcopy(alone), gradient_as_bucket_view=True)
batch = random_batch(1).to(device)
for model in (alone, wrapped):
    torch.autograd.backward(case.compute_loss(model, batch).total)
for mine, theirs in zip(alone.parameters(), wrapped.parameters(), strict=True):
    torch.testing.assert_close(theirs.grad, mine.grad)
told = ["something"]
distributed.broadcast_object_list(told)
print(f"{distributed.get_backend()}: equal")
distributed.destroy_process_group()
