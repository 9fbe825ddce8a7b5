"""Starting Keras on TensorFlow the same way everywhere. No network lives here."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from stock_assets.settings import InvalidSetting, choose_keras_backend

_CHATTER = (
    b"absl::InitializeLog()",
    b"oneDNN custom operations are on",
    b"Could not find cuda drivers",
)


def start_keras() -> None:
    """Import Keras on TensorFlow; on the CPU and one thread, unless TensorFlow already runs in this process.

    On these sizes a second thread only costs time, and so does a graphics card.

    Raises:
        InvalidSetting: this process has already imported Keras on another backend.
    """
    choose_keras_backend()
    with _without_chatter():
        import keras
        import tensorflow as tf
    if keras.config.backend() != "tensorflow":
        raise InvalidSetting(
            f"Keras runs on {keras.config.backend()!r} in this process, expected 'tensorflow'",
            cure="start a new process with KERAS_BACKEND=tensorflow",
        )
    with suppress(RuntimeError):  # it runs already, and can no longer be told
        tf.config.set_visible_devices([], "GPU")
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what TensorFlow 2.21 writes to file descriptor 2 on import, whatever TF_CPP_MIN_LOG_LEVEL says.

    Everything else that was written meanwhile follows at the end, also if the import fails.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not any(words in line for words in _CHATTER):
                    os.write(2, line)
