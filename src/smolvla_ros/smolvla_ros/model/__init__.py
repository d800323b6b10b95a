"""SmolVLA (arXiv 2506.01844) in plain PyTorch: no transformers, no lerobot, no ROS.

In the paper's order: vision.py and connector.py turn frames into tokens, prefix.py joins them with instruction and
state, language.py reads them (layer skipping), expert.py alternates self- and cross-attention over the actions,
flow_matching.py ties these together, samples and trains. attention.py and rope.py are what both transformers share.

Around it: smolvla.py (batches in the public key names), checkpoint.py (the public folder layout, by config.py,
weights.py, processors.py, tokenizer.py), random_checkpoint.py, compare_with_lerobot.py.
"""
