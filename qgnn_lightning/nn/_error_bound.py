"""Measured error of the quantized messages, and three bounds on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from qgnn_lightning.graph import Adjacency, propagate, random_walk, symmetric_laplacian
from qgnn_lightning.nn._delta_sigma_messages import DeltaSigmaState
from qgnn_lightning.nn._propagation import Propagation
from qgnn_lightning.nn._step import Recurrence, Step


@dataclass(frozen=True, eq=False)
class ErrorBound:
    r"""Frobenius norm of the error after each step, and bounds on it, from sharp to cheap.

    ``measured <= sharp <= a_posteriori <= a_priori`` in every step; see docs/method.md.

    Args:
        measured: :math:`\lVert \hat H_k - H_k \rVert_F` against full-precision messages.
        sharp: From the errors that the messages of each step add to the representation,
            :math:`u_k`, and what the next step leaves of them, :math:`\lVert T_{k+1} u_k \rVert_F`.
        a_posteriori: From the message errors, :math:`\lVert D^{1/2} \epsilon_k \rVert_F`.
        a_priori: From the distance of the levels alone; where a message was clipped, from its
            largest error.
        norm: :math:`\lVert H_k \rVert_F` of the full-precision representation, for relative errors.

    Shapes:
        all: ``(num_steps,)``.
    """

    measured: Tensor
    sharp: Tensor
    a_posteriori: Tensor
    a_priori: Tensor
    norm: Tensor


def contraction(recurrence: Recurrence, strength: float) -> float:
    r"""Largest factor by which a step can stretch an error.

    A step multiplies it by a polynomial in L, whose eigenvalues :math:`l` lie in [0, 2]:

    .. math:: \rho = \max_{l \in [0, 2]} \left|(1 - c\,l)(a + b\,(1 - l)) + c\,l\right|

    Args:
        recurrence: Coefficients a, b, e of the step.
        strength: Strength :math:`c = 2 \eta \lambda` of its correction.
    """
    a, b, c = recurrence.keep, recurrence.neighbours, strength
    constant, linear, square = a + b, c - b - c * (a + b), b * c
    points = [0.0, 2.0]
    if square:
        points.append(min(max(-linear / (2 * square), 0.0), 2.0))
    return max(abs(constant + linear * point + square * point**2) for point in points)


def transition(recurrence: Recurrence, strength: float, h: Tensor, adjacency: Adjacency) -> Tensor:
    r"""What a full-precision step makes of its start, :math:`T_k H`, the input left out.

    .. math:: T_k = (I - c L)(a I + b \hat A) + c L

    Args:
        recurrence: Coefficients a, b of the step.
        strength: Strength :math:`c` of its correction.
        h: The representation, or an error in it.
        adjacency: The graph.

    Shapes:
        h: ``(num_nodes, num_features)`` -> same.
    """
    return _affine_step(recurrence, strength, h, 0.0, adjacency)


def _affine_step(
    recurrence: Recurrence,
    strength: float,
    h: Tensor,
    restart: Tensor | float,
    adjacency: Adjacency,
) -> Tensor:
    proposed = recurrence.neighbours * propagate(adjacency, h) + restart
    if recurrence.keep:
        proposed = proposed + recurrence.keep * h
    if strength:
        proposed = proposed - strength * symmetric_laplacian(adjacency, proposed - h)
    return proposed


def exact_steps(
    recurrence: Recurrence, strengths: list[float], x: Tensor, adjacency: Adjacency
) -> Iterator[Tensor]:
    """The representation after each step of the full-precision propagation.

    Shapes:
        x: ``(num_nodes, num_features)``; same for what is yielded.
    """
    h = x
    for strength in strengths:
        h = _affine_step(recurrence, strength, h, recurrence.restart * x, adjacency)
        yield h


@torch.no_grad()
def error_bound(propagation: Propagation, x: Tensor, adjacency: Adjacency) -> ErrorBound:
    """Measure the error of every step and bound it.

    Args:
        propagation: A calibrated propagation in evaluation mode.
        x: Its input.
        adjacency: A symmetric graph.

    Shapes:
        x: ``(num_nodes, num_features)``.

    Raises:
        ValueError: If the propagation is in training mode, has no bound (unrolled multipliers,
            quantized aggregates or updates), or the graph is not symmetric.
    """
    strengths = propagation.correction_strengths()
    if propagation.training:
        raise ValueError("propagation must be in evaluation mode to be measured")
    if strengths is None or not propagation.messages.only_messages_are_rounded:
        raise ValueError("no bound is known for this propagation and these messages")
    if not adjacency.symmetric:
        raise ValueError("adjacency must be symmetric: the bound rests on its real spectrum")
    rows = []
    older, newest = x.new_zeros(()), torch.zeros_like(x)
    cheap, stored = x.new_zeros(2), x.new_zeros(())
    exact = exact_steps(propagation.recurrence, strengths, x, adjacency)
    for step, strength, h in zip(propagation.steps(x, adjacency), strengths, exact, strict=True):
        stretch = contraction(propagation.recurrence, strength)
        damped = transition(propagation.recurrence, strength, newest, adjacency)
        older = stretch * older + damped.norm()
        newest = fresh_error(propagation.recurrence, step, strength, adjacency)
        cheap = stretch * cheap + _norms_of_fresh(propagation, step, strength, stored, adjacency)
        stored = stored + propagation.messages.largest_storage_error(step.index)
        measured = (step.after.representation() * adjacency.sqrt_degree - h).norm()
        bounds = torch.cat([(older + newest.norm())[None], cheap])
        bounds = bounds + _storage_error(step, stored, adjacency)
        rows.append(torch.cat([measured[None], bounds, h.norm()[None]]))
    return ErrorBound(*torch.stack(rows, dim=1))


def fresh_error(
    recurrence: Recurrence, step: Step, strength: float, adjacency: Adjacency
) -> Tensor:
    r"""What a step's messages add to the error of the representation, with their signs.

    .. math:: -b\,(I - c L)\, D^{-1/2} A' \epsilon - c\, D^{-1/2} A' \epsilon'

    Args:
        recurrence: Coefficient b of the step.
        step: Its record, with the errors :math:`\epsilon` and :math:`\epsilon'` of the messages.
        strength: Strength :math:`c` of its correction.
        adjacency: The graph.

    Returns:
        The error, ``(num_nodes, num_features)``.
    """
    error = _received(step.message_error, adjacency) * -recurrence.neighbours
    if strength and step.proposal_error is not None:
        error = error - strength * symmetric_laplacian(adjacency, error)
        error = error - strength * _received(step.proposal_error, adjacency)
    return error


def _received(error: Tensor, adjacency: Adjacency) -> Tensor:
    return random_walk(adjacency, error) * adjacency.sqrt_degree


def _norms_of_fresh(
    propagation: Propagation, step: Step, strength: float, stored: Tensor, adjacency: Adjacency
) -> Tensor:
    """What one step adds to the two cheap bounds; ``stored`` limits what storage has lost."""
    stretch = max(1.0, abs(1 - 2 * strength)) * propagation.recurrence.neighbours
    half_step = propagation.messages.half_step(step.index)
    fresh = stretch * _norms(step.message_error, half_step + stored, adjacency)
    if strength and step.proposal_error is not None:
        half_step = propagation.messages.half_step_of_change(step.index)
        fresh = fresh + strength * _norms(step.proposal_error, half_step, adjacency)
    return fresh


def _storage_error(step: Step, stored: Tensor, adjacency: Adjacency) -> Tensor:
    """What the rounding of stored residuals adds to the representation itself."""
    state = step.after
    if not isinstance(state, DeltaSigmaState) or state.forgotten is None:
        return adjacency.degree.new_zeros(3)
    own, cheap = _norms(state.forgotten, stored, adjacency)
    return torch.stack([own, own, cheap])


def _norms(error: Tensor, largest: Tensor, adjacency: Adjacency) -> Tensor:
    """Norm of an error, and from its largest entry."""
    own = (error * adjacency.sqrt_degree).norm()
    if error.numel():
        largest = torch.maximum(largest.to(error), error.abs().max())
    cheap = largest * (error.shape[1] * adjacency.degree.sum()).sqrt()
    return torch.stack([own, cheap.to(own)])
