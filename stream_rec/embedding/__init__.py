"""From an item's text to a frozen vector. Only torch_encoder.py imports torch, and only onnx_encoder.py onnxruntime."""
