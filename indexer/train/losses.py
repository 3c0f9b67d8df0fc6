"""Loss of the student: agreement with the teacher, and classification within each source.

Four terms, all on the student's unit vectors. The heads are used in training only. Weights and temperature are
untuned.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

WEIGHTS = {"embedding": 3.0, "rows": 1.0, "similarities": 5.0, "classes": 1.0}
TEMPERATURE = 0.07
CLASS_SCALE = 16.0
QUEUE = 512


@dataclass(frozen=True)
class Batch:
    """Targets of n pictures: the teacher's ``embedding`` (n, e), unit length, ``classes`` (n,) with -1 for none, and
    ``sources`` (n,)."""

    embedding: torch.Tensor
    classes: torch.Tensor
    sources: torch.Tensor


class Heads(nn.Module):
    """A linear map from the student's vector to the teacher's embedding, and a vector for each class.

    ``class_sources`` (k,) int64 is the source that each class belongs to.
    """

    class_sources: torch.Tensor

    def __init__(self, dimension: int, embedding: int, class_sources: torch.Tensor) -> None:
        super().__init__()
        self.embedding = nn.Linear(dimension, embedding)
        self.classes = nn.Parameter(functional.normalize(torch.randn(len(class_sources), dimension), dim=1))
        self.register_buffer("class_sources", class_sources)


class Queue(nn.Module):
    """The last vectors of student and teacher, for rows of similarities longer than a batch."""

    student: torch.Tensor
    teacher: torch.Tensor
    filled: torch.Tensor

    def __init__(self, dimension: int, embedding: int, length: int = QUEUE) -> None:
        super().__init__()
        self.register_buffer("student", torch.zeros(length, dimension))
        self.register_buffer("teacher", torch.zeros(length, embedding))
        # The names of buffers are part of the checkpoint format.
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def push(self, student: torch.Tensor, teacher: torch.Tensor) -> None:
        """Add a batch at the front and drop the oldest vectors."""
        length = len(self.student)
        self.student.copy_(torch.cat([student.detach(), self.student])[:length])
        self.teacher.copy_(torch.cat([teacher, self.teacher])[:length])
        self.filled.add_(len(student)).clamp_(max=length)

    def with_batch(self, student: torch.Tensor, teacher: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch followed by the queue's vectors, for student and teacher."""
        length = int(self.filled)
        return torch.cat([student, self.student[:length]]), torch.cat([teacher, self.teacher[:length]])


def losses(vectors: torch.Tensor, batch: Batch, heads: Heads, queue: Queue) -> dict[str, torch.Tensor]:
    """The four terms, unweighted scalars, for the student's unit ``vectors`` (n, d) of ``batch``.

    ``embedding``: 1 - cosine of the head's output to the teacher's embedding. ``rows``: Kullback-Leibler divergence
    of each picture's softmax over similarities to all others of batch and queue. ``similarities``: squared difference
    of the same similarities. ``classes``: cross-entropy of cosines to the classes of the picture's own source, for
    pictures with a class.
    """
    all_student, all_teacher = queue.with_batch(vectors, batch.embedding)
    student_similarities, teacher_similarities = vectors @ all_student.T, batch.embedding @ all_teacher.T
    is_self = torch.eye(len(vectors), all_student.shape[0], dtype=torch.bool)
    prediction = heads.embedding(vectors)
    return {
        "embedding": (1.0 - functional.cosine_similarity(prediction, batch.embedding)).mean(),
        "rows": divergence(
            (teacher_similarities / TEMPERATURE).masked_fill(is_self, -1e4),
            (student_similarities / TEMPERATURE).masked_fill(is_self, -1e4),
        ),
        "similarities": (student_similarities - teacher_similarities)[~is_self].square().mean(),
        "classes": class_loss(vectors, batch, heads),
    }


def divergence(target: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
    """Mean over the rows of KL(softmax(target) || softmax(guess)), in nats."""
    return functional.kl_div(
        functional.log_softmax(prediction, dim=1),
        functional.log_softmax(target, dim=1),
        reduction="batchmean",
        log_target=True,
    )


def class_loss(vectors: torch.Tensor, batch: Batch, heads: Heads) -> torch.Tensor:
    """Mean cross-entropy over the pictures that have a class, among the classes of their source; zero if none has."""
    has_class = batch.classes >= 0
    if not has_class.any():
        return vectors.new_zeros(())
    cosines = vectors[has_class] @ functional.normalize(heads.classes, dim=1).T
    is_other_source = heads.class_sources.view(1, -1) != batch.sources[has_class].view(-1, 1)
    return functional.cross_entropy(
        (CLASS_SCALE * cosines).masked_fill(is_other_source, -1e4), batch.classes[has_class]
    )


def total(terms: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weighted sum that is minimised."""
    return torch.stack([WEIGHTS[name] * value for name, value in terms.items()]).sum()
