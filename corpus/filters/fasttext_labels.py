"""Probabilities of labels from the vectors of texts, with bounds of how far fastText's own may be from them.

fastText computes in float32 and looks sigmoids up in a table, and its last bits depend on the compiler, on the
mathematical library and on the processor. Here the same is computed in float64 from the same vectors, and beside every
number stands a bound of fastText's rounding errors, made of those of each operation (`Loss` in loss.cc): an addition,
multiplication or division errs by half a unit in the last place of its result, `exp` and `log` by less than two units.
So it is known which labels and which rounded probabilities cannot be others than fastText's.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from corpus.kernel import kernel

HIERARCHICAL, SOFTMAX = 1, 3
"""Losses: `loss_name` of args.h. The others, 2 and 4, are negative sampling and one against all: they predict alike."""

SIGMOID_END, SIGMOID_CELLS = 8, 512
"""MAX_SIGMOID and SIGMOID_TABLE_SIZE of loss.cc."""

_UNIT = 2.0**-24
"""Half a unit in the last place of 1 in float32."""
_SLACK = 1.02
"""On bounds, for products of errors that are left out."""
_TINY = 1e-30
"""More than all that float32 can lose among its smallest numbers."""
_LEAST = 1e-5
"""fastText adds it to every probability before it takes its logarithm."""


class Output(NamedTuple):
    """What turns the vector of a text into probabilities of labels.

    Attributes:
        weights: float64, shape (dim, labels); of hierarchical softmax, shape (labels - 1, dim), a row for each inner
            node of its tree, the last of them its root.
        labels: how many.
        left, right: of hierarchical softmax, the children of each inner node: a label, or the number of labels and the
            number of an inner node. int32, shape (labels - 1,); else empty.
        depth: of the tree, or 0.
        sigmoid: of the other losses: the values that fastText looks sigmoids up in, float64,
            shape (SIGMOID_CELLS + 1,).
        loss: `HIERARCHICAL`, `SOFTMAX`, or another.
    """

    weights: npt.NDArray[np.float64]
    labels: int
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    depth: int
    sigmoid: npt.NDArray[np.float64]
    loss: int


@kernel
def _products(vector: Any, weights: Any, z: Any, errors: Any) -> None:
    """The products of a vector and the columns of `weights`, and bounds of fastText's errors, which adds up in float32
    in this order."""
    z[:] = 0
    errors[:] = 0
    for k in range(len(vector)):
        x = np.float64(vector[k])
        for label in range(len(z)):
            product = x * weights[k, label]
            z[label] += product
            errors[label] += abs(product) + abs(z[label])
    for label in range(len(z)):
        errors[label] = (errors[label] + abs(z[label])) * _UNIT * _SLACK + _TINY


@kernel
def _product(vector: Any, weights: Any) -> Any:
    """The same with one row: (product, bound)."""
    z = error = 0.0
    for k in range(len(vector)):
        product = np.float64(vector[k]) * weights[k]
        z += product
        error += abs(product) + abs(z)
    return z, (error + abs(z)) * _UNIT * _SLACK + _TINY


@kernel
def _log_error(error: Any, x: Any, log: Any) -> Any:
    """Of the float32 logarithm of x, which errs by `error`."""
    return error / (x - error) + _UNIT * (abs(log) + 1) if error < x / 2 else np.inf


@kernel
def _after_log(p: Any, error: Any) -> Any:
    """(what becomes of a probability by the logarithm and its inverse, its error)."""
    x = p + _LEAST
    return x, x * _SLACK * (_log_error(error, x, np.log(x)) + 4 * _UNIT) if error < x / 64 else np.inf


@kernel
def _tree(vector: Any, model: Any, every: Any, scratch: Any, p: Any, errors: Any) -> Any:
    """Hierarchical softmax, `dfs`: the sum of logarithms on the way from the root to each label. Unless `every` one is
    wanted, labels that are certainly less probable than the best are left at 0. False where a number is none."""
    labels = len(p)
    p[:] = 0
    errors[:] = 0
    # Of a node on the stack: its number, its score and the error of that.
    scratch[0, 0], scratch[1, 0], scratch[2, 0] = 2 * labels - 2, 0, 0
    height = 1
    least = -np.inf
    while height > 0:
        height -= 1
        node, score, error = np.int64(scratch[0, height]), scratch[1, height], scratch[2, height]
        if not every and score + error + 2 * _gain(model) < least:
            continue
        if node < labels:
            least = max(least, score - error)
            p[node] = np.exp(score)
            error += 4 * _UNIT
            errors[node] = p[node] * error * (1 + error) * _SLACK if error < 0.5 else np.inf
            continue
        z, z_error = _product(vector, model.weights[node - labels])
        if not np.isfinite(z):
            return False
        f = 1 / (1 + np.exp(-z))
        f_error = f * (1 - f) * (z_error + 4 * _UNIT) + 3 * f * _UNIT
        for right in (z < 0, z >= 0):  # the more probable child is looked at first, so it goes on the stack last
            x = (f if right else 1 - f) + _LEAST
            log = np.log(x)
            x_error = f_error if right else f_error + (1 - f) * _UNIT
            scratch[0, height] = (model.right if right else model.left)[node - labels]
            scratch[1, height] = score + log
            scratch[2, height] = error + _log_error(x_error, x, log) + _UNIT * abs(score + log)
            height += 1
    return True


@kernel
def _gain(model: Any) -> Any:
    """By how much the score of a label can exceed that of a node above it: by log(1 + _LEAST) a step. fastText leaves
    out what is below a node of a lower score than the best label found before, and so may miss a better one."""
    return 1.1 * _LEAST * model.depth


@kernel
def _softmax(z: Any, errors: Any, p: Any) -> None:
    best = np.argmax(z)
    top, top_error = z[best], errors[best]
    total = mean_error = 0.0
    for label in range(len(p)):
        p[label] = np.exp(z[label] - top)
        errors[label] += top_error + _UNIT * (abs(z[label] - top) + 4)
        total += p[label]
        mean_error += p[label] * errors[label]
    mean_error = mean_error / total + len(p) * _UNIT
    for label in range(len(p)):
        error = (errors[label] + mean_error + _UNIT) * _SLACK
        p[label] /= total
        p[label], errors[label] = _after_log(p[label], p[label] * error if error < 0.01 else np.inf)


@kernel
def _cell(model: Any, z: Any) -> Any:
    if z < -SIGMOID_END:
        return 0.0
    if z > SIGMOID_END:
        return 1.0
    return model.sigmoid[np.int64((z + SIGMOID_END) * (SIGMOID_CELLS / SIGMOID_END / 2))]


@kernel
def _sigmoids(model: Any, z: Any, errors: Any, p: Any) -> None:
    for label in range(len(p)):
        error = errors[label] + 2 * SIGMOID_END * _UNIT
        low, high = _cell(model, z[label] - error), _cell(model, z[label] + error)
        p[label], errors[label] = _after_log((low + high) / 2, (high - low) / 2 + 2 * _UNIT * high)


@kernel
def _probabilities(vector: Any, model: Any, every: Any, scratch: Any, p: Any, errors: Any) -> Any:
    """Fills `p` and `errors`, for each label unless not `every` one is wanted (`_tree`); false where a number is none:
    fastText raises an error there."""
    if model.loss == HIERARCHICAL:
        return _tree(vector, model, every, scratch, p, errors)
    z = scratch[0]
    _products(vector, model.weights, z, errors)
    for label in range(len(z)):
        if not np.isfinite(z[label]):
            return False
    if model.loss == SOFTMAX:
        _softmax(z, errors, p)
    else:
        _sigmoids(model, z, errors, p)
    return True


@kernel
def best_labels(vectors: Any, model: Any, labels: Any, probabilities: Any, errors: Any, sure: Any) -> None:
    """The most probable labels of each text, best first; as many as the arrays have columns, and the model has labels.

    Args:
        vectors: float32, shape (texts, dim).
        model: `Output`.
        labels: int32, shape (texts, number asked for).
        probabilities: float64, as fastText gives them, so `_LEAST` too large.
        errors: float64: fastText's own are at most so far away.
        sure: bool, shape (texts,): whether fastText gives the same labels in the same order.
    """
    scratch, p, error = np.empty((3, model.labels)), np.empty(model.labels), np.empty(model.labels)
    every = labels.shape[1] > 1
    for text in range(len(vectors)):
        sure[text] = _probabilities(vectors[text], model, every, scratch, p, error)
        if not sure[text]:
            labels[text] = -1
            continue
        for rank in range(min(labels.shape[1], model.labels)):
            best = np.argmax(p)
            labels[text, rank] = best
            probabilities[text, rank] = p[best]
            errors[text, rank] = error[best]
            p[best] = -1
            for label in range(model.labels):
                if p[label] >= 0:
                    gap = probabilities[text, rank] * (1 - 2 * _gain(model)) - p[label]
                    sure[text] &= gap > error[best] + error[label]
            # It gives no label whose score is below log(_LEAST).
            if model.loss == HIERARCHICAL:
                sure[text] &= probabilities[text, rank] > 3 * _LEAST


@kernel
def label_probabilities(vectors: Any, model: Any, label: Any, probabilities: Any, errors: Any) -> None:
    """The probability of one label, and how far fastText's may be from it; both float64, shape (texts,)."""
    scratch, p, error = np.empty((3, model.labels)), np.empty(model.labels), np.empty(model.labels)
    for text in range(len(vectors)):
        known = _probabilities(vectors[text], model, True, scratch, p, error)
        probabilities[text] = p[label] if known else 0
        errors[text] = error[label] if known else np.inf
