"""Custom callback: halve the learning rate when the loss increases."""

from skmlp.callbacks import Callback


class HalveOnJump(Callback):
    """Halve the learning rate when the loss increases by more than a factor."""

    def __init__(self, factor=1.5):
        self.factor = factor

    def on_fit_begin(self, training):
        self.halved_ = []  # epochs after which the rate was halved

    def on_epoch_end(self, training):
        loss = training.history["loss"]
        if len(loss) > 1 and loss[-1] > self.factor * loss[-2]:
            training.optimizer.base_learning_rate /= 2
            self.halved_.append(training.n_iter)
        return training.optimizer.base_learning_rate < 1e-8  # True ends training
