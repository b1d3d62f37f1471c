"""Records what scikit-learn 1.2 reaches on small data sets, all features standardised where there is a penalty.

    /usr/bin/python3 test/reference/baselines.py    # writes baselines.json.gz beside this file

Losses are means over all samples and outputs; objectives are those that the estimators state. Needs python3-sklearn.
"""
import gzip
import json
import os
import warnings

import numpy as np
import sklearn
from scipy.special import expit, log_softmax
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

warnings.simplefilter("error")
folder = os.path.dirname(os.path.abspath(__file__))
root = os.path.join(folder, "..", "..")

iris = np.loadtxt(os.path.join(root, "test", "data", "iris.csv"), delimiter=",", skiprows=1)
cancer = np.loadtxt(os.path.join(root, "test", "data", "breast-cancer.csv"), delimiter=",", skiprows=1)
digits = np.loadtxt(os.path.join(root, "data", "digits", "digits.csv.gz"), delimiter=",")
reference = load_breast_cancer()
assert np.array_equal(cancer[:, :-1], reference.data) and np.array_equal(cancer[:, -1], reference.target)

iris_x, iris_y = iris[:, :4], iris[:, 4].astype(int)
cancer_x, cancer_y = cancer[:, :-1], cancer[:, -1].astype(int)
digits_x, digits_y = digits[:, :64], digits[:, 64].astype(int)
scaled = lambda x: StandardScaler().fit_transform(x)

record = {"sklearn": sklearn.__version__}


def binary_loss(z, y):
    return float(np.mean(np.logaddexp(0, np.where(y == 1, -z, z))))


def logistic(x, y, C=None):
    """The loss without, and the mean objective with, the penalty; C None for no penalty."""
    x = scaled(x)
    multi = len(np.unique(y)) > 2
    options = dict(penalty="l2" if C else None, C=C or 1.0, tol=1e-10, max_iter=100000)
    model = LogisticRegression(solver="newton-cg", multi_class="multinomial" if multi else "ovr", **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its line search stops at the last digits.
        model.fit(x, y)
    if multi:
        loss = float(-np.mean(log_softmax(x @ model.coef_.T + model.intercept_, axis=1)[np.arange(len(y)), y]))
    else:
        loss = binary_loss(model.decision_function(x), y)
    penalty = np.sum(model.coef_ ** 2) / (2 * C * len(y)) if C else 0.0
    return {"loss": loss, "objective": loss + float(penalty)}


def one_vs_rest(x, labels, C):
    results = [logistic(x, column, C) for column in labels.T]
    return {key: float(np.mean([r[key] for r in results])) for key in ("loss", "objective")}


def linear(x, y, alpha=0.0):
    # Without penalty scaling changes nothing but constant features, which it turns into rounding errors of any size.
    x = scaled(x) if alpha else x
    model = Ridge(alpha=alpha, solver="svd") if alpha else LinearRegression()
    model.fit(x, y)
    loss = float(np.mean((model.predict(x) - y) ** 2))
    return {"loss": loss, "objective": loss + alpha * float(np.sum(model.coef_ ** 2)) / np.asarray(y).size}


def hinge(z, s):
    return np.maximum(0, 1 - s * z)


def svm(x, y, C, kernel):
    """Sums over the one-vs-rest problems; the linear machine penalises its bias as LIBLINEAR does."""
    x = scaled(x)
    targets = [y] if y.max() == 1 else [(y == k).astype(int) for k in range(y.max() + 1)]
    loss, objective = 0.0, 0.0
    for target in targets:
        s = 2 * target - 1
        if kernel == "linear":
            model = LinearSVC(C=C, loss="hinge", tol=1e-6, max_iter=10**7).fit(x, target)
            norm = np.sum(model.coef_ ** 2) + model.intercept_[0] ** 2
        else:
            model = SVC(C=C, kernel="rbf", gamma="scale", tol=1e-6).fit(x, target)
            gamma = 1 / (x.shape[1] * x.var())
            v, a = model.support_vectors_, model.dual_coef_[0]
            norm = a @ np.exp(-gamma * ((v[:, None] - v[None]) ** 2).sum(-1)) @ a
        losses = hinge(model.decision_function(x), s)
        loss += float(losses.mean()) / len(targets)
        objective += float(norm / 2 + C * losses.sum())
    return {"loss": loss, "objective": objective}


pixels = digits_x.reshape(-1, 8, 8)
profile = pixels.mean(axis=1)[:, 1:7]
labels = np.stack([digits_y % 2, digits_y >= 5, digits_y % 3 == 0], axis=1).astype(int)
pair = iris_y > 0

record["linear"] = {
    "iris": linear(iris_x[:, :3], iris_x[:, 3]),
    "iris two targets": linear(iris_x[:, :2], iris_x[:, 2:]),
    "cancer": linear(cancer_x[:, 1:], cancer_x[:, 0]),
    "digits": linear(digits_x, digits_y.astype(float)),
    "cancer ridge 3": linear(cancer_x[:, 1:], cancer_x[:, 0], 3.0),
}
record["logistic"] = {
    "iris pair": logistic(iris_x[pair], iris_y[pair] - 1),
    "cancer ten features": logistic(cancer_x[:, :10], cancer_y),
    "digits profile": logistic(profile, digits_y),
    "iris C 1": logistic(iris_x, iris_y, 1.0),
    "cancer C 0.5": logistic(cancer_x, cancer_y, 0.5),
    "digits C 0.1": logistic(digits_x, digits_y, 0.1),
    "digits labels C 1": one_vs_rest(digits_x, labels, 1.0),
}
record["svm"] = {
    f"{name} {kernel} {C}": svm(x, y, C, kernel)
    for name, x, y, C in (("iris", iris_x, iris_y, 1.0), ("cancer", cancer_x, cancer_y, 1.0),
                          ("cancer", cancer_x, cancer_y, 0.05), ("digits", digits_x, digits_y, 0.1))
    for kernel in ("linear", "rbf")
}

path = os.path.join(folder, "baselines.json.gz")
with open(path, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed:
    packed.write(json.dumps(record, separators=(",", ":")).encode())
print(json.dumps(record, indent=1))
