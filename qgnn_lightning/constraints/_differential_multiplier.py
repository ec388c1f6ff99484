"""The basic differential multiplier method, with a slack variable."""

from __future__ import annotations

from torch import Tensor


def differential_multiplier_step(
    multiplier: Tensor,
    slack: Tensor,
    energy: Tensor,
    budget: Tensor | float,
    *,
    dual_step_size: float,
    slack_step_size: float,
) -> tuple[Tensor, Tensor]:
    r"""One step on multiplier and slack of :math:`f + \lambda h`, :math:`h = B - s^2 - E`.

    .. math::
        s \leftarrow s - \eta_s\, \partial(\lambda h)/\partial s = s + 2 \eta_s \lambda s, \qquad
        \lambda \leftarrow \lambda + \eta_\lambda\, \partial(\lambda h)/\partial\lambda
        = \lambda + \eta_\lambda h

    :math:`h = 0` says that the energy :math:`E` stays :math:`s^2` below the budget :math:`B`.

    Source: Platt and Barr, "Constrained Differential Optimization", NIPS 1987 (published 1988).

    Returns:
        The new multiplier and the new slack.

    Shapes:
        all: ``()``.
    """
    violation = budget - slack.square() - energy
    new_slack = slack + 2 * slack_step_size * multiplier * slack
    return multiplier + dual_step_size * violation, new_slack
