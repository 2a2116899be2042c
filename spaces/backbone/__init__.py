"""MobileNetV2 as a value: a list of layers that can be cut anywhere, folded, rebuilt in Keras, and traced as a function."""
