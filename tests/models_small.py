"""Small models of every kind that keras.applications has, each as a cell that computes its loss.

``MODELS`` maps a name to a function that makes the model and a batch for it: the weights are drawn
from a fixed seed. ``CELL`` is the code that runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

if TYPE_CHECKING:
    from collections.abc import Callable

CELL = """
out = model(x, training=True)
loss = tf.reduce_mean(tf.losses.sparse_categorical_crossentropy(y, out, from_logits=True))
"""

CLASSES = 3


def make_names(name: str) -> dict[str, Any]:
    """The namespace in which ``CELL`` runs: model, batch and classes."""
    keras.utils.set_random_seed(7)
    model, x = MODELS[name]()
    return {"tf": tf, "model": model, "x": x, "y": tf.constant([0, 2])}


def _image(side: int = 8, channels: int = 3) -> Any:
    values = np.random.default_rng(1).standard_normal([2, side, side, channels])
    return tf.constant(values, tf.float32)


def _sequence(steps: int = 5, features: int = 4) -> Any:
    values = np.random.default_rng(2).standard_normal([2, steps, features])
    return tf.constant(values, tf.float32)


def _words() -> Any:
    return tf.constant([[1, 2, 3, 1, 0], [4, 4, 2, 0, 0]])


def _sequential(x: Any, *parts: Any) -> tuple[Any, Any]:
    model = keras.Sequential([*parts, layers.Dense(CLASSES)])
    model.build(x.shape)
    return model, x


def _functional(x: Any, body: Callable[[Any], Any]) -> tuple[Any, Any]:
    start = keras.Input(x.shape[1:], dtype=x.dtype.name)
    return keras.Model(start, layers.Dense(CLASSES)(body(start))), x


def make_dense() -> tuple[Any, Any]:
    activations = [
        "relu",
        "elu",
        "selu",
        "tanh",
        "softplus",
        "softsign",
        "gelu",
        "silu",
        "exponential",
    ]
    parts = [layers.Dense(4, activation) for activation in activations]
    return _sequential(
        _sequence(1)[:, 0], *parts, layers.LeakyReLU(), layers.PReLU(), layers.Dropout(0.3)
    )


def make_convolution() -> tuple[Any, Any]:
    return _sequential(
        _image(),
        layers.ZeroPadding2D(1),
        layers.Conv2D(4, 3, strides=2, activation="relu"),
        layers.MaxPool2D(),
        layers.Conv2D(4, 2, dilation_rate=1, padding="same", activation="relu6"),
        layers.AveragePooling2D(padding="same", pool_size=2),
        layers.SpatialDropout2D(0.2),
        layers.Flatten(),
    )


def make_line_and_volume() -> tuple[Any, Any]:
    return _sequential(
        _image(),
        layers.Reshape([8, 8, 3, 1]),
        layers.Conv3D(2, 2, activation="relu"),
        layers.MaxPool3D(),
        layers.GlobalAveragePooling3D(),
        layers.Reshape([2, 1]),
        layers.Conv1D(3, 2, padding="causal"),
        layers.GlobalMaxPooling1D(),
    )


def _convolve(x: Any, channels: int, *, strides: int = 1, activate: bool = True) -> Any:
    x = layers.Conv2D(channels, 3, strides=strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if activate else x


def make_residual() -> tuple[Any, Any]:
    def body(x: Any) -> Any:
        x = _convolve(x, 4)
        for channels, strides in [(4, 1), (8, 2)]:
            kept = x
            if strides > 1:
                kept = layers.Conv2D(channels, 1, strides=strides)(x)
            x = _convolve(x, channels, strides=strides)
            x = layers.ReLU()(layers.Add()([kept, _convolve(x, channels, activate=False)]))
        return layers.GlobalAveragePooling2D()(x)

    return _functional(_image(), body)


def make_densely_connected() -> tuple[Any, Any]:
    def body(x: Any) -> Any:
        for _step in range(3):
            x = layers.Concatenate()([x, _convolve(x, 3)])
        return layers.GlobalMaxPooling2D()(layers.AveragePooling2D(2)(x))

    return _functional(_image(), body)


def make_depthwise() -> tuple[Any, Any]:
    """Inverted residual blocks, as in MobileNetV2."""

    def body(x: Any) -> Any:
        for _step in range(2):
            wide = layers.ReLU(6.0)(layers.BatchNormalization()(layers.Conv2D(9, 1)(x)))
            wide = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(wide)
            wide = layers.ReLU(6.0)(layers.BatchNormalization()(wide))
            x = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(3, 1)(wide))])
        x = layers.SeparableConv2D(4, 3, strides=2, padding="same")(x)
        return layers.GlobalAveragePooling2D()(x)

    return _functional(_image(), body)


def make_squeezed() -> tuple[Any, Any]:
    """Squeeze and excite with swish, as in EfficientNet and MobileNetV3."""

    def body(x: Any) -> Any:
        x = layers.Activation("silu")(_convolve(x, 6, activate=False))
        weight = layers.GlobalAveragePooling2D(keepdims=True)(x)
        weight = layers.Conv2D(2, 1, activation="silu")(weight)
        weight = layers.Conv2D(6, 1, activation="hard_sigmoid")(weight)
        x = layers.Multiply()([x, weight])
        return layers.GlobalAveragePooling2D()(layers.Activation("hard_swish")(x))

    return _functional(_image(), body)


def make_unet() -> tuple[Any, Any]:
    def body(x: Any) -> Any:
        down = _convolve(x, 4)
        low = _convolve(layers.MaxPool2D()(down), 6)
        up = layers.Conv2DTranspose(4, 2, strides=2)(low)
        up = layers.Concatenate()([up, layers.UpSampling2D(interpolation="bilinear")(low), down])
        up = layers.Concatenate()([_convolve(up, 4), layers.Cropping2D(0)(down)])
        return layers.Flatten()(layers.Conv2D(1, 1, activation="sigmoid")(up))

    return _functional(_image(), body)


def make_lstm() -> tuple[Any, Any]:
    return _sequential(
        _sequence(), layers.LSTM(3, return_sequences=True, unroll=True), layers.LSTM(3, unroll=True)
    )


def make_gru() -> tuple[Any, Any]:
    return _sequential(
        _sequence(),
        layers.Bidirectional(layers.GRU(3, return_sequences=True, unroll=True)),
        layers.SimpleRNN(3, unroll=True),
    )


def make_recurrent_loop() -> tuple[Any, Any]:
    """Not unrolled: Keras keeps the steps in a TensorArray."""
    return _sequential(_sequence(), layers.GRU(3, return_sequences=True), layers.LSTM(3))


def make_convolutional_lstm() -> tuple[Any, Any]:
    return _sequential(
        _image(4)[:, None] * tf.ones([1, 2, 1, 1, 1]),
        layers.ConvLSTM2D(2, 2, unroll=True),
        layers.Flatten(),
    )


def make_normalised() -> tuple[Any, Any]:
    return _sequential(
        _image(4, 4),
        layers.LayerNormalization(),
        layers.GroupNormalization(2),
        layers.BatchNormalization(),
        layers.UnitNormalization(),
        layers.Normalization(mean=0.1, variance=2.0),
        layers.GaussianNoise(0.1),
        layers.Flatten(),
    )


def make_embedding() -> tuple[Any, Any]:
    def body(x: Any) -> Any:
        one = layers.Embedding(6, 4)(x)
        other = layers.Embedding(6, 4, mask_zero=True)(x)
        return layers.LSTM(3, unroll=True)(layers.Subtract()([one, other]))

    return _functional(_words(), body)


def make_transformer() -> tuple[Any, Any]:
    def body(x: Any) -> Any:
        x = layers.Embedding(6, 4)(x)
        for _step in range(2):
            attended = layers.MultiHeadAttention(2, 3, dropout=0.1)(x, x, use_causal_mask=True)
            x = layers.LayerNormalization()(layers.Add()([x, attended]))
            wide = layers.Dense(4)(layers.Dense(8, "gelu")(x))
            x = layers.LayerNormalization()(layers.Add()([x, wide]))
        return layers.GlobalAveragePooling1D()(x)

    return _functional(_words(), body)


def make_attention() -> tuple[Any, Any]:
    def body(x: Any) -> Any:
        x = layers.Dense(4)(x)
        one = layers.Attention(use_scale=True)([x, x])
        other = layers.AdditiveAttention()([x, one])
        both = layers.Dot(axes=2)([layers.Softmax()(one), layers.Maximum()([other, x])])
        return layers.Flatten()(layers.Permute([2, 1])(both))

    return _functional(_sequence(), body)


def make_mixer() -> tuple[Any, Any]:
    """Patches, then layers that mix places and channels; layer scale, as in ConvNeXt."""

    def body(x: Any) -> Any:
        x = layers.Conv2D(4, 4, strides=4)(x)
        x = layers.Reshape([4, 4])(x)
        mixed = layers.Permute([2, 1])(layers.LayerNormalization(epsilon=1e-6)(x))
        mixed = layers.Permute([2, 1])(layers.Dense(4, "gelu")(mixed))
        x = layers.Add()([x, layers.Rescaling(0.1)(mixed)])
        x = layers.Average()([x, layers.RepeatVector(4)(layers.GlobalMaxPooling1D()(x))])
        return layers.Minimum()([layers.Flatten()(x), layers.Flatten()(mixed)])

    return _functional(_image(), body)


def make_application(name: str, side: int) -> Callable[[], tuple[Any, Any]]:
    def make() -> tuple[Any, Any]:
        model = getattr(keras.applications, name)(
            weights=None, input_shape=(side, side, 3), classes=CLASSES, classifier_activation=None
        )
        return model, _image(side)

    return make


MODELS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "dense": make_dense,
    "convolution": make_convolution,
    "line and volume": make_line_and_volume,
    "residual": make_residual,
    "densely connected": make_densely_connected,
    "depthwise": make_depthwise,
    "squeeze and excite": make_squeezed,
    "unet": make_unet,
    "lstm": make_lstm,
    "gru": make_gru,
    "recurrent loop": make_recurrent_loop,
    "convolutional lstm": make_convolutional_lstm,
    "normalised": make_normalised,
    "embedding": make_embedding,
    "transformer": make_transformer,
    "attention": make_attention,
    "mixer": make_mixer,
    "MobileNetV2": make_application("MobileNetV2", 32),
    "MobileNetV3Small": make_application("MobileNetV3Small", 32),
    "ResNet50V2": make_application("ResNet50V2", 32),
    "EfficientNetB0": make_application("EfficientNetB0", 32),
}
