"""Ways to run a model's layers faster than its plain torch modules do.

choice.py names the engines and chooses. An engine replaces the layers of a loaded model (encoder_layer.py,
decoder_block.py) by ones with the same methods over other linear layers: packed_linear.py in float32 or bfloat16,
quantised_linear.py in int8. Masks, positions, caches and sampling stay the model's own. cpu_kernels/ is what lies
between matrix products, in C++. cuda.py compiles the model's own steps instead. bench.py measures.
"""
