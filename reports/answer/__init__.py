"""What was found out: the summary of a study, its verdict and the statistics behind them."""
