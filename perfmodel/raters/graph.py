"""Who can be compared with whom: components of the graph of raters and the employees they rate."""

import numpy as np
import pandas as pd

DENSE = 1500  # nodes up to which all eigenvalues are computed at once
MOST = 20_000  # nodes up to which connectivity is computed at all


def components(
    rater: np.ndarray, employee: np.ndarray, n_raters: int, n_employees: int
) -> tuple[np.ndarray, np.ndarray]:
    """Component of each rater and of each employee, counted from 1, the largest first.

    ``rater`` and ``employee`` are the codes of each rated pair. Ties in size go to the one whose first rater
    comes first. Employees without a pair get 0.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = n_raters + n_employees
    graph = coo_array((np.ones(len(rater)), (rater, employee + n_raters)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    of_raters = label[:n_raters]
    first = pd.Series(np.arange(n_raters)).groupby(of_raters).agg(["size", "min"])
    order = first.sort_values(["size", "min"], ascending=[False, True]).index
    rank = {old: new for new, old in enumerate(order, start=1)}
    number = np.array([rank.get(old, 0) for old in label], int)
    return number[:n_raters], number[n_raters:]


def algebraic_connectivity(rater: np.ndarray, employee: np.ndarray) -> float:
    """Second smallest eigenvalue of the Laplacian of one connected component (Fiedler 1973); 0 is unconnected.

    The smaller, the more the comparison of two halves hangs on a few shared employees. Rounded to six digits:
    an iterative solution has no more.
    """
    _, r = np.unique(rater, return_inverse=True)
    _, e = np.unique(employee, return_inverse=True)
    pairs = np.unique(np.column_stack([r, e + r.max() + 1]), axis=0)
    n = int(pairs.max()) + 1
    if n < 2:
        return 0.0
    from scipy.sparse import coo_array, csgraph

    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    laplacian = csgraph.laplacian(graph + graph.T)
    if n <= DENSE:
        second = np.linalg.eigvalsh(laplacian.toarray())[1]
    else:
        from scipy.sparse.linalg import eigsh

        start = np.random.default_rng(0).standard_normal(n)  # fixed: the same graph gives the same digits
        second = np.sort(eigsh(laplacian.tocsc(), k=2, sigma=-0.01, v0=start, return_eigenvectors=False))[1]
    return round(float(max(second, 0.0)), 6)


def bridges(rater: np.ndarray, employee: np.ndarray) -> int:
    """Employees on whom alone the comparison of some raters hangs: without them a component falls apart."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, r = np.unique(rater, return_inverse=True)
    _, e, count = np.unique(employee, return_inverse=True, return_counts=True)
    shared = np.flatnonzero(np.bincount(e[np.unique(np.column_stack([r, e]), axis=0, return_index=True)[1]]) > 1)
    n_raters, found = int(r.max()) + 1, 0
    for one in shared:
        keep = e != one
        graph = coo_array((np.ones(keep.sum()), (r[keep], e[keep] + n_raters)), shape=(n_raters + len(count),) * 2)
        label = connected_components(graph, directed=False)[1][:n_raters]
        found += len(np.unique(label)) > 1
    return found
