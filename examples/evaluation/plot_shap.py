"""
===========
SHAP values
===========

The `shap <https://shap.readthedocs.io>`_ package attributes each prediction of an
estimator to the features. This example computes SHAP values for a pipeline on tabular
data, verifies that they add up to the prediction, and compares the most important
features with those that have the largest input gradients.
"""

# %%
# Train a network in a pipeline
# -----------------------------
# The diabetes dataset contains ten measurements of 442 patients, among them the body
# mass index ``bmi``, the blood pressure ``bp``, and six blood serum measurements,
# ``s1`` to ``s6``. The target is a measure of the progression of the disease after one
# year. There are few patients and the data are noisy, so that a grid search on the
# training set selects the strength of the penalty.
import matplotlib.pyplot as plt
import numpy as np
import shap
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skmlp import MLPRegressorScratch
from skmlp.plotting import SaliencyDisplay

data = load_diabetes(scaled=False)
X_train, X_test, y_train, y_test = train_test_split(
    data.data, data.target, random_state=0
)
mlp = MLPRegressorScratch(
    hidden_layer_sizes=(20,),
    activation="tanh",
    solver="lbfgs",
    max_iter=2000,
    random_state=0,
)
search = GridSearchCV(
    make_pipeline(StandardScaler(), mlp),
    {"mlpregressorscratch__alpha": [100, 300, 1000]},
).fit(X_train, y_train)
model = search.best_estimator_
print(f"best alpha: {search.best_params_['mlpregressorscratch__alpha']}")
print(f"R² on {len(X_test)} held-out patients: {model.score(X_test, y_test):.2f}")

# %%
# Compute SHAP values
# -------------------
# For each prediction, shap replaces features by those of patients in a background
# sample, here from the training set, and averages over the order of the replacements.
# It needs only a function that predicts. Here, this is the prediction of the whole
# pipeline, so that the features are those of the table, in their units.
#
# The SHAP values of a prediction add up to the difference between this prediction and
# the base value, which is the mean prediction for the background sample.
explainer = shap.Explainer(
    model.predict,
    shap.maskers.Independent(X_train, max_samples=50),
    algorithm="permutation",
    feature_names=data.feature_names,
    seed=0,
)
explanation = explainer(X_test, silent=True)

prediction = model.predict(X_test)
base = explanation.base_values
shares = explanation.values.sum(axis=1)
print("patient  prediction  = base value  + sum of SHAP values")
for i in range(3):
    print(f"{i:7d}{prediction[i]:12.1f}{base[i]:14.1f}{shares[i]:23.1f}")
print(f"largest difference: {np.abs(prediction - base - shares).max():.0e}")

# %%
# Each point of this plot is a patient. The horizontal position is the effect of a
# feature on the prediction, and the color shows the value of the feature. The features
# with the widest spread, at the top, are the most important ones. High values of ``s5``
# and ``bmi`` increase the prediction.
shap.plots.beeswarm(explanation, show=False, plot_size=(6.4, 4.8))
plt.xlabel("SHAP value (share in the predicted progression)")
plt.show()

# %%
# Compare with input gradients
# ----------------------------
# :class:`~skmlp.plotting.SaliencyDisplay` shows how much the prediction changes with a
# small change of a feature. It evaluates the network without the scaler, so that the
# gradients are per standard deviation of a feature and can be compared with each other.
scaler, mlp = model
Z_test = scaler.transform(X_test)
SaliencyDisplay.from_estimator(mlp, Z_test, feature_names=data.feature_names)
plt.show()

# %%
# Differences between the two methods
# -----------------------------------
# With both methods, ``s5`` and ``bmi`` are the most important features. The results
# differ at the end of the table: the gradients of ``age`` and ``s1`` are not small, but
# their SHAP values are close to zero. The last column shows the reason. The signed
# gradient is close to zero on average: the feature increases the prediction for some
# patients and decreases it for others. A gradient describes a small change. A SHAP
# value describes the change from the background to the patient, in which increases and
# decreases cancel.
#
# Neither method shows the causes of the disease. Both explain the network, whose R²
# shows that it does not explain most of the progression, and both depend on which of
# several correlated features the network uses.
G = mlp.input_gradient(Z_test)
mean_shap = np.abs(explanation.values).mean(axis=0)
print("feature  mean |SHAP value|  mean |gradient|  mean gradient")
for j in np.argsort(-mean_shap):
    print(
        f"{data.feature_names[j]:7}{mean_shap[j]:19.1f}"
        f"{np.abs(G[:, j]).mean():17.1f}{G[:, j].mean():15.1f}"
    )
