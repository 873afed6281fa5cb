"""Custom learning rate schedule: polynomial decay."""

from skmlp.core.schedules import Schedule


class Polynomial(Schedule, name="polynomial", hyperparameters=("power",)):
    """eta = level (1 - step / total_steps)^power."""

    power = 2.0
    ends = True

    def rate(self, level, step, position):
        return level * (1 - min(1, position / self.total_steps)) ** self.power


class Linear(Polynomial, name="linear"):
    """The same with power = 1."""

    power = 1.0
