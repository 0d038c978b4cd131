"""The paper's own arrangement: one decoder per task, tied softly (arm (a) of the ablation).

CodeFill (Izadi et al., ICSE 2022, section 3) trains three decoders in turn: next type (TTP), next
value (TVP) and the values up to the end of the statement (SC); every layer is drawn towards its
counterparts in the others. The network that is exported is the TVP decoder, a plain language model
by its shape; the other two are here and are dropped after training.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

import torch
from torch import Tensor, nn

from completion.model.codefill import CodeFill, Config
from training.batches import Batch
from training.loss import Loss, learn
from training.samples import WEIGHT_MIDDLE


class Task(StrEnum):
    """What a step trains."""

    TYPE = "TTP"
    VALUE = "TVP"
    STATEMENT = "SC"


SHARES = {Task.TYPE: 0.2, Task.VALUE: 0.4, Task.STATEMENT: 0.4}
"""How often each task is drawn (the paper's table of tasks)."""

PULL = 0.1
"""Share of the distance to the common mean that a step at the full learning rate closes.

The paper adds an L2 penalty to the loss; applied beside the optimiser, as weight decay is, it keeps
its strength under optimisers that scale gradients.
"""


class Siblings(nn.Module):
    """The decoders for types and for statements beside the exported one, which is for values."""

    def __init__(self, config: Config, seed: int) -> None:
        """Raises ValueError where the exported network is not a plain one."""
        super().__init__()
        if config.states or config.types:
            raise ValueError("parallel decoders read one stream each")
        self.types = CodeFill(replace(config, values=128, grams=0))
        self.statements = CodeFill(config)
        self._seed = seed

    def learn(self, model: CodeFill, batch: Batch, step: int) -> Loss:
        """Add the gradients of the task that is drawn for this step, the same on all processes.

        What the task does not train is NaN in the loss.
        """
        task = draw(self._seed, step)
        if task is Task.TYPE:
            types = replace(batch, values=batch.states, targets=batch.labels)
            found = learn(self.types, types)
            return Loss(found.total, torch.full_like(found.value, math.nan), found.value)
        if task is Task.STATEMENT:
            middles = batch.weights * (batch.weights == WEIGHT_MIDDLE)
            found = learn(self.statements, replace(batch, weights=middles))
        else:
            found = learn(model, batch)
        return found._replace(type=torch.full_like(found.type, math.nan))

    @torch.no_grad()
    def pull(self, model: CodeFill, factor: float) -> None:
        """Draw all counterparts towards their mean; ``factor`` is that of the learning rate."""
        for alike in self._counterparts(model):
            mean = torch.stack(alike).mean(dim=0)
            for weight in alike:
                weight.lerp_(mean, PULL * factor)

    def _counterparts(self, model: CodeFill) -> Iterator[list[Tensor]]:
        """Weights of the same place in the decoders; embeddings of types have none."""
        others = [dict(one.named_parameters()) for one in (self.types, self.statements)]
        for name, weight in model.named_parameters():
            alike = [other[name] for other in others if name in other]
            yield [weight, *(one for one in alike if one.shape == weight.shape)]


def draw(seed: int, step: int) -> Task:
    """The task of one step."""
    chosen = random.Random(f"{seed} {step}").choices(list(SHARES), list(SHARES.values()))
    return chosen[0]
