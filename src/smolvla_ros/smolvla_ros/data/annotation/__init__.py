"""Tasks in words, as SmolVLA's pretraining data got theirs (arXiv 2506.01844, section 3.2 and appendix A.1).

A vision-language model proposes a short sentence for each episode; a person reads and corrects them in a file; then
they become the episodes' tasks, which can be undone.
"""
