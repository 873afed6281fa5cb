"""
======================
SHAP values on a table
======================

The `shap <https://shap.readthedocs.io>`_ package takes a network as it takes any other
estimator, and shares out each of its predictions among the features. This page does so
for a pipeline on a table, checks that the shares add up to the prediction, and holds
the features that matter most against those with the largest input gradients.
"""

# %%
# A network in a pipeline
# -----------------------
#
# The table has ten measurements of each of 442 patients with diabetes, among them the
# body mass index ``bmi``, the blood pressure ``bp``, and six of the blood serum, ``s1``
# to ``s6``. The target is a measure of the disease's progression a year later. There
# are few patients, and much is noise: a grid search on the training set finds how
# strong the penalty on the weights should be.
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
# Shares of a prediction
# ----------------------
#
# To find the share of a feature in one prediction, shap replaces other features by
# those of patients in a background sample, here from the training set, and averages
# over the order in which it does so. All it needs is a function that predicts: that of
# the whole pipeline, so that the features are those of the table, in their units.
#
# The shares, which are the SHAP values, have to add up to the difference between this
# prediction and the base value, which is the mean prediction for the background.
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
# Each point of this plot is a patient. A feature far from zero has moved the prediction
# for that patient much, and the colour says whether the patient has a high or a low
# value of it. The features with the widest spread, on top, matter most: high values of
# ``s5`` and of ``bmi`` raise the prediction.
shap.plots.beeswarm(explanation, show=False, plot_size=(6.4, 4.8))
plt.xlabel("SHAP value (share in the predicted progression)")
plt.show()

# %%
# Gradients of the same predictions
# ---------------------------------
#
# :class:`~skmlp.plotting.SaliencyDisplay` asks something else of the same network: how
# much would the prediction change with a small change of the feature? It looks at the
# network alone, behind the scaler, so that the gradients are per standard deviation of
# a feature and can be compared with each other.
scaler, mlp = model
Z_test = scaler.transform(X_test)
SaliencyDisplay.from_estimator(mlp, Z_test, feature_names=data.feature_names)
plt.show()

# %%
# Side by side
# ------------
#
# Both find that ``s5`` and ``bmi`` matter most. They differ at the end of the table:
# the gradient of ``age`` and ``s1`` is not so small, and their SHAP values are next to
# nothing. The last column hints at the reason. With its sign, their gradient is close
# to zero on average: the feature raises the prediction for one patient and lowers it
# for another. A gradient is about a small change. A SHAP value is about the whole way
# from the background to the patient, on which such ups and downs cancel.
#
# Neither says what causes the disease. Both explain the network, whose R² shows how
# much of the progression it has not understood, and both depend on which of several
# correlated features the network happens to use.
G = mlp.input_gradient(Z_test)
mean_shap = np.abs(explanation.values).mean(axis=0)
print("feature  mean |SHAP value|  mean |gradient|  mean gradient")
for j in np.argsort(-mean_shap):
    print(
        f"{data.feature_names[j]:7}{mean_shap[j]:19.1f}"
        f"{np.abs(G[:, j]).mean():17.1f}{G[:, j].mean():15.1f}"
    )
