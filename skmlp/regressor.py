"""Import path of the regressor in pickles of earlier versions."""

from skmlp.estimators.regressor import MLPRegressorScratch as MLPRegressorScratch
