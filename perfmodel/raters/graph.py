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
    """Employees on whom alone the comparison of some raters hangs: without them a component falls apart.

    Articulation points among the employees of the graph (Hopcroft and Tarjan 1973, Algorithm 447, Commun. ACM
    16(6)), found in one walk: time grows with the number of pairs.
    """
    from scipy.sparse import coo_array

    _, r = np.unique(rater, return_inverse=True)
    _, e = np.unique(employee, return_inverse=True)
    raters, n = int(r.max()) + 1, int(r.max() + e.max()) + 2
    pairs = np.unique(np.column_stack([r, e + raters]), axis=0)
    ends = np.concatenate([pairs, pairs[:, ::-1]])
    graph = coo_array((np.ones(len(ends)), ends.T), shape=(n, n)).tocsr()
    start, near = graph.indptr.tolist(), graph.indices.tolist()
    # When each node was met, the earliest node that can be reached from below it without it, and what is walked next.
    met, low, following = [0] * n, [0] * n, list(start[:n])
    hangs, clock = set(), 0
    for root in range(raters):  # a rater, so that no employee is the root, for which another rule holds
        if met[root]:
            continue
        clock += 1
        met[root] = low[root] = clock
        path = [root]
        while path:
            here = path[-1]
            if following[here] < start[here + 1]:
                there = near[following[here]]
                following[here] += 1
                if not met[there]:
                    clock += 1
                    met[there] = low[there] = clock
                    path.append(there)
                elif len(path) < 2 or there != path[-2]:
                    low[here] = min(low[here], met[there])
                continue
            path.pop()
            if path:
                above = path[-1]
                low[above] = min(low[above], low[here])
                if above >= raters and low[here] >= met[above]:
                    hangs.add(above)
    return len(hangs)
