"""
=====================================================
From a CSV file to a tuned, explained and saved model
=====================================================

This example predicts the body mass of penguins from a table with numbers, categories
and missing values. The pipeline for tables needs no preprocessing, is tuned by a random
search, explained by the importance of its features, and saved to a file.
"""

# %%
# Read and split the table
# ------------------------
# ``penguins.csv`` has 344 penguins of three species on three islands. The sex of some
# of them is not known. Rows without a target are removed.
#
# The data are those of the package ``palmerpenguins`` (A. M. Horst, A. P. Hill and
# K. B. Gorman, 2020, CC0), which were collected at Palmer Station, Antarctica.
import matplotlib.pyplot as plt
import pandas as pd
import skops.io
from scipy.stats import loguniform
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import RandomizedSearchCV, train_test_split

from skmlp import SKOPS_TRUSTED, make_tabular_mlp_regressor

penguins = pd.read_csv("penguins.csv").dropna(subset="body_mass_g")
X, y = penguins.drop(columns="body_mass_g"), penguins["body_mass_g"]
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
print(X_train.describe(include="all").loc[["count", "unique", "mean"]].round(1))

# %%
# Tune the pipeline
# -----------------
# The defaults are good on most tables. The search tries ten other combinations.
reg = make_tabular_mlp_regressor(effort="fast", random_state=0)
params = {
    "mlp__weight_decay": loguniform(0.1, 5),
    "mlp__dropout": [0, 0.1, 0.2],
    "preprocessor__n_bins": [None, 4, 8],
}
search = RandomizedSearchCV(reg, params, n_iter=10, n_jobs=2, random_state=0)
search.fit(X_train, y_train)
for name, value in search.best_params_.items():
    print(f"{name}: {value if value is None else round(value, 2)}")
for name, model in {"default": reg.fit(X_train, y_train), "tuned": search}.items():
    error = mean_absolute_error(y_test, model.predict(X_test))
    print(f"{name}: R2 {model.score(X_test, y_test):.3f}, mean error {error:.0f} g")

# %%
# Explain the predictions
# -----------------------
# Permuting a feature shows how much the score depends on it. Partial dependence shows
# how: the predicted mass increases with the length of the flippers.
importance = permutation_importance(
    search, X_test, y_test, n_repeats=20, random_state=0
)
mean = pd.Series(importance.importances_mean, X.columns).sort_values()
fig, axes = plt.subplots(1, 3, figsize=(11, 3.5), layout="constrained")
mean.plot.barh(ax=axes[0], title="Decrease of R2 after permutation")
PartialDependenceDisplay.from_estimator(
    search,
    X_train.dropna(),
    ["flipper_length_mm", "species"],
    categorical_features=["species"],
    ax=axes[1:],
)
plt.show()

# %%
# Save and load the model
# -----------------------
# `skops <https://skops.readthedocs.io>`__ writes the whole pipeline to a file that
# contains no code. Loading it requires the list of the classes of skmlp.
data = skops.io.dumps(search.best_estimator_)  # `dump` writes a file
loaded = skops.io.loads(data, trusted=SKOPS_TRUSTED)
print(f"{len(data) / 1e3:.0f} kB, equal predictions:", end=" ")
print((loaded.predict(X_test) == search.predict(X_test)).all())
