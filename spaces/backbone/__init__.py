"""MobileNetV2 as a value that can be cut, folded and rebuilt."""
