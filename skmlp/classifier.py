"""Import path of the classifier in pickles of earlier versions."""

from skmlp.estimators.classifier import MLPClassifierScratch as MLPClassifierScratch
