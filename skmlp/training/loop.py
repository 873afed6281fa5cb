"""Import path of the state of a training in earlier versions."""

from skmlp.training.state import TrainingState as TrainingState
